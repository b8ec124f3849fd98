"""What happens to processes, hosts, lines, clocks and the database; each schedule has its share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.simulator import people
from mailape.delivery import leases

if TYPE_CHECKING:
    from chaos.simulator.machine import Process
    from chaos.simulator.schedule import Schedule


@dataclass
class Rates:
    """How likely things happen wherever they can, and how wide the process's way out is."""

    point: float = 0.0  # a death at a named point
    death: float = 0.0  # at a statement or behind a commit
    torn: float = 0.0  # in or behind a line of the journal
    statement: float = 0.0  # a statement fails
    commit: float = 0.0  # the connection is cut before or behind COMMIT
    slow: float = 0.0  # a statement takes seconds
    stopped: float = 0.0  # the process is stopped at a statement
    disk: float = 0.0  # a write to the journal is cut short
    bell: float = 0.0  # a bell is lost
    connections: int = 2


_SHARES: dict[str, list[float]] = {
    "point": [0, 0, 0.003, 0.02],
    "death": [0, 0, 0, 0.003],
    "torn": [0, 0, 0, 0.02],
    "statement": [0, 0, 0, 0.004],
    "commit": [0, 0, 0, 0.02, 0.1],
    "slow": [0, 0, 0, 0.01],
    "stopped": [0, 0, 0, 0.01],
    "disk": [0, 0, 0, 0.02],
    "bell": [0, 0.3],
}


def shares(schedule: Schedule) -> Rates:
    """This schedule's: most things do not happen in most of them."""
    choices = schedule.choices
    rates = Rates(**{name: choices.one_of(of) for name, of in _SHARES.items()})
    rates.connections = choices.one_of([1, 2, 3])
    return rates


def kill(schedule: Schedule) -> None:
    """kill -9 of one sender."""
    if living := schedule.machine.living:
        schedule.machine.kill(schedule.choices.one_of(living), "kill -9")


def kill_all(schedule: Schedule) -> None:
    """kill -9 of every sender of a host."""
    host = schedule.choices.one_of(schedule.hosts)
    for process in schedule.of(host):
        schedule.machine.kill(process, "kill -9 of all")


def power_cut(schedule: Schedule) -> None:
    """A host loses its power: all of its senders, and what was not on the disk yet."""
    host = schedule.choices.one_of(schedule.hosts)
    schedule.machine.say(f"{host.name} loses its power")
    for process in schedule.machine.processes:
        if process.host is host:  # also of the dead, whose journals nobody has read yet
            schedule.record.power_cut(process)
            schedule.machine.kill(process, "power")
    if not host.folder.exists():
        return
    for path in sorted(host.folder.glob("*.journal")):
        size, safe = path.stat().st_size, host.synced.get(str(path), 0)
        if safe < size:
            os.truncate(path, safe + schedule.choices.below(size - safe + 1))


def lose_host(schedule: Schedule) -> None:
    """A host is gone for good, with the disk that the journals are on."""
    if len(schedule.hosts) < 2 or schedule.hosts[1].lost:
        return
    host = schedule.hosts[1]
    host.lost = True
    schedule.machine.say(f"{host.name} is gone for good")
    for process in schedule.of(host):
        schedule.machine.kill(process, "its host is gone")


def stop(schedule: Schedule) -> None:
    """SIGSTOP of one sender, wherever it is."""
    if living := schedule.machine.living:
        stop_one(schedule, schedule.choices.one_of(living))


def stop_one(schedule: Schedule, process: Process) -> None:
    """SIGSTOP, and SIGCONT after a while that may be longer than any lease."""
    lease = leases.length().total_seconds()
    seconds = schedule.choices.one_of([2.0, lease, 2 * lease + 1, 80.0])
    if len(schedule.hosts) > 1:
        schedule.until = max(schedule.until, schedule.machine.now + seconds + 20)
    process.stopped_until = schedule.machine.now + seconds
    schedule.record.slow = True
    schedule.machine.say(f"{process} is stopped for {seconds} s")
    if schedule.choices.chance(0.5):  # and meanwhile the world goes on
        people.act_meanwhile(schedule)


def cut_lines(schedule: Schedule) -> None:
    """All lines of a process drop."""
    if living := schedule.machine.living:
        for line in sorted(schedule.choices.one_of(living).lines, key=lambda one: one.number):
            line.cut()


def database_away(schedule: Schedule) -> None:
    """The database answers nobody for a while."""
    from chaos.simulator.seams import WORLD

    seconds = schedule.choices.one_of([1.0, 5.0, 20.0, 70.0])
    WORLD.away_until = schedule.machine.now + seconds
    schedule.record.slow = True
    schedule.machine.say(f"the database is away for {seconds} s")


def disk_full(schedule: Schedule) -> None:
    """Nothing can be written to a host's journals for a while."""
    host = schedule.choices.one_of(schedule.hosts)
    seconds = schedule.choices.one_of([1.0, 8.0])
    host.full_until = schedule.machine.now + seconds
    schedule.machine.say(f"the disk of {host.name} is full for {seconds} s")


def clock_jumps(schedule: Schedule) -> None:
    """A host's wall clock is moved."""
    host = schedule.choices.one_of(schedule.hosts)
    host.ahead = schedule.choices.one_of([3600.0, -3600.0, 86400.0, -86400.0, 40.0])
    schedule.machine.say(f"the clock of {host.name} is {host.ahead:+} s off")


def restart(schedule: Schedule) -> None:
    """One more sender; the minder starts again who died."""
    if len(schedule.machine.living) < 4:
        schedule.start(schedule.choices.one_of(schedule.hosts))


KINDS: list[tuple[str, Callable[[Schedule], None]]] = [
    (one.__name__, one)
    for one in (
        restart, kill, kill_all, stop, cut_lines, database_away, disk_full, clock_jumps, power_cut,
        lose_host,
    )
]  # fmt: skip
