"""The write lock of SQLite: everybody gets a turn, and it is let go whatever happens."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.db.utils import ConnectionHandler

from benchmarks import sqlite_lock
from mailape.core.filelock import FileLock
from mailape.core.sqlite.lock import WriteLock

# Seconds that a page's write waits at most, whatever else goes on; tests allow five times as much.
GOAL = 0.5
HOLDS_THE_LOCK = """
import sys, time
from mailape.core.sqlite.lock import WriteLock
lock = WriteLock(sys.argv[1], 5)
lock.take()
print("held", flush=True)
time.sleep(60)
"""
Connect = Callable[[], Any]
_numbers = itertools.count()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.sqlite3"


@pytest.fixture
def connect(path: Path, django_db_blocker: Any) -> Iterator[Connect]:
    """Opens connections to one database of the test's own, through our backend."""
    made: list[Any] = []

    def one(timeout: float = 5) -> Any:
        handler = ConnectionHandler(
            {
                "default": {
                    "ENGINE": "mailape.core.sqlite",
                    "NAME": path,
                    "OPTIONS": {"timeout": timeout},
                }
            }
        )
        db = handler["default"]
        db.alias = f"own-{next(_numbers)}"
        db.inc_thread_sharing()
        connections[db.alias] = db  # known by that name in this thread
        made.append(db)
        return db

    with django_db_blocker.unblock():
        with one().cursor() as cursor:
            cursor.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        yield one
        for each in made:
            each.close()


def _add(db: Any, name: str) -> None:
    with db.cursor() as cursor:
        cursor.execute("INSERT INTO thing (name) VALUES (%s)", [name])


def _is_free(path: Path) -> bool:
    lock = FileLock(f"{path}-write", 0)
    free = lock.try_take()
    lock.close()
    return free


def test_the_file_is_in_wal_mode_with_foreign_keys(connect: Connect) -> None:
    with connect().cursor() as cursor:
        told = [
            cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "foreign_keys", "synchronous")
        ]
    assert told == ["wal", 1, 1]


def test_a_write_outside_a_transaction_holds_it_for_its_own_time(
    connect: Connect, path: Path
) -> None:
    db = connect()
    _add(db, "a")
    assert _is_free(path)


def test_reading_does_not_need_it(connect: Connect, path: Path) -> None:
    with FileLock(f"{path}-write", 1), connect().cursor() as cursor:
        assert cursor.execute("SELECT count(*) FROM thing").fetchone() == (0,)


def test_a_transaction_holds_it_from_begin_to_commit(connect: Connect, path: Path) -> None:
    db = connect()
    with _atomic(db):
        assert not _is_free(path)
        with _atomic(db):
            _add(db, "a")
        assert not _is_free(path)
    assert _is_free(path)


def test_a_rollback_lets_it_go(connect: Connect, path: Path) -> None:
    db = connect()
    with _atomic(db):
        _add(db, "a")
        db.set_rollback(True)
    assert _is_free(path)
    assert db.cursor().execute("SELECT count(*) FROM thing").fetchone() == (0,)


def test_a_write_that_fails_lets_it_go(connect: Connect, path: Path) -> None:
    db = connect()
    _add(db, "a")
    with pytest.raises(IntegrityError):
        _add(db, "a")
    assert _is_free(path)
    with pytest.raises(IntegrityError), _atomic(db):
        _add(db, "a")
    assert _is_free(path)


def test_closing_in_the_middle_lets_it_go(connect: Connect, path: Path) -> None:
    db = connect()
    db.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    _add(db, "a")
    assert not _is_free(path)
    db.close()
    assert _is_free(path)


