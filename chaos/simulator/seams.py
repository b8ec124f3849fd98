"""Where the simulation is put under the code: clock, database, journal's file, threads, network.

Put in once for the whole process; which machine they belong to is set by schedule. Nothing of the
logic is replaced. What asks the world for something gets the simulated world's answer.
"""

from __future__ import annotations

import errno
import os
import queue
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection

from chaos.simulator import faults, people
from chaos.simulator.faults import Rates
from chaos.simulator.machine import Died, Host, Machine, Process
from chaos.simulator.record import Record
from chaos.simulator.server import Servers
from mailape.core import bell, clock, failpoints
from mailape.delivery import (
    build,
    claim,
    journal,
    leases,
    notices,
    outcome,
    pace,
    progress,
    recover,
    send,
    signing,
    tasks,
    transports,
)
from mailape.delivery.leases import Lease
from mailape.delivery.transports.wire import blocking, pool
from mailape.delivery.transports.wire.server import Limits, Server
from mailape.delivery.transports.wire.session import Session

if TYPE_CHECKING:
    from chaos.simulator.schedule import Schedule

BEGIN = datetime(2026, 1, 5, 12, tzinfo=UTC)
LIMITS = Limits(greeting=3.0, command=3.0, data=3.0, block=3.0, content=4.0, idle=5.0)


class World:
    """The simulated world under the code that runs now."""

    schedule: Schedule
    machine: Machine | None = None
    record: Record
    servers: Servers
    rates: Rates
    away_until = -1.0  # the database
    tokens = 0
    tells_statements = False  # for who looks for the cause of a failure
    sessions = 0


WORLD = World()


def enter(schedule: Schedule, rates: Rates) -> None:
    """From now on everything belongs to this schedule."""
    WORLD.schedule, WORLD.rates = schedule, rates
    WORLD.machine, WORLD.record, WORLD.servers = schedule.machine, schedule.record, schedule.servers
    WORLD.away_until, WORLD.tokens, WORLD.sessions = -1.0, 0, 0
    schedule.machine.on_switch = _switch
    recover._seen.clear()


def leave() -> None:
    """Nothing is simulated any more."""
    WORLD.machine = None


def install() -> None:
    """Puts the seams in. To be called once, after Django's set-up."""
    clock.monotonic = _monotonic  # type: ignore[assignment]
    clock.now = _now  # type: ignore[assignment]
    for module in (send, build, notices):
        module.time = _Time()  # type: ignore[attr-defined]
    failpoints.reach = _reach
    bell.ring_now = _ring  # type: ignore[assignment]
    tasks.close_old_connections = lambda: None
    tasks._call_another = lambda: None
    # What the sweep does besides has nothing to do with sending.
    nothing = SimpleNamespace(fold=lambda: None, bells=list, due=_Nothing, to_look_up=_Nothing)
    tasks.builder = _Builder()  # type: ignore[assignment]
    outcome.want = lambda *_: None  # reports are made long after
    tasks.numbers = tasks.outcome = tasks.dkim = tasks.bulk = nothing  # type: ignore[assignment, attr-defined]
    tasks.set_back = SimpleNamespace(look=lambda: None)  # type: ignore[attr-defined, assignment]
    transports.is_full = lambda _: False
    transports.current = lambda **_: _process().transport  # type: ignore[assignment]
    journal.os = _Os()  # type: ignore[attr-defined]
    journal.secrets = SimpleNamespace(token_hex=_token)  # type: ignore[attr-defined]
    journal.folder = lambda: _process().host.folder  # type: ignore[assignment]
    recover._settle_stranger = _watched(recover._settle_stranger)
    _spare_questions()
    blocking.queue = SimpleNamespace(SimpleQueue=_Queue, Empty=queue.Empty)  # type: ignore[attr-defined]
    blocking.LoopThread.current = classmethod(lambda cls: _Thread(_process()))  # type: ignore[assignment, method-assign]
    pool.connect = _connect  # type: ignore[assignment]
    Server.context = lambda self: None  # type: ignore[assignment, method-assign, return-value]
    Session.__hash__ = _in_order  # type: ignore[method-assign, assignment]
    connection.ensure_connection()
    connection.execute_wrappers.append(_execute)
    connection._commit = _commit(connection._commit)  # type: ignore[attr-defined]


