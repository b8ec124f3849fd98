"""The write lock: one writer at a time in all processes of an instance, and a turn for each."""

from __future__ import annotations

import sqlite3

from mailape.core.filelock import FileLock


class WriteLock:
    """Two locked files beside the database: `-write` for who writes, `-turn` for who is next.

    SQLite's own waiting is a sleep that grows to 100 ms and knows no queue: a process that writes
    again and again starves the others. Here a writer must hold the turn while it waits for the
    write lock, so one that has just finished stands behind whoever waits already.
    """

    def __init__(self, database: str, timeout: float) -> None:
        self._turn = FileLock(f"{database}-turn", timeout)
        self._write = FileLock(f"{database}-write", timeout)

    @property
    def held(self) -> bool:
        """Whether this connection may write."""
        return self._write.held

    def take(self) -> None:
        """Waits for the lock. Raises sqlite3.OperationalError when it takes longer than allowed."""
        try:
            self._turn.take()
            self._write.take()
        except TimeoutError as late:
            raise sqlite3.OperationalError(f"database is locked: {late}") from late
        except OSError as fault:
            raise sqlite3.OperationalError(f"unable to open the write lock: {fault}") from fault
        finally:
            self._turn.release()

    def release(self) -> None:
        """Lets the next one write; does nothing where the lock is not held."""
        self._write.release()

    def close(self) -> None:
        """Lets go of everything."""
        self._write.close()
        self._turn.close()
