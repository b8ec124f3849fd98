"""One schedule from beginning to end: what is there, what goes wrong, healing, draining, checks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import InterfaceError, OperationalError
from django.db.models import Min

from chaos.simulator import checks, faults, people, seams
from chaos.simulator import stage as stages
from chaos.simulator.choices import Choices
from chaos.simulator.machine import Died, Host, Machine, Process
from chaos.simulator.record import Record
from chaos.simulator.server import OFFERS, Servers
from chaos.simulator.stage import Stage
from mailape.campaigns import dispatch
from mailape.campaigns.models import Message, Status
from mailape.core import bell
from mailape.delivery import journal, recover, send, tasks
from mailape.delivery.journal import JournalBroken
from mailape.delivery.models import OPEN_STATES, DeliveryBatch, SubscriberMessage

SWEEP = 5.0  # seconds between two sweeps, as in production
MINDER = 1.0  # seconds until a dead sender is started again
MOST_ROUNDS = 400  # of draining
_TASKS: dict[str, Callable[[], object]] = {
    bell.WAKE: tasks.wake.run,
    bell.SEND: tasks.send.run,
    bell.BUILD: tasks.build.run,
    bell.SWEEP: tasks.sweep.run,
}
_OPEN = """
    SELECT 1 FROM delivery_subscribermessage WHERE state IN ('queued', 'sending', 'deferred')
    UNION ALL SELECT 1 FROM campaigns_message WHERE kind = 'newsletter' AND finished_at IS NULL
    UNION ALL SELECT 1 FROM delivery_deliverybatch WHERE lease_until IS NOT NULL
    LIMIT 1
"""
_HELD = """
    SELECT id, owner FROM delivery_subscribermessage WHERE owner <> ''
    UNION SELECT d.id, b.owner FROM delivery_subscribermessage d
        JOIN delivery_deliverybatch b ON d.id BETWEEN b.first_id AND b.last_id AND b.owner <> ''