def _in_order(session: Any) -> int:
    """Sets of sessions in an order of their own, and not by their place in memory."""
    if "_order" not in session.__dict__:
        WORLD.sessions += 1
        session._order = WORLD.sessions
    return int(session._order)


def _process() -> Process:
    assert WORLD.machine is not None
    assert WORLD.machine.current is not None
    return WORLD.machine.current


def _switch(process: Process) -> None:
    journal._mine = process.mine  # type: ignore[assignment]


# --- the time ------------------------------------------------------------------------------------


def _monotonic() -> float:
    return 1000.0 if WORLD.machine is None else 1000.0 + WORLD.machine.now


def _now() -> datetime:
    machine = WORLD.machine
    if machine is None:
        return BEGIN
    ahead = machine.current.host.ahead if machine.current else 0.0
    return BEGIN + timedelta(seconds=machine.now + ahead)


def latest(hosts: list[Host]) -> datetime:
    """The time by the clock that is farthest ahead."""
    assert WORLD.machine is not None
    ahead = max(host.ahead for host in hosts)
    return BEGIN + timedelta(seconds=WORLD.machine.now + max(ahead, 0.0))


class _Time:
    """In place of the module `time`."""

    def sleep(self, seconds: float) -> None:
        if WORLD.machine is not None and WORLD.machine.in_main:
            WORLD.machine.pause(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


# --- threads and bells ---------------------------------------------------------------------------


class _Queue:
    """Between the wire's thread and the main one."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._process = _process()

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._process.wake_at is not None and not self._process.idle and self._waiting:
            self._process.wake_at = self._process.machine.now

    _waiting = False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        machine = self._process.machine
        until = machine.now + (3600.0 if timeout is None else timeout)
        while not self._items and machine.now < until:
            self._waiting = True
            machine.pause(until - machine.now)
            self._waiting = False
        if not self._items:
            raise queue.Empty
        return self._items.popleft()


class _Thread:
    """In place of `LoopThread`."""

    lives = True

    def __init__(self, process: Process) -> None:
        self.loop = process.loop

    def call(self, work: Any, timeout: float | None = None) -> Any:
        return self.loop.finish(work)


class _Nothing:
    def exists(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class _Builder:
    """The builder, which is real where there is something to build: a message that goes on after a
    pause. Asking costs a schedule dearly, and all has been built."""

    confirmations = welcomes = staticmethod(lambda: 0)
    to_confirm = to_welcome = _Nothing

    def one(self, deadline: float) -> bool:
        return self._is_due() and build.one(deadline)

    def due(self) -> Any:
        return build.due() if self._is_due() else _Nothing()

    def _is_due(self) -> bool:
        return _raw("SELECT 1 FROM campaigns_message WHERE status = 'queued'")


# What must be there at least for a question to find something: (module's function, SQL, its answer
# where nothing is). Most of what a worker asks finds nothing, and asking by Django's models is most
# of a schedule's cost. Each is implied by what the real question asks for.
_LEASED = (
    "SELECT 1 FROM delivery_deliverybatch WHERE NOT done AND lease_until IS NOT NULL"
    " UNION ALL SELECT 1 FROM delivery_subscribermessage WHERE state = 'sending' LIMIT 1"
)
_FREE_BATCH = "SELECT 1 FROM delivery_deliverybatch WHERE NOT done AND lease_until IS NULL LIMIT 1"
_SINGLE = (
    "SELECT 1 FROM delivery_subscribermessage"
    " WHERE not_before IS NOT NULL AND state <> 'sending' LIMIT 1"
)
_ENDED_EARLY = (
    "SELECT 1 FROM campaigns_message"
    " WHERE status IN ('cancelled', 'failed') AND finished_at IS NULL LIMIT 1"
)
_UNFINISHED = (
    "SELECT 1 FROM campaigns_message WHERE kind = 'newsletter' AND status = 'sending' LIMIT 1"
)


def raw(sql: str) -> list[tuple[Any, ...]]:
    """Asked by the schedule itself, past everything."""
    assert isinstance(connection.connection, sqlite3.Connection)
    return connection.connection.execute(sql).fetchall()


def _spare_questions() -> None:
    for module, name, sql, nothing in (
        (claim, "owners", _LEASED, set),
        (claim, "long_over", _LEASED, list),
        (claim, "overdue", _LEASED, bool),
        (claim, "batch", _FREE_BATCH, lambda: None),
        (claim, "any_batch", _FREE_BATCH, bool),
        (claim, "singles", _SINGLE, lambda: None),
        (claim, "anything", _SINGLE, bool),
        (signing, "_keys", "SELECT 1 FROM senders_dkimkey LIMIT 1", dict),
        (pace, "queues_to_hasten", "SELECT 1 FROM delivery_pace LIMIT 1", list),
        (progress, "to_wind_up", _ENDED_EARLY, _Nothing),
        (progress, "to_finish", _UNFINISHED, _Nothing),
    ):
        if hasattr(module, name):
            setattr(module, name, _spared(getattr(module, name), sql, nothing))
    pace.Pacer.look = _unpaced(pace.Pacer.look)  # type: ignore[method-assign]


def _unpaced(real: Callable[[Any], None]) -> Callable[[Any], None]:
    """A look at the limits, where there is any, or something to write of a domain."""

    def look(pacer: Any) -> None:
        if WORLD.machine is None or pacer._told or _raw("SELECT 1 FROM delivery_pace LIMIT 1"):
            real(pacer)

    return look


def _spared(real: Callable[..., Any], sql: str, nothing: Callable[[], Any]) -> Callable[..., Any]:
    def asked(*given: Any) -> Any:
        if WORLD.machine is not None and not _raw(sql):
            return nothing()
        return real(*given)

    return asked


def _raw(sql: str) -> bool:
    assert isinstance(connection.connection, sqlite3.Connection)
    return connection.connection.execute(sql).fetchone() is not None


def _ring(name: str) -> bool:
    machine = WORLD.machine
    if machine is not None and not machine.chance(WORLD.rates.bell):
        machine.ring(name)
    return True


def _reach(name: str) -> None:
    machine = WORLD.machine
    if machine is None or machine.current is None:
        return
    machine.current.check()
    if machine.chance(WORLD.rates.point):
        machine.kill(machine.current, f"at {name}")
        raise Died


# --- the database --------------------------------------------------------------------------------


def _execute(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    machine = WORLD.machine
    process = machine.current if machine else None
    if machine is None or process is None:
        return execute(sql, params, many, context)
    process.check()
    if WORLD.tells_statements:
        machine.say(f"{sql[:150]} {str(params)[:100]}")
    alone = not connection.in_atomic_block
    if alone and machine.in_main:
        slow = machine.chance(WORLD.rates.slow)
        if slow:
            WORLD.record.slow = True
            machine.say("the database is slow")
            if machine.choices.chance(0.5):
                people.act_meanwhile(WORLD.schedule)
        if machine.chance(WORLD.rates.stopped):
            faults.stop_one(WORLD.schedule, process)
        machine.pause(machine.choices.one_of([1.0, 4.0, 7.5]) if slow else 0.002)
    if machine.now < WORLD.away_until or machine.chance(WORLD.rates.statement):
        machine.say(f"the database fails at {sql[:40]!r}")
        WORLD.record.slow = True
        raise OperationalError("the database is away")
    if machine.chance(WORLD.rates.death):
        machine.kill(process, f"before {sql[:40]!r}")
        raise Died
    found = execute(sql, params, many, context)
    if alone and machine.chance(WORLD.rates.commit / 2) and not sql.startswith(("SELECT", "BEGIN")):
        machine.say(f"cut behind {sql[:40]!r}")
        WORLD.record.slow = True
        raise OperationalError("cut behind a statement")
    return found


def _commit(commit: Callable[[], None]) -> Callable[[], None]:
    def simulated() -> None:
        machine = WORLD.machine
        process = machine.current if machine else None
        if machine is None or process is None:
            return commit()
        process.check()
        if machine.chance(WORLD.rates.commit):
            machine.say("cut before COMMIT")
            WORLD.record.slow = True
            raise OperationalError("cut before COMMIT")
        commit()
        if machine.chance(WORLD.rates.commit):
            machine.say("cut behind COMMIT")
            WORLD.record.slow = True
            raise OperationalError("cut behind COMMIT")
        if machine.chance(WORLD.rates.death):
            machine.kill(process, "behind COMMIT")
            raise Died
        return None

    return simulated


# --- the journal's file --------------------------------------------------------------------------


class _Os:
    """In place of the module `os` in the journal."""

    def getpid(self) -> int:
        return _process().number

    def open(self, path: Any, *given: Any, **named: Any) -> int:
        _process().check()
        self._may_be_full()
        return os.open(path, *given, **named)

    def write(self, file: int, data: bytes) -> int:
        """Writes, or dies in the middle, or finds the disk full."""
        process = _process()
        process.check()
        machine = process.machine
        if machine.chance(WORLD.rates.torn):
            os.write(file, data[: machine.choices.below(len(data))])
            machine.kill(process, "in a line of its journal")
            raise Died
        self._may_be_full()
        if machine.chance(WORLD.rates.disk):
            some = machine.choices.below(len(data))
            machine.say(f"the disk takes {some} of {len(data)} octets")
            return os.write(file, data[:some])
        done = os.write(file, data)
        if machine.chance(WORLD.rates.torn):
            machine.kill(process, "behind a line of its journal")
            raise Died
        return done

    def fdatasync(self, file: int) -> None:
        process = _process()
        process.check()
        self._may_be_full()
        process.host.synced[os.readlink(f"/proc/self/fd/{file}")] = os.fstat(file).st_size
        WORLD.record.synced_at[process.number] = process.machine.now

    def ftruncate(self, file: int, length: int) -> None:
        _process().check()
        os.ftruncate(file, length)

    def close(self, file: int) -> None:
        os.close(file)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _may_be_full(self) -> None:
        process = _process()
        if process.machine.now < process.host.full_until:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _token(octets: int = 8) -> str:
    WORLD.tokens += 1
    return f"{WORLD.tokens:0{2 * octets}x}"


def close_files(process: Process) -> None:
    """What the kernel does for a dead process: its journal is closed and its lock free."""
    kept = process.mine.journal
    if kept is not None and kept._file >= 0:
        os.close(kept._file)
        kept._file = -1
        kept._lock.close()
    process.mine.journal = None


# --- the rest ------------------------------------------------------------------------------------


async def _connect(*given: object) -> Any:
    return await WORLD.servers.connect(*given)


def _watched(real: Callable[[Lease], None]) -> Callable[[Lease], None]:
    def settle_stranger(lease: Lease) -> None:
        WORLD.record.strangers.update(lease.open)
        real(lease)

    return settle_stranger


def new_transport(process: Process) -> Any:
    """The real transport, for this process."""
    from chaos.simulator.record import Watched
    from chaos.simulator.server import WINDOW
    from mailape.delivery.transports.wire import WireTransport

    inner = WireTransport(
        Server("mail.example.org", 25), 1, WORLD.rates.connections, limits=LIMITS, window=WINDOW
    )
    return Watched(inner, WORLD.record)


__all__ = ["LIMITS", "WORLD", "close_files", "enter", "install", "leases", "leave", "new_transport"]
