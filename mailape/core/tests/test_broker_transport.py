"""What kombu and Celery need of a broker, on the embedded one."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from kombu import Connection, Consumer, Message

from mailape.core import bell, broker
from mailape.core.broker import depths as broker_depths
from mailape.core.broker.store import Store

Connect = Callable[[], Connection]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder; with 100 % of what URLs dislike #?"
    folder.mkdir()
    return folder / "broker.sqlite3"


@pytest.fixture
def connect(path: Path) -> Iterator[Connect]:
    broker.register()
    made: list[Connection] = []

    def one() -> Connection:
        made.append(Connection(f"mailape+sqlite:///{quote(str(path))}"))
        return made[-1]

    yield one
    for connection in made:
        connection.close()


def _put(connection: Connection, *bodies: object) -> None:
    with connection.SimpleQueue("send") as queue:
        for body in bodies:
            queue.put(body)


def _waiting(path: Path) -> list[tuple[int, int]]:
    store = Store(path)
    found = [(each.waiting, each.taken) for each in store.depths()]
    store.close()
    return found


def test_a_message_goes_from_one_connection_to_another(connect: Connect, path: Path) -> None:
    _put(connect(), {"number": 1})
    with connect().SimpleQueue("send") as queue:
        message = queue.get(timeout=2)
        assert message.payload == {"number": 1}
        assert _waiting(path) == [(0, 1)]
        message.ack()
    assert _waiting(path) == []


def test_what_is_requeued_is_there_for_the_next(connect: Connect) -> None:
    _put(connect(), "a")
    with connect().SimpleQueue("send") as queue:
        queue.get(timeout=2).requeue()
        assert queue.get(timeout=2).payload == "a"


def test_what_is_rejected_is_gone(connect: Connect, path: Path) -> None:
    _put(connect(), "a")
    with connect().SimpleQueue("send") as queue:
        queue.get(timeout=2).reject()
    assert _waiting(path) == []


def test_a_connection_that_closes_gives_back_what_it_had_not_done(
    connect: Connect, path: Path
) -> None:
    _put(connect(), "a", "b")
    consumer = connect()
    with consumer.SimpleQueue("send") as queue:
        queue.get(timeout=2)
    consumer.close()
    assert _waiting(path) == [(2, 0)]


def test_no_more_is_taken_than_the_prefetch_allows(connect: Connect, path: Path) -> None:
    _put(connect(), *range(5))
    consumer, taken = connect(), []
    with Consumer(consumer, queues=[_queue(consumer)], on_message=taken.append) as made:
        made.qos(prefetch_count=2)
        for _ in range(5):
            _drain(consumer)
    assert len(taken) == 2


def test_who_wants_no_acks_leaves_nothing_behind(connect: Connect, path: Path) -> None:
    _put(connect(), "a")
    consumer, taken = connect(), []
    with Consumer(consumer, queues=[_queue(consumer)], on_message=taken.append, no_ack=True):
        _drain(consumer)
    assert len(taken) == 1
    assert _waiting(path) == []


def test_several_queues_are_served_in_turn(connect: Connect) -> None:
    connection, taken = connect(), []
    for name in ("send", "bulk"):
        with connection.SimpleQueue(name) as queue:
            for number in range(3):
                queue.put(f"{name} {number}")

    def take(message: Message) -> None:
        taken.append(message.payload.partition(" ")[0])
        message.ack()

    queues = [_queue(connection, "send"), _queue(connection, "bulk")]
    with Consumer(connection, queues=queues, on_message=take):
        for _ in range(6):
            _drain(connection)
    assert sorted(taken[:2]) == ["bulk", "send"]
    assert len(taken) == 6


def test_a_row_that_is_no_message_is_dropped_and_said(
    connect: Connect, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = ["", "{", "[]", "null", '{"body": 1}', '{"body": "", "headers": {}, "properties": 7}']
    _put(connect(), "good")
    with sqlite3.connect(path) as db:
        for body in bad:
            db.execute("INSERT INTO message (queue, body, put_at) VALUES ('send', ?, 0)", (body,))
        db.execute("UPDATE message SET id = 1000 WHERE id = 1")  # the good one comes last
    with connect().SimpleQueue("send") as queue:
        assert queue.get(timeout=2).payload == "good"
    assert caplog.text.count("dropped") == len(bad)


def test_a_locked_file_pauses_the_worker_and_does_not_end_it(
    connect: Connect, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _put(connect(), "a")
    consumer = connect()
    with consumer.SimpleQueue("send") as queue:
        with sqlite3.connect(path, isolation_level=None) as db:
            db.execute("BEGIN EXCLUSIVE")
            with pytest.raises(queue.Empty):
                queue.get(timeout=1.5)
            db.execute("ROLLBACK")
        assert queue.get(timeout=2).payload == "a"
    assert "cannot be used now" in caplog.text


@pytest.mark.parametrize("requeued", [False, True])
def test_acks_that_cannot_be_written_do_not_make_the_worker_deaf(
    connect: Connect, path: Path, caplog: pytest.LogCaptureFixture, requeued: bool
) -> None:
    """A full disk does that: the messages are done with, and are so in the file once it is well."""
    _put(connect(), *range(2))
    consumer, taken = connect(), []
    with Consumer(consumer, queues=[_queue(consumer)], on_message=taken.append) as made:
        made.qos(prefetch_count=2)
        for _ in range(2):
            _drain(consumer)
        with sqlite3.connect(path, isolation_level=None) as db:
            db.execute("BEGIN IMMEDIATE")
            for message in taken:
                message.requeue() if requeued else message.ack()
            db.execute("ROLLBACK")
        _put(connect(), 2)
        while len(taken) < (5 if requeued else 3):
            _drain(consumer)
            if not taken[-1].acknowledged:
                taken[-1].ack()
    expected = [0, 0, 1, 1, 2] if requeued else [0, 1, 2]
    assert sorted(message.payload for message in taken) == expected
    assert _waiting(path) == []
    assert "cannot be used now" in caplog.text


def test_bells_of_one_kind_join_while_they_wait(settings, connect: Connect, path: Path) -> None:
    settings.EMBEDDED_BROKER = True
    with connect() as connection:
        for _ in range(3):
            _ring(connection, bell.WAKE)
        _ring(connection, bell.SWEEP)
        _ring(connection, bell.SEND)
    store = Store(path)
    assert [(each.queue, each.waiting) for each in store.depths()] == [("send", 1), ("wake", 2)]
    store.close()


def test_depths_name_every_queue(settings, connect: Connect, path: Path) -> None:
    settings.EMBEDDED_BROKER = True
    settings.CELERY_BROKER_URL = f"mailape+sqlite:///{quote(str(path))}"
    _put(connect(), "a")
    found = {each.queue: each.waiting for each in broker_depths.depths()}
    assert found == {"bulk": 0, "send": 1, "wake": 0}


def _ring(connection: Connection, name: str) -> None:
    from celery import current_app

    with connection.Producer() as producer:
        current_app.send_task(
            name, queue=bell.QUEUES[name], producer=producer, headers={bell.BELL_HEADER: name}
        )


def _queue(connection: Connection, name: str = "send") -> object:
    return connection.SimpleQueue(name).queue


def _drain(connection: Connection) -> None:
    with contextlib.suppress(TimeoutError):
        connection.drain_events(timeout=0.2)
