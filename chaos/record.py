"""The table of results in docs/develop/chaos.md: each recorded run adds a line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from chaos.run import Result

TABLE = Path(__file__).resolve().parent.parent / "docs" / "develop" / "chaos.md"


def record(result: Result, table: Path = TABLE) -> None:
    """Adds a line at the end of the file, which ends with the table."""
    cells = [
        datetime.now(UTC).date().isoformat(),
        result.row, result.stack, result.seed, result.injections, result.killed_processes,
        result.mails, result.lost, result.duplicates_explained, result.duplicates_unexplained,
        result.duplicates_unsaved, result.unexpected, result.stuck, round(result.seconds),
    ]  # fmt: skip
    with table.open("a", encoding="utf-8") as file:
        file.write(f"| {' | '.join(map(str, cells))} |\n")
