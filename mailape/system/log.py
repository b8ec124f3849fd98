"""The end of the log: the last entries of its file, filtered by level and text."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Never more than the end of the file is read, however large somebody lets it grow.
READ = 512 * 1024
SHOWN = 200
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)Z ([A-Z]+) +(\S+)  (.*)")


@dataclass(frozen=True)
class Entry:
    """One entry. `trace` are the lines that followed it; without a time it is a stray line."""

    at: datetime | None
    level: str
    logger: str
    text: str
    trace: str = ""

    def has(self, words: str) -> bool:
        """Whether these words stand anywhere in it, in whatever letter case."""
        return words.lower() in f"{self.logger} {self.text}\n{self.trace}".lower()


@dataclass(frozen=True)
class Tail:
    """The newest entries first. `is_cut` where older ones fitted too and are not shown."""

    file: str
    entries: list[Entry]
    is_cut: bool = False
    fault: str = ""


def tail(level: str = "DEBUG", words: str = "") -> Tail:
    """The last entries of at least this level with these words in them.

    `file` is empty where no log is kept, `fault` says why it cannot be read.
    """
    file = settings.LOG_KEPT
    if not file:
        return Tail("", [])
    try:
        text = _end_of(Path(file))
    except OSError as fault:
        return Tail(file, [], fault=fault.strerror or type(fault).__name__)
    least = LEVELS.index(level) if level in LEVELS else 0
    fitting = [
        entry
        for entry in entries(text.splitlines())
        if _rank(entry.level) >= least and (not words or entry.has(words))
    ]
    return Tail(file, fitting[::-1][:SHOWN], is_cut=len(fitting) > SHOWN)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 0


def _end_of(file: Path) -> str:
    """The last half megabyte, from the file before as well where this one was begun lately."""
    read = b""
    for path in (file, file.with_name(f"{file.name}.1")):
        room = READ - len(read)
        if room > 0 and (path == file or path.exists()):
            read = _last(path, room) + read
    return read.decode("utf-8", "replace")


def _last(path: Path, octets: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - octets))
            read = file.read(octets)
    except FileNotFoundError:
        return b""
    # A line whose beginning was cut off says something else than it did.
    return read if size <= octets else read.partition(b"\n")[2]


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """What stands in these lines, text or JSON; lines of a trace belong to the entry before."""
    current: Entry | None = None
    trace: list[str] = []
    for line in lines:
        begun = _of_json(line) if line.startswith("{") else _of_text(line)
        if begun is None and current is not None:
            trace.append(line)
            continue
        if current is not None:
            yield _with(current, trace)
        current, trace = begun or Entry(None, "", "", line), []
    if current is not None:
        yield _with(current, trace)


def _with(entry: Entry, trace: list[str]) -> Entry:
    return replace(entry, trace="\n".join(trace)) if trace else entry


def _of_text(line: str) -> Entry | None:
    found = _LINE.match(line)
    if found is None:
        return None
    at, level, logger, text = found.groups()
    return Entry(_time(at), level, logger, text)


def _of_json(line: str) -> Entry | None:
    try:
        found = json.loads(line)
        return Entry(
            _time(found["time"].rstrip("Z")),
            str(found["level"]),
            str(found["logger"]),
            str(found["message"]),
            str(found.get("trace", "")),
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
