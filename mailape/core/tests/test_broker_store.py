"""The embedded broker's file: nothing is lost, nothing is done by two, nothing grows for ever."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailape.core import clock
from mailape.core.broker.store import Store

TAKES_AND_STAYS = """
import sys, time
from pathlib import Path
from mailape.core.broker.store import Store
store = Store(Path(sys.argv[1]), lease=float(sys.argv[2]))
print(store.take("send").body, flush=True)
sys.stdin.readline()
store.done(1)
print("done", flush=True)
"""
TAKES_ALL = """
import sys
from pathlib import Path
from mailape.core.broker.store import Store
store = Store(Path(sys.argv[1]), timeout=30)
while taken := store.take("send"):
    print(taken.body)
    store.done(taken.id)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    made = Store(path)
    yield made
    made.close()


@pytest.fixture
def other(path: Path) -> Iterator[Store]:
    made = Store(path)
    yield made
    made.close()


def _start(code: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _take_within(store: Store, seconds: float) -> str | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if taken := store.take("send"):
            return taken.body
        time.sleep(0.02)
    return None


def test_messages_come_in_the_order_they_were_put(store: Store) -> None:
    for number in range(3):
        store.put("send", str(number), None, None)
    assert [taken.body for _ in range(3) if (taken := store.take("send"))] == ["0", "1", "2"]


def test_each_queue_is_its_own(store: Store) -> None:
    store.put("send", "a", None, None)
    assert store.take("bulk") is None
    assert store.take("send") is not None


def test_what_one_holds_another_cannot_take(store: Store, other: Store) -> None:
    store.put("send", "a", None, None)
    assert store.take("send") is not None
    assert other.take("send") is None


def test_what_is_done_is_gone(store: Store) -> None:
    store.put("send", "a", None, None)
    taken = store.take("send")
    assert taken is not None
    store.done(taken.id)
    assert store.depths() == []


def test_what_is_given_back_is_free_at_once(store: Store, other: Store) -> None:
    store.put("send", "a", None, None)
    taken = store.take("send")
    assert taken is not None
    store.give_back([taken.id])
    assert other.take("send") == taken


def test_a_lease_that_nobody_renews_ends(path: Path, other: Store) -> None:
    store = Store(path, lease=0.2)
    store.put("send", "a", None, None)
    store.take("send")
    store.close()  # ends the renewing, and does not give back
    assert other.take("send") is None
    assert _take_within(other, 2) == "a"


def test_a_lease_is_renewed_while_its_holder_works(path: Path, other: Store) -> None:
    store = Store(path, lease=0.3)
    store.put("send", "a", None, None)
    store.take("send")
    assert _take_within(other, 1.2) is None
    store.close()


def test_what_a_killed_process_held_comes_back_long_before_its_lease_ends(
    path: Path, store: Store
) -> None:
    store.put("send", "a", None, None)
    with _start(TAKES_AND_STAYS, path, 600) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "a\n"
        assert _take_within(store, 1.5) is None
        holder.kill()
        assert _take_within(store, 3) == "a"


def test_a_holder_that_was_frozen_beyond_its_lease_cannot_end_what_another_holds(
    path: Path, store: Store
) -> None:
    store.put("send", "a", None, None)
    with _start(TAKES_AND_STAYS, path, 0.3) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "a\n"
        holder.send_signal(signal.SIGSTOP)
        assert _take_within(store, 3) == "a"
        holder.send_signal(signal.SIGCONT)
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "done\n"
    assert [each.taken for each in store.depths()] == [1]


def test_two_processes_do_each_message_once(path: Path, store: Store) -> None:
    for number in range(400):
        store.put("send", str(number), None, None)
    with _start(TAKES_ALL, path) as one, _start(TAKES_ALL, path) as two:
        done = [line for child in (one, two) for line in child.communicate()[0].split()]
    assert sorted(map(int, done)) == list(range(400))
    assert store.depths() == []


def test_many_threads_put_and_nothing_is_lost(path: Path, store: Store) -> None:
    def put_fifty(number: int) -> None:
        own = Store(path) if number % 2 else store
        for turn in range(50):
            own.put("send", f"{number}-{turn}", None, None)

    threads = [threading.Thread(target=put_fifty, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.waiting for each in store.depths()] == [400]


def test_a_child_that_was_forked_has_a_line_of_its_own(store: Store) -> None:
    store.put("send", "parent", None, None)
    child = os.fork()
    if not child:
        store.put("send", "child", None, None)
        os._exit(0 if store.take("send") else 1)
    assert os.waitpid(child, 0)[1] == 0
    # What the child held when it ended is free again; both are there.
    assert {_take_within(store, 3), _take_within(store, 3)} == {"parent", "child"}


def test_a_bell_that_waits_is_not_rung_twice(store: Store) -> None:
    store.put("wake", "first", "delivery.wake", None)
    store.put("wake", "second", "delivery.wake", None)
    store.put("wake", "other", "delivery.sweep", None)
    assert [each.waiting for each in store.depths()] == [2]


def test_a_bell_rings_again_while_someone_holds_the_one_before(store: Store) -> None:
    store.put("wake", "first", "delivery.wake", None)
    first = store.take("wake")
    assert first is not None
    store.put("wake", "second", "delivery.wake", None)
    second = store.take("wake")
    assert second is not None
    assert second.body == "second"


def test_a_bell_given_back_joins_the_one_that_was_rung_meanwhile(store: Store) -> None:
    store.put("wake", "first", "delivery.wake", None)
    first = store.take("wake")
    assert first is not None
    store.put("wake", "second", "delivery.wake", None)
    store.give_back([first.id])
    assert [(each.waiting, each.taken) for each in store.depths()] == [(1, 0)]


def test_what_has_expired_is_dropped(store: Store) -> None:
    store.put("send", "old", None, clock.now().timestamp() + 60)
    with clock.moved(timedelta(seconds=61)):
        assert store.take("send") is None
        assert store.depths() == []


def test_a_moved_clock_ends_no_lease(store: Store, other: Store) -> None:
    store.put("send", "a", None, None)
    store.take("send")
    with clock.moved(timedelta(days=1)):
        assert _take_within(other, 1.2) is None


def test_what_a_process_of_another_boot_held_is_free(path: Path, store: Store) -> None:
    store.put("send", "a", None, None)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE message SET holder = 'host/other-boot/1/2/3#1', lease_until = 1e12")
    assert _take_within(store, 2) == "a"


def test_depths_tell_number_and_age(store: Store) -> None:
    store.put("send", "a", None, None)
    store.put("send", "b", None, None)
    store.take("send")
    with clock.moved(timedelta(seconds=90)):
        (found,) = store.depths()
    assert (found.queue, found.waiting, found.taken) == ("send", 1, 1)
    assert found.oldest is not None
    assert 89 < found.oldest < 95


def test_a_damaged_file_is_set_aside_and_work_goes_on(
    path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"this is no database" * 1000)
    store.put("send", "a", None, None)
    assert store.take("send") is not None
    assert path.with_name("broker.sqlite3.broken").read_bytes().startswith(b"this is no database")
    assert "damaged" in caplog.text


def test_a_file_damaged_under_an_open_connection_is_set_aside(path: Path, store: Store) -> None:
    for number in range(300):
        store.put("send", str(number) * 100, None, None)
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    assert store.take("send") is None
    store.put("send", "a", None, None)
    assert _take_within(store, 1) == "a"


def test_a_file_of_another_version_is_set_aside(path: Path, store: Store) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE message (id INTEGER PRIMARY KEY)")
        db.execute("PRAGMA user_version = 99")
    store.put("send", "a", None, None)
    assert store.take("send") is not None


def test_a_file_whose_tables_vanished_is_set_aside(path: Path, store: Store) -> None:
    store.put("send", "a", None, None)
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE message")
    store.put("send", "b", None, None)
    assert _take_within(store, 1) == "b"


def test_a_worker_notices_that_the_file_was_taken_away(path: Path, store: Store) -> None:
    store.put("send", "a", None, None)
    for name in path.parent.glob("broker.sqlite3*"):
        name.unlink()
    other = Store(path)
    other.put("send", "b", None, None)
    other.close()
    assert _take_within(store, 1) == "b"


def test_a_file_that_is_locked_for_long_is_an_error_after_its_time(path: Path) -> None:
    store = Store(path, timeout=0.3)
    store.put("send", "a", None, None)
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.put("send", "b", None, None)
        assert time.monotonic() - started < 2
        db.execute("ROLLBACK")
    store.put("send", "b", None, None)
    store.close()