def test_returning_hands_out_all_rows_and_is_committed_then(connect: Connect, path: Path) -> None:
    db = connect()
    with db.cursor() as cursor:
        cursor.execute("INSERT INTO thing (name) VALUES ('a'), ('b'), ('c'), ('d') RETURNING id")
        assert _is_free(path)
        with connect().cursor() as other:
            assert other.execute("SELECT count(*) FROM thing").fetchone() == (4,)
        assert cursor.fetchone() == (1,)
        assert cursor.fetchmany(1) == [(2,)]
        assert next(iter(cursor.cursor)) == (3,)
        assert cursor.fetchall() == [(4,)]
        assert cursor.fetchone() is None
        cursor.execute("SELECT name FROM thing WHERE id = 1")
        assert cursor.fetchall() == [("a",)]


def test_a_killed_process_lets_it_go(connect: Connect, path: Path) -> None:
    command = [sys.executable, "-c", HOLDS_THE_LOCK, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not _is_free(path)
        holder.kill()
        started = time.monotonic()
        _add(connect(), "a")
        assert time.monotonic() - started < 1


def test_who_waits_too_long_is_told_that_the_database_is_locked(
    connect: Connect, path: Path
) -> None:
    db = connect(timeout=0.3)
    with FileLock(f"{path}-write", 1):
        started = time.monotonic()
        with pytest.raises(OperationalError, match="database is locked"):
            _add(db, "a")
        assert time.monotonic() - started < 2
    _add(db, "a")


def test_threads_of_one_process_take_turns(connect: Connect, path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def write(number: int) -> None:
        db = connect()
        for turn in range(20):
            with _atomic(db):
                inside.append(number)
                most.append(len(inside))
                _add(db, f"{number}-{turn}")
                inside.remove(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connect().cursor().execute("SELECT count(*) FROM thing").fetchone() == (100,)
    assert max(most) == 1


def test_who_has_just_finished_stands_behind_who_waits_already(path: Path) -> None:
    for _ in range(5):
        ours, theirs, order = WriteLock(str(path), 5), WriteLock(str(path), 5), []
        ours.take()

        def wait_for_a_turn(lock: WriteLock = theirs, seen: list[str] = order) -> None:
            lock.take()
            seen.append("theirs")
            lock.close()

        thread = threading.Thread(target=wait_for_a_turn)
        thread.start()
        time.sleep(0.1)
        ours.release()
        ours.take()
        order.append("ours")
        ours.close()
        thread.join()
        assert order == ["theirs", "ours"]


def test_one_that_writes_again_and_again_does_not_keep_another_out(
    connect: Connect, path: Path
) -> None:
    stop = threading.Event()

    def never_pauses(number: int) -> None:
        db = connect()
        turn = 0
        while not stop.is_set():
            with _atomic(db):
                for _ in range(20):
                    turn += 1
                    _add(db, f"greedy-{number}-{turn}")

    greedy = [threading.Thread(target=never_pauses, args=(number,)) for number in range(2)]
    for thread in greedy:
        thread.start()
    waits = []
    db = connect()
    for turn in range(40):
        started = time.monotonic()
        _add(db, f"modest-{turn}")
        waits.append(time.monotonic() - started)
    stop.set()
    for thread in greedy:
        thread.join()
    assert max(waits) < GOAL


def test_a_database_in_memory_has_no_lock(django_db_blocker: Any, tmp_path: Path) -> None:
    with django_db_blocker.unblock():
        db = ConnectionHandler({"default": {"ENGINE": "mailape.core.sqlite", "NAME": ":memory:"}})
        db["default"].cursor().execute("CREATE TABLE thing (id INTEGER)")
        assert db["default"].write_lock is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite")
def test_a_transaction_test_leaves_nothing_locked() -> None:
    with transaction.atomic():
        pass
    assert connection.write_lock is None or not connection.write_lock.held


@pytest.mark.once
@pytest.mark.processes
@pytest.mark.slow
def test_eight_processes_at_once_never_see_a_locked_database(tmp_path: Path) -> None:
    found = sqlite_lock.run(tmp_path, seconds=6)
    assert {role: told["errors"] for role, told in found.items()} == dict.fromkeys(found, 0)
    for role, told in found.items():
        assert told["worst"] < 5 * GOAL, (role, told)


def _atomic(db: Any) -> transaction.Atomic:
    return transaction.atomic(using=db.alias)
