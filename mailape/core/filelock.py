"""A lock on a file that the kernel takes back when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

# Waiting is asking again and again: flock() itself knows no time limit, and a holder that was
# stopped (SIGSTOP) would hold everybody for ever.
_SHORT, _LONG, _HASTE = 0.0005, 0.002, 0.01


class FileLock:
    """An exclusive flock on `path`, which is made when it is missing and never deleted.

    Every FileLock has an open file of its own, so two of them exclude each other also inside one
    process. It belongs to the process that took it: after a fork the child starts without it.
    """

    def __init__(self, path: Path | str, timeout: float) -> None:
        self.path = os.fspath(path)
        self.timeout = timeout
        self.held = False
        self._file = -1
        self._pid = os.getpid()

    def try_take(self) -> bool:
        """Takes the lock if it is free; says whether it did. Raises OSError without the folder."""
        try:
            fcntl.flock(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.held = True
        return True

    def take(self) -> None:
        """Waits for the lock. Raises TimeoutError after `timeout` seconds."""
        started = time.monotonic()
        while not self.try_take():
            waited = time.monotonic() - started
            if waited > self.timeout:
                raise TimeoutError(f"{self.path} was held by another for {self.timeout:.0f} s")
            time.sleep(_SHORT if waited < _HASTE else _LONG)

    def release(self) -> None:
        """Lets go of the lock; does nothing where it is not held."""
        if self.held and self._pid == os.getpid():
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self.held = False

    def close(self) -> None:
        """Closes the file, and with it lets go of the lock."""
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
        self._file, self.held = -1, False

    def fileno(self) -> int:
        """The open file, for a child that shall go on holding the lock."""
        return self._open()

    def _open(self) -> int:
        if self._pid != os.getpid():
            self.close()  # closes our copy only; the parent's lock stays
            self._pid = os.getpid()
        if self._file < 0:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    def __enter__(self) -> FileLock:
        self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
