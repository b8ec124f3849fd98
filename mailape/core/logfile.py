"""The log in the data folder: two files of bounded size that all processes write to together."""

from __future__ import annotations

import logging
import os
from logging.handlers import WatchedFileHandler
from pathlib import Path

from mailape.core.filelock import FileLock

MOST = 5 * 2**20  # bytes of one file; there are two, this one and the one before


class BoundedFile(WatchedFileHandler):
    """Appends to a file; when it has grown to `most` bytes it becomes NAME.1 and a new one begins.

    Python's RotatingFileHandler is for one process: two would rotate one after the other and drop
    what the first had kept. Here a lock beside the file lets one process do it, and the others see
    by the inode that it was done. A file that cannot be written stops nobody.
    """

    def __init__(self, filename: str, most: int = MOST, encoding: str = "utf-8") -> None:
        super().__init__(filename, encoding=encoding, delay=True)
        self._most = most
        self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record, into a new file where the old one is full."""
        try:
            self._make_room()
            # Which opens the file anew where need be, and may first have to write what is left.
            super().emit(record)
        except OSError:
            self.handleError(record)

    def _make_room(self) -> None:
        path = Path(self.baseFilename)
        if self.stream is None:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        if _size(path) < self._most:
            return
        lock = FileLock(path.with_name(f".{path.name}-lock"), 0)
        try:
            # Looked at again under the lock: another process may have done it meanwhile.
            if lock.try_take() and _size(path) >= self._most:
                os.replace(path, path.with_name(f"{path.name}.1"))
        finally:
            lock.close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class names it
        """Says once that the file cannot be written; the console has every line."""
        if not self._failed:
            super().handleError(record)
        self._failed = True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
