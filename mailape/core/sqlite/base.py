"""Django's SQLite backend with a write lock that all processes of this instance share.

The rule is one: before a statement that may write, this connection takes the lock unless it has it;
whenever it is in no transaction any more, it lets go. So a write outside a transaction holds the
lock for its own time, and `atomic` from BEGIN to COMMIT or ROLLBACK, also when it only reads:
Django begins it IMMEDIATE in either case. docs/decisions/0003-sqlite-write-lock.md says why.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db.backends.sqlite3 import base

from mailape.core.filelock import FileLock
from mailape.core.sqlite.lock import WriteLock

# There are types for who uses a backend, and none for who writes one.
django_sqlite: Any = base
PATIENCE = 30.0
_PRAGMAS = (
    "PRAGMA synchronous = NORMAL",
    # Without it the write-ahead log keeps the size of the longest write for ever.
    "PRAGMA journal_size_limit = 67108864",
)
_READS = ("SELECT", "PRAGMA", "EXPLAIN", "VALUES")


class DatabaseWrapper(django_sqlite.DatabaseWrapper):  # type: ignore[misc]
    """One connection, with its own hold on the write lock. A database in memory needs none."""

    write_lock: WriteLock | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params.setdefault("timeout", PATIENCE)
        self.transaction_mode: str = self.transaction_mode or "IMMEDIATE"
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        conn = super().get_new_connection(conn_params)
        if self.is_in_memory_db():
            return conn
        name = str(conn_params["database"])
        _switch_to_wal(conn, name, conn_params["timeout"])
        for pragma in _PRAGMAS:
            conn.execute(pragma)
        self._forget_lock()
        self.write_lock = WriteLock(name, conn_params["timeout"])
        return conn

    def create_cursor(self, name: Any = None) -> Any:
        if self.write_lock is None:
            return super().create_cursor(name)
        return self.connection.cursor(factory=partial(Cursor, lock=self.write_lock))

    def _commit(self) -> None:
        try:
            super()._commit()
        finally:
            self._release_if_over()

    def _rollback(self) -> None:
        try:
            super()._rollback()
        finally:
            self._release_if_over()

    def _close(self) -> None:
        try:
            super()._close()
        finally:
            self._forget_lock()

    def _release_if_over(self) -> None:
        if self.write_lock is not None and not _in_transaction(self.connection):
            self.write_lock.release()

    def _forget_lock(self) -> None:
        if self.write_lock is not None:
            self.write_lock.close()
        self.write_lock = None


class Cursor(django_sqlite.SQLiteCursorWrapper):  # type: ignore[misc]
    """A cursor that takes the write lock round what may write."""

    def __init__(self, connection: sqlite3.Connection, lock: WriteLock) -> None:
        super().__init__(connection)
        self._lock = lock
        self._rows: list[Any] | None = None

    def execute(self, query: str, params: Any = None) -> Any:
        self._rows = None
        if query.lstrip()[:7].upper().startswith(_READS):
            return super().execute(query, params)
        with self._writing():
            super().execute(query, params)
            if self.description is not None and not self.connection.in_transaction:
                # RETURNING outside a transaction: SQLite commits when the last row is read, and
                # that must be while the lock is held.
                self._rows = super().fetchall()
        return self

    def executemany(self, query: str, param_list: Any) -> Any:
        self._rows = None
        with self._writing():
            return super().executemany(query, param_list)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self._lock.held:
            self._lock.take()
        try:
            yield
        finally:
            if not _in_transaction(self.connection):
                self._lock.release()

    # Rows that were read ahead are handed out as if they came from the database now.

    def fetchone(self) -> Any:
        if self._rows is None:
            return super().fetchone()
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = 1) -> Any:
        if self._rows is None:
            return super().fetchmany(size)
        found, self._rows = self._rows[:size], self._rows[size:]
        return found

    def fetchall(self) -> Any:
        if self._rows is None:
            return super().fetchall()
        found, self._rows = self._rows, []
        return found

    def __next__(self) -> Any:
        if self._rows is None:
            return super().__next__()
        if not self._rows:
            raise StopIteration
        return self._rows.pop(0)


def _in_transaction(connection: Any) -> bool:
    try:
        return bool(connection.in_transaction)
    except sqlite3.ProgrammingError:  # closed
        return False


def _switch_to_wal(conn: sqlite3.Connection, name: str, timeout: float) -> None:
    """Once in the life of a file; one process at a time, for SQLite does not wait for this."""
    if conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    with FileLock(f"{name}-write", timeout):
        conn.execute("PRAGMA journal_mode = WAL")
