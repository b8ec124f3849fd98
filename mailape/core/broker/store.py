"""The broker's file: a message is a row, taking one leases it, being done with it deletes it.

Whoever takes a message holds it under a name of its own and renews the lease from a thread while it
works. The message comes back when the lease ends, or at once when the holder's process is known
dead on this host. Leases count on the monotonic clock, which all processes of one boot share and
nobody moves. The file holds bells only: when it is damaged or of another version it is set aside
and a new one is made; what the lost bells announced is found by the sweep.
"""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from mailape.core import clock, processes
from mailape.core.filelock import FileLock

log = logging.getLogger(__name__)

LEASE = 45.0
TIDY_EVERY = 1.0
VERSION = 1
# A waiting bell is rung already: a second one only moves its expiry. One that a worker holds does
# not count, because that worker may have looked before the new fact was there.
_SCHEMA = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body TEXT NOT NULL, bell TEXT,
    put_at REAL NOT NULL, expires_at REAL, holder TEXT, lease_until REAL);
CREATE INDEX next_of_queue ON message (queue, id);
CREATE INDEX held ON message (holder) WHERE holder IS NOT NULL;
CREATE INDEX expiring ON message (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX one_waiting_bell ON message (queue, bell)
    WHERE bell IS NOT NULL AND holder IS NULL;
"""
_PUT = """
INSERT INTO message (queue, body, bell, put_at, expires_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (queue, bell) WHERE bell IS NOT NULL AND holder IS NULL
DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at
"""
_NEXT = """
SELECT id FROM message WHERE queue = ? AND (holder IS NULL OR lease_until < ?)
AND (expires_at IS NULL OR expires_at > ?) ORDER BY id LIMIT 1
"""
_TAKE = f"""
UPDATE OR REPLACE message SET holder = ?, lease_until = ? WHERE id = ({_NEXT}) RETURNING id, body
"""  # noqa: S608 - made of constants
_DONE = "DELETE FROM message WHERE id = ? AND holder = ?"
_RENEW = "UPDATE message SET lease_until = ? WHERE holder = ?"
# Where the same bell was rung again meanwhile, one of the two is enough.
_FREE_ONE = """
UPDATE OR REPLACE message SET holder = NULL, lease_until = NULL WHERE id = ? AND holder = ?
"""
_FREE_ALL_OF = "UPDATE OR REPLACE message SET holder = NULL, lease_until = NULL WHERE holder = ?"
_HOLDERS = "SELECT DISTINCT holder FROM message WHERE holder IS NOT NULL"
_ANY_EXPIRED = "SELECT 1 FROM message WHERE expires_at < ? AND holder IS NULL LIMIT 1"
_DROP_EXPIRED = "DELETE FROM message WHERE expires_at < ? AND holder IS NULL"
_DEPTHS = """
SELECT queue, sum(holder IS NULL), sum(holder IS NOT NULL), min(put_at)
FROM message GROUP BY queue ORDER BY queue
"""
_CHECK = (
    "SELECT id, queue, body, bell, put_at, expires_at, holder, lease_until FROM message LIMIT 0"
)
# SQLITE_ERROR stands for missing tables; whether the file is damaged is looked at afterwards.
_SUSPICIOUS = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_counter = itertools.count(1)


class Taken(NamedTuple):
    """A message under our lease."""

    id: int
    body: str


class Waiting(NamedTuple):
    """What one queue holds: waiting and taken messages, and the oldest one's age in seconds."""

    queue: str
    waiting: int
    taken: int
    oldest: float | None


class OtherVersion(sqlite3.DatabaseError):
    """The file was made by another version of MailApe, or by another program."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB


class Store:
    """The file as one process sees it. Safe to share between threads, and to carry over a fork.

    Every method raises sqlite3.Error or OSError when the file cannot be used, at the latest after
    `timeout` seconds for each lock it needs; the next call starts on a fresh connection.
    """

    def __init__(self, path: Path, timeout: float = 1.0, lease: float = LEASE) -> None:
        self.path = path
        self.timeout = timeout
        self.lease = lease
        self._connection: sqlite3.Connection | None = None
        self._left_behind: list[sqlite3.Connection] = []
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self.holder = f"{processes.identity()}#{next(_counter)}"
        self._guard = threading.RLock()
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        self._inode = (0, 0)
        self._owed: dict[int, bool] = {}
        self._tidied_at = -TIDY_EVERY

    # --- messages ---

    def put(self, queue: str, body: str, bell: str | None, expires_at: float | None) -> None:
        """Adds a message; it is there whole or not at all. `expires_at` in seconds since 1970."""
        self._ask(_PUT, (queue, body, bell, clock.now().timestamp(), expires_at))

    def take(self, queue: str) -> Taken | None:
        """The oldest free message of `queue`, leased to us; None when there is none."""
        self._tidy()
        now, wall = clock.monotonic(), clock.now().timestamp()
        if not self._ask(_NEXT, (queue, now, wall)):
            return None  # seen by reading alone: looking must not lock
        rows = self._ask(_TAKE, (self.holder, now + self.lease, queue, now, wall))
        self._keep()
        return Taken(*rows[0]) if rows else None

    def done(self, message: int) -> None:
        """Deletes a message that we hold; one that we no longer hold is left to who holds it."""
        self._ask(_DONE, (message, self.holder))

    def give_back(self, messages: Iterable[int]) -> None:
        """Makes messages that we hold free for anyone, now."""
        for message in messages:
            self._ask(_FREE_ONE, (message, self.holder))

    def settle_later(self, message: int, *, done: bool) -> None:
        """Has `done` or `give_back` made good for a message once the file can be written again.

        Until then it stays ours, and when we die it goes to the next one: a bell rings twice.
        """
        self._owed[message] = done

    def renew(self) -> None:
        """Moves the end of our leases on."""
        self._ask(_RENEW, (clock.monotonic() + self.lease, self.holder))

    def purge(self, queue: str) -> int:
        """Deletes every message of `queue`, and says how many there were."""
        return len(self._ask("DELETE FROM message WHERE queue = ? RETURNING id", (queue,)))

    def depths(self) -> list[Waiting]:
        """What each queue that holds anything holds."""
        now = clock.now().timestamp()
        return [
            Waiting(queue, waiting, taken, max(0.0, now - since))
            for queue, waiting, taken, since in self._ask(_DEPTHS)
        ]

    def _tidy(self) -> None:
        """Once a second: settles what could not be written, drops what has expired, frees what
        dead processes hold."""
        now = clock.monotonic()
        if now - self._tidied_at < TIDY_EVERY:
            return
        self._tidied_at = now
        for message, done in list(self._owed.items()):
            self.done(message) if done else self.give_back([message])
            del self._owed[message]
        wall = clock.now().timestamp()
        if self._ask(_ANY_EXPIRED, (wall,)):
            self._ask(_DROP_EXPIRED, (wall,))
        for (holder,) in self._ask(_HOLDERS):
            name = str(holder).partition("#")[0]
            if processes.is_dead(name) or not processes.same_boot(name):
                log.info("a worker is gone; what it held goes to the next one")
                self._ask(_FREE_ALL_OF, (holder,))

    # --- the keeper of our leases ---

    def _keep(self) -> None:
        with self._guard:
            if self._keeper is None:
                self._keeper = threading.Thread(
                    target=self._keep_on, args=(self._stop,), name="broker-lease", daemon=True
                )
                self._keeper.start()

    def _keep_on(self, stop: threading.Event) -> None:
        while not stop.wait(self.lease / 3):
            try:
                self.renew()
            except sqlite3.Error as fault:
                log.warning("leases not renewed: %s", fault)

    # --- the connection ---

    def close(self) -> None:
        """Ends the keeper and the connection. What is still held comes back when its lease ends."""
        self._stop.set()
        with self._guard:
            self._keeper = None
            self._stop = threading.Event()
            self._drop()

    def _ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        if self._pid != os.getpid():
            self._after_fork()
        with self._guard:
            try:
                return self._open().execute(sql, values).fetchall()
            except sqlite3.Error as fault:
                self._drop()
                # Python's own complaints (a closed connection) carry no code.
                if (getattr(fault, "sqlite_errorcode", 0) & 0xFF) not in _SUSPICIOUS:
                    raise
            self._set_aside_if_damaged()
            return self._open().execute(sql, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._inode != _inode(self.path):
            self._drop()  # the file may have been taken away under us
            self._connection = self._connect()
            self._inode = _inode(self.path)
        return self._connection

    def _after_fork(self) -> None:
        # A child must neither use nor close what its parent opened: SQLite forbids both.
        if self._connection is not None:
            self._left_behind.append(self._connection)
        self._connection = None
        self._begin()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=self.timeout, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Makes the tables of a new file. One process at a time: switching to WAL never waits."""
        with self._lock():
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == VERSION:
                return
            if version or db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise OtherVersion(f"the broker's file has version {version}")
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")

    def _set_aside_if_damaged(self) -> None:
        with self._lock():
            if not _is_damaged(self.path):
                return  # or another process has mended it in this moment
            aside = _beside(self.path, ".broken")
            for end in ("-wal", "-shm"):
                _beside(self.path, end).unlink(missing_ok=True)
            self.path.replace(aside)
            log.error(
                "The broker's file was damaged and is set aside as %s. No mail is lost by it: "
                "the sweep finds what it announced.",
                aside,
            )

    def _lock(self) -> FileLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(_beside(self.path, "-lock"), self.timeout)

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _inode(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


def _is_damaged(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=1.0)) as db:
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                return False  # new and empty
            db.execute(_CHECK)
            sound = db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
        except sqlite3.OperationalError as fault:
            return (fault.sqlite_errorcode & 0xFF) in _SUSPICIOUS
        except sqlite3.DatabaseError:
            return True
        return not (sound and version == VERSION)