"""
_EXPECTED = (OperationalError, InterfaceError, JournalBroken)


@dataclass
class Verdict:
    """What came of a schedule."""

    seed: int
    wrong: list[str]
    made: list[int]
    trace: list[str]
    counts: dict[str, int] = field(default_factory=dict)


class Schedule:
    """The parts of a schedule, for those who break something in it."""

    def __init__(self, stage: Stage, choices: Choices, folder: Path) -> None:
        self.stage, self.choices, self.folder = stage, choices, folder
        self.machine = Machine(choices, self._programme)
        newsletter = frozenset().union(*stage.deliveries.values())
        self.record = Record(self.machine, newsletter=newsletter)
        self.servers = Servers(self.machine, self.record)
        self.hosts: list[Host] = []
        self.until = 40.0  # seconds in which things go wrong
        self._all_out = False
        self._planned: dict[int, list[Callable[[Schedule], None]]] = {}
        self.machine.on_death += [
            self.record.process_died, self._count_deaths, _drop_lines, seams.close_files,
            self._mind,
        ]  # fmt: skip

    def run(self) -> list[str]:
        """Everything; returns what is wrong."""
        self._set_up()
        for process in range(self.choices.below(2) + 1):
            self.start(self.hosts[process % len(self.hosts)])
        for name in [bell.WAKE] * bool(self._asking) + [bell.SEND]:
            self.machine.ring(name)
        self.machine.after(SWEEP, self._beat)
        self._go_wrong()
        self._heal()
        if not self._drain():
            return [*checks.wrong(self), "I6 it does not come to an end"]
        return checks.wrong(self)

    # --- before ---

    def _set_up(self) -> None:
        choose = self.choices
        self.machine.now = 0.0
        first, second = stages.READERS
        readers = [1 + choose.below(first), choose.below(second + 1)]
        sizes = [1 + choose.below(4) for _ in range(3)]
        self._asking = choose.below(stages.ASKING + 1)
        stages.reset(self.stage, readers, sizes, self._asking)
        for number in range(1 + int(choose.chance(0.15))):
            self.hosts.append(Host(f"host{number}", self.folder / f"host{number}"))
        rates = faults.shares(self)
        self.servers.offer = choose.one_of(OFFERS)
        self.servers.moody = choose.one_of([0.0, 0.0, 0.02, 0.1, 0.3])
        self.servers.refuses = choose.one_of([0.0, 0.0, 0.1, 0.4])
        self.servers.broken = choose.one_of([0.0, 0.0, 0.1])
        self.servers.latency = choose.one_of([0.05, 0.01, 0.2])
        self.machine.shuffled = choose.chance(0.7)
        send.LOOK = choose.one_of([1.0, 1.0, 0.1])  # the shorter, the more of a batch is open
        journal.ROTATE_AT = choose.one_of([16 * 1024 * 1024, 200])
        if choose.chance(0.08):
            victims = [*self.stage.machine[:1], *self.stage.deliveries[self.stage.newsletters[0]]]
            place = choose.one_of(["mail", "before-dot", "after-dot"])
            self.record.poison = (choose.one_of(victims), place)
        seams.enter(self, rates)
        self._planned = self._plan()

    def _plan(self) -> dict[int, list[Callable[[Schedule], None]]]:
        """What happens at which step."""
        planned: dict[int, list[Callable[[Schedule], None]]] = {}
        for _ in range(self.choices.below(5)):
            step = self.choices.below(500)
            _, deed = self.choices.one_of(faults.KINDS)
            planned.setdefault(step, []).append(deed)
        for _ in range(self.choices.below(4)):
            step = self.choices.below(400)
            planned.setdefault(step, []).append(self.choices.one_of(people.DEEDS))
        return planned

    # --- processes ---

    def of(self, host: Host) -> list[Process]:
        """The living senders of a host."""
        return [one for one in self.machine.living if one.host is host]

    def start(self, host: Host) -> Process | None:
        """A sender begins, unless its host is gone."""
        if host.lost:
            return None
        process = self.machine.start(host)
        self.machine.say(f"{process} begins on {host.name}")
        return process

    def _programme(self, process: Process) -> None:
        """What a worker process does: it waits for bells and does what they are for."""
        machine = self.machine
        process.transport = seams.new_transport(process)
        while True:
            if not machine.bells:
                process.idle = True
                machine.pause(None)
                continue
            name = machine.bells.pop(0)
            try:
                if name in _TASKS:
                    _TASKS[name]()
            except Died:
                raise
            except _EXPECTED as fault:
                machine.say(f"{name} ends: {type(fault).__name__} {fault}")

    def _mind(self, process: Process) -> None:
        """The minder starts another in its place."""
        self.machine.after(MINDER, lambda: self._start_again(process.host))

    def _start_again(self, host: Host) -> None:
        if not self.of(host):
            self.start(host)

    def _count_deaths(self, process: Process) -> None:
        """What it held, in the database: each such death may count against it."""
        kept = process.mine.journal
        if kept is None:
            return
        keys = {pk for pk, owner in seams.raw(_HELD) if owner == kept.owner}
        self.record.deaths.update(keys)

    def _beat(self) -> None:
        if self.machine.healing:
            return
        if stages.something_to_do(seams.latest(self.hosts)):
            self.machine.ring(bell.SWEEP)
        elif self._is_over():
            self._all_out = True
        self.machine.after(SWEEP, self._beat)

    # --- the parts ---

    def _go_wrong(self) -> None:
        machine = self.machine
        while machine.steps < 900 and machine.now < self.until and not self._all_out:
            for deed in self._planned.pop(machine.steps, []):
                deed(self)
                machine.bury()
            machine.step()

    def _heal(self) -> None:
        machine = self.machine
        machine.say("everything is healed")
        machine.healing = True
        seams.WORLD.away_until = -1.0
        for host in self.hosts:
            host.full_until, host.ahead = -1.0, 0.0
            if not self.of(host):
                self.start(host)
        for process in machine.living:
            process.stopped_until = min(process.stopped_until, machine.now)

    def _drain(self) -> bool:
        for _ in range(MOST_ROUNDS):
            if self._until_quiet() and self._is_over():
                return True
            self._resume_all()
            self.machine.ring(bell.SWEEP)
            self.machine.ring(bell.BUILD)
            if not self._until_quiet():
                return False
            if self._is_over():
                return True
            self._on_to_what_is_due()
        return False

    def _until_quiet(self) -> bool:
        machine = self.machine
        end = machine.steps + 40_000
        while machine.steps < end:
            if machine.quiet:
                return True
            if not machine.step():
                return True
        return False

    def _resume_all(self) -> None:
        """A person looks after what the engine has paused, once all is well."""
        for message in Message.objects.filter(status=Status.PAUSED):
            dispatch.resume(message)
            for span in self.record.halted.get(message.pk, [])[-1:]:
                span[1] = min(span[1], self.machine.now)

    def _is_over(self) -> bool:
        return not seams.raw(_OPEN)

    def _on_to_what_is_due(self) -> None:
        """Time passes until there is something to do again, and at least until the next sweep."""
        rows = SubscriberMessage.objects.filter(state__in=OPEN_STATES, not_before__isnull=False)
        due = rows.aggregate(at=Min("not_before"))["at"]
        held = DeliveryBatch.objects.filter(lease_until__isnull=False)
        strange = held.aggregate(at=Min("lease_until"))["at"]
        strange = strange + recover.STRANGER if strange else None
        times = [(at - seams.BEGIN).total_seconds() for at in (due, strange) if at]
        now = self.machine.now
        later = [at for at in times if at > now]
        self.machine.now = max(now + SWEEP, min(later, default=now) + 0.01)


def _drop_lines(process: Process) -> None:
    for line in sorted(process.lines, key=lambda one: one.number):
        line.dies()


def run(stage: Stage, seed: int, given: Sequence[int] | None = None) -> Verdict:
    """Runs the schedule of this seed, or the one that these choices make."""
    choices = Choices(seed, given)
    folder = Path(tempfile.mkdtemp(prefix="schedule-", dir=_memory()))
    schedule = Schedule(stage, choices, folder)
    try:
        wrong = schedule.run()
    finally:
        for process in schedule.machine.living:
            schedule.machine.on_death.clear()
            schedule.machine.kill(process, "over")
            seams.close_files(process)
        schedule.machine.bury()
        for process in schedule.machine.processes:
            process.loop.close_tasks()
        seams.leave()
        shutil.rmtree(folder, ignore_errors=True)
    machine, record = schedule.machine, schedule.record
    counts = {
        "steps": machine.steps,
        "mails": len(record.ledger),
        "deaths": sum(not one.alive for one in machine.processes),
        "doubts": sum(one.died for one in record.attempts),
        "seconds": round(machine.now),
    }
    return Verdict(seed, wrong, choices.made, machine.trace, counts)


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
