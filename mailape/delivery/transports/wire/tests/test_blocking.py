"""The face for a caller without a loop: its own thread, lots, and leaving early."""

from __future__ import annotations

import gc
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from mailape.delivery.transports.base import Fate, Mail, NoWitness, Outcome
from mailape.delivery.transports.wire import Server, WireTransport
from mailape.delivery.transports.wire.blocking import LoopThread
from mailape.delivery.transports.wire.tests.scripted import ScriptedServer
from mailape.delivery.transports.wire.tests.simulated import Does, by_recipient, letters
from mailape.delivery.transports.wire.tests.test_pool import SOON

Serve = Callable[..., tuple[ScriptedServer, WireTransport]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server and a transport to it: `serve(connections=2, answer_delay=0.1)`."""
    thread = LoopThread.current()
    servers: list[ScriptedServer] = []
    transports: list[WireTransport] = []

    def make(connections: int = 4, **options: Any) -> tuple[ScriptedServer, WireTransport]:
        server = thread.call(ScriptedServer(**options).__aenter__())
        servers.append(server)
        target = Server("127.0.0.1", server.port, helo="test.example")
        transports.append(WireTransport(target, 1, connections, limits=SOON))
        return server, transports[-1]

    yield make
    for transport in transports:
        transport.close()
    for server in servers:
        thread.call(server.__aexit__(None, None, None))


def outcomes(transport: WireTransport, mails: Any) -> list[Outcome]:
    return [outcome for outcome in transport.send(mails) if outcome is not None]


def test_each_mail_gets_one_outcome(serve: Serve) -> None:
    server, transport = serve()
    found = outcomes(transport, letters(3000))
    assert sorted(one.delivery_id for one in found) == list(range(1, 3001))
    assert {one.fate for one in found} == {Fate.SENT}
    assert len(set(server.recipients)) == len(server.recipients) == 3000


def test_no_mail_is_no_work(serve: Serve) -> None:
    server, transport = serve()
    assert list(transport.send([])) == []
    assert server.connections == 0


def test_a_single_mail_waits_for_nothing(serve: Serve) -> None:
    _, transport = serve()
    outcomes(transport, letters(1))
    began = time.monotonic()
    for _ in range(20):
        outcomes(transport, letters(1))
    assert time.monotonic() - began < 1


def test_the_mails_are_advanced_in_the_callers_thread(serve: Serve) -> None:
    _, transport = serve()
    threads = set()

    def source() -> Iterator[Mail]:
        for mail in letters(200):
            threads.add(threading.get_ident())
            yield mail

    outcomes(transport, source())
    assert threads == {threading.get_ident()}


def test_few_mails_are_taken_ahead_of_a_slow_server(serve: Serve) -> None:
    _, transport = serve(connections=2, answer_delay=0.2)
    taken = 0
    done = 0
    most = 0

    def source() -> Iterator[Mail]:
        nonlocal taken, most
        for mail in letters(12):
            taken += 1
            most = max(most, taken - done)
            yield mail

    for outcome in transport.send(source()):
        done += outcome is not None
    assert done == 12
    assert most <= 5  # two connections, of which each has one at its end and one behind it


def test_a_caller_who_leaves_early_takes_back_what_has_not_begun(serve: Serve) -> None:
    server, transport = serve(connections=1, answer_delay=0.02)
    for outcome in transport.send(iter(letters(50))):
        if outcome is not None and outcome.delivery_id == 3:
            break
    time.sleep(0.5)
    assert 3 <= len(server.taken) <= 6
    assert {one.fate for one in outcomes(transport, letters(5))} == {Fate.SENT}


def test_after_the_routes_fate_no_more_mails_are_taken(serve: Serve) -> None:
    _, transport = serve(
        connections=1, script=lambda n: by_recipient(MAIL_20=Does(b"550 5.7.1 Not you\r\n"))
    )
    taken: list[int] = []

    def source() -> Iterator[Mail]:
        for mail in letters(5000):
            taken.append(mail.delivery_id)
            yield mail

    found = outcomes(transport, source())
    assert [one.delivery_id for one in found if one.fate is Fate.SENT] == list(range(1, 20))
    assert len(found) == len(taken) < 1000


class Lost(Exception):
    """What a caller's own question may raise."""


def test_what_may_go_raises_is_the_callers(serve: Serve) -> None:
    server, transport = serve()

    def never() -> bool:
        raise Lost

    bad = Mail(5, "a@example.org", "b@example.org", b"x\r\n", may_go=never)
    with pytest.raises(Lost):
        outcomes(transport, [*letters(4), bad, *letters(100)[5:]])
    assert len(server.taken) < 100
    assert {one.fate for one in outcomes(transport, letters(3))} == {Fate.SENT}


class SlowWitness(NoWitness):
    """Notes what it is told, and takes its time."""

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def answered(self, outcome: Outcome) -> None:
        time.sleep(0.02)
        self.heard.append(f"answered {outcome.delivery_id}")

    def told(self) -> None:
        self.heard.append("told")


def test_the_witness_knows_of_an_outcome_before_the_caller_does(serve: Serve) -> None:
    """A journal that is written after the caller has moved on is written too late."""
    _, transport = serve(connections=1)
    heard: list[str] = []
    for outcome in filter(None, transport.send(letters(20), SlowWitness(heard))):
        heard.append(f"came {outcome.delivery_id}")  # noqa: PERF401 - at the time when it comes
    assert len([line for line in heard if line != "told"]) == 40
    for number in range(1, 21):
        answered, came = heard.index(f"answered {number}"), heard.index(f"came {number}")
        assert "told" in heard[answered:came]


@pytest.mark.parametrize("hook", ["answered", "told"])
def test_what_a_witness_cannot_keep_ends_the_sending(serve: Serve, hook: str) -> None:
    def fails(*_: object) -> None:
        raise OSError("no space")

    witness = NoWitness()
    setattr(witness, hook, fails)
    _, transport = serve(connections=1)
    found: list[Outcome] = []
    with pytest.raises(OSError, match="no space"):
        found.extend(filter(None, transport.send(letters(50), witness)))
    assert outcomes(transport, letters(3))


class Unmade(NamedTuple):
    """A letter of which no mail can be made."""

    delivery_id: int

    def made(self) -> Outcome:
        return Outcome(self.delivery_id, Fate.NOT_MADE, text="A merge tag cannot be worked out")


def test_a_letter_without_a_mail_has_an_outcome_and_holds_up_nobody(serve: Serve) -> None:
    server, transport = serve(connections=1)
    found = outcomes(transport, [Unmade(101), *letters(3), Unmade(102)])
    assert {one.delivery_id: one.fate for one in found} == {
        **dict.fromkeys([1, 2, 3], Fate.SENT),
        **dict.fromkeys([101, 102], Fate.NOT_MADE),
    }
    assert len(server.taken) == 3


def test_an_outcome_is_not_lost_by_a_witness_that_fails(serve: Serve) -> None:
    class Fails(NoWitness):
        def answered(self, outcome: Outcome) -> None:
            raise OSError("no space")

    _, transport = serve(connections=1)
    found: dict[int, Fate] = {}

    def send() -> None:
        for one in filter(None, transport.send(letters(5), Fails())):
            found[one.delivery_id] = one.fate

    with pytest.raises(OSError, match="no space"):
        send()
    assert found[1] is Fate.SENT
    assert Fate.SENT not in {found.get(number) for number in range(2, 6)}


def test_several_threads_may_send_at_once(serve: Serve) -> None:
    server, transport = serve(connections=2)
    found: list[list[Outcome]] = []
    threads = [
        threading.Thread(target=lambda: found.append(outcomes(transport, letters(300))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [len(one) for one in found] == [300, 300, 300]
    assert server.most_at_once <= 2
    assert len(server.taken) == 900


def _send_in_child(port: int, result: Any) -> None:
    transport = WireTransport(Server("127.0.0.1", port, helo="test.example"), 1, 2)
    result.put([one.fate.name for one in outcomes(transport, letters(5))])
    transport.close()


def test_a_forked_child_has_a_loop_of_its_own(serve: Serve) -> None:
    server, transport = serve()
    outcomes(transport, letters(3))
    fork = multiprocessing.get_context("fork")
    result = fork.Queue()
    child = fork.Process(target=_send_in_child, args=(server.port, result))
    child.start()
    assert result.get(timeout=10) == ["SENT"] * 5
    child.join(10)
    assert child.exitcode == 0
    assert {one.fate for one in outcomes(transport, letters(3))} == {Fate.SENT}


def test_memory_and_open_files_stay_flat(serve: Serve) -> None:
    from pathlib import Path

    def held() -> tuple[int, int]:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * 4096, len(list(Path("/proc/self/fd").iterdir()))

    server, transport = serve(connections=4)
    body = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 180

    def many(count: int) -> Iterator[Mail]:
        return (Mail(n, "a@example.org", "b@example.org", body + b"\r\n") for n in range(count))

    server.keep = False
    assert len(outcomes(transport, many(1000))) == 1000
    gc.collect()
    memory, files = held()
    assert len(outcomes(transport, many(8000))) == 8000
    gc.collect()
    later, files_later = held()
    # 8,000 of them would be 110 MB; hundreds of tests before it let a process grow a little.
    assert later - memory < 30_000_000
    assert files_later <= files + 8  # both ends of four connections; 8,000 mails came and went
