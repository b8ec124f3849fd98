"""CSV that spreadsheet programs open without being made to calculate, fetch or run anything.

A cell that begins with one of a few characters is a formula to them, whoever typed it: somebody's
name, a server's answer. Such a cell gets an apostrophe before it, which makes it plain text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BOM = "\ufeff"  # without it Excel takes UTF-8 for something else


def lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The text of a CSV file (RFC 4180), a piece at a time."""
    yield BOM + line(head)
    for row in rows:
        yield line(row)


def line(cells: Sequence[object]) -> str:
    """One row, its cells made harmless."""
    kept = io.StringIO()
    csv.writer(kept).writerow([harmless(cell) for cell in cells])
    return kept.getvalue()


def harmless(cell: object) -> str:
    """A cell as text that is no formula."""
    text = "" if cell is None else str(cell)
    if text.lstrip(" ").startswith(_FORMULA) and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
