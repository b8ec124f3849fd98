"""The tasks: bells that say "look now". What there is to do stands in the database.

| task | queue | what |
|---|---|---|
| delivery.wake | wake | makes mails of lists out of facts, sends machine mail |
| delivery.build | bulk | compiles and builds newsletters, winds up what ended early |
| delivery.send | send | sends batches, and single newsletters that are due |
| delivery.sweep | wake | every 5 s: rings for work that no bell announced, folds lists' numbers |
| delivery.report | bulk | adds up what became of a message, for its page |
| delivery.housekeeping | bulk | every hour |

A task works for a few seconds and rings itself again while there is more, so that a worker can be
stopped, and none waits behind a long one. No task retries itself: what failed is put off by a
column, and the sweep rings again. Of wake and build results are kept, of the others only errors.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from celery import shared_task
from django.db import close_old_connections

from mailape.core import bell, clock, origin, signs
from mailape.delivery import build as builder
from mailape.delivery import (
    claim,
    hold,
    housekeeping,
    journal,
    leases,
    outcome,
    pace,
    progress,
    recover,
    set_back,
    status,
    transports,
)
from mailape.delivery import send as sender
from mailape.delivery.journal import JournalBroken
from mailape.delivery.leases import Lease, SinglesLease
from mailape.lists import bulk, numbers
from mailape.senders import dkim

log = logging.getLogger(__name__)

WORK = 5.0  # seconds that one task works, apart from what is under way then
BUILD = 20.0
HASTENED = 2_000  # mails at one sweep
PASS_ON = 0.1  # seconds: until then who has just ended waits for a bell again


@shared_task(name=bell.WAKE)
def wake() -> dict[str, int]:
    """Makes the mails of lists that were asked for and sends the machine mail that is due."""
    close_old_connections()
    _tidy_up()
    if hold.is_on():
        return {"made": 0, "tried": 0}
    deadline = clock.monotonic() + WORK
    transport = transports.current(machine=True)
    made = tried = 0

    def claims() -> Iterator[Lease | None]:
        nonlocal made, tried
        while clock.monotonic() < deadline:
            made += (new := _make())
            lease = claim.singles(leases.MACHINE)
            if lease is not None:
                tried += len(lease.open)
                yield lease
            elif not new:
                yield None

    if transports.is_full(transport):
        new = _make()
        if claim.anything(leases.MACHINE):
            _pass_on(bell.WAKE)
        return {"made": new, "tried": 0}
    works = sender.run(claims(), transport, deadline, machine=True)
    if tried:
        _turn()
    # Where nothing was made of what is to be made, nothing can be: the sweep asks again, in peace.
    if works and (claim.anything(leases.MACHINE) or (made and _to_make())):
        bell.ring(bell.WAKE)
    return {"made": made, "tried": tried}


def _make() -> int:
    return builder.confirmations() + builder.welcomes()


def _to_make() -> bool:
    return builder.to_confirm().exists() or builder.to_welcome().exists()


def _tidy_up() -> None:
    """Settles what this process could not write at its last task, because the database was away."""
    if not journal.mine().is_clear:
        recover.own()


def _begin() -> None:
    """How a task that does not send begins. Such a one may be all that this process hears for long,
    and nobody else settles what an owner that lives holds."""
    close_old_connections()
    with suppress(JournalBroken):  # the task does its work all the same
        _tidy_up()


def _turn() -> None:
    """Mails are out: whoever restores a copy that was made before shall be stopped."""
    try:
        origin.turn()
    except (OSError, TimeoutError) as fault:  # they are sent and recorded all the same
        log.warning("the file beside the database cannot be written: %s", fault)


@shared_task(name=bell.BUILD)
def build() -> dict[str, int]:
    """Compiles and builds newsletters that were sent off, winds up those that ended early."""
    _begin()
    held = hold.is_on()
    deadline = clock.monotonic() + (0 if held else BUILD)
    built = sum(1 for _ in iter(lambda: _build_one(deadline), False))
    wound_up = sum(progress.wind_up(message) for message in progress.to_wind_up())
    finished = sum(progress.finish(message.pk) for message in progress.to_finish())
    if not held and builder.due().exists():
        bell.ring(bell.BUILD)
    return {"built": built, "wound_up": wound_up, "finished": finished}


def _build_one(deadline: float) -> bool:
    return clock.monotonic() < deadline and builder.one(deadline)


@shared_task(name=bell.SEND, ignore_result=True)
def send() -> None:
    """Sends batches and single newsletters, a lease of the one after a lease of the other."""
    close_old_connections()
    _tidy_up()
    if hold.is_on():
        return
    deadline = clock.monotonic() + WORK
    transport = transports.current()
    if transports.is_full(transport):
        if not claim.held() and _more_to_send():  # who sends rings by itself
            _pass_on(bell.SEND)
        return
    works = sender.run(_newsletters(deadline), transport, deadline)
    _turn()
    if works and _more_to_send():
        bell.ring(bell.SEND)


def _pass_on(name: str) -> None:
    """Rings once more: who has all the connections may be idle, and did not hear this bell.

    The sweep's own would not do: who runs it is the next to wait longest, and hears the next sweep,
    while the one without connections hears what it rings, for as long as the other's share lasts.
    """
    time.sleep(PASS_ON)
    bell.ring(name)


def _newsletters(deadline: float) -> Iterator[Lease | None]:
    """Leases of newsletters: what is due singly and batches, in turn.

    Two questions cost as much as ten mails each and are asked once a second only: whether another
    worker could help, and, as long as the answer is no, whether anything is due singly.
    """
    ask, call = _Seldom(), _Seldom()

    def singles() -> SinglesLease | None:
        found = claim.singles(leases.NEWSLETTER) if ask.is_due() else None
        if found is not None:
            ask.soon()
        return found

    turns: Iterator[Callable[[], Lease | None]] = itertools.cycle((singles, claim.batch))
    idle = 0
    while clock.monotonic() < deadline:
        lease = next(turns)()
        idle = 0 if lease is not None else idle + 1
        if idle >= 2:
            idle = 0
            yield None
            ask.soon()  # who comes back has mails that wait for their moment
        if lease is not None:
            if call.is_due():
                _call_another()
            yield lease


class _Seldom:
    """Something to be done at once, and then not again before a second has passed."""

    def __init__(self) -> None:
        self._next = 0.0

    def is_due(self) -> bool:
        """Whether it is to be done now; who asks does it."""
        now = clock.monotonic()
        due = now >= self._next
        if due:
            self._next = now + 1.0
        return due

    def soon(self) -> None:
        """It is to be done at the next opportunity."""
        self._next = 0.0


def _more_to_send() -> bool:
    return claim.any_batch() or claim.anything(leases.NEWSLETTER)


def _call_another() -> None:
    """Rings for a worker that has nothing to do, if there is one and there is work for it."""
    serving = sum("send" in one.queues.split(",") for one in signs.alive("worker"))
    if claim.held() < serving and claim.any_batch():
        bell.ring(bell.SEND)


@shared_task(name=bell.SWEEP, ignore_result=True)
def sweep() -> None:
    """Rings for all work that is there, announced or not; ends the leases of dead workers.

    All mail hangs on it, so what goes wrong in one part keeps back no other: it is raised at the
    end, the first of several.
    """
    _begin()
    parts = _bury_the_dead, set_back.look, _ring_for_work, numbers.fold, _hasten
    faults = [fault for part in parts if (fault := _fault_of(part)) is not None]
    if faults:
        raise faults[0]


def _fault_of(part: Callable[[], object]) -> Exception | None:
    try:
        part()
    except Exception as fault:
        log.warning("the sweep goes on without %s (%s)", part.__name__, type(fault).__name__)
        return fault
    return None


def _bury_the_dead() -> None:
    if recover.look():
        _turn()  # what they sent, nobody has told


def _ring_for_work() -> None:
    if not hold.is_on():
        _ring_for_mails()
    if _to_build():
        bell.ring(bell.BUILD)
    for name in bulk.bells():
        bell.ring(name)
    if outcome.due().exists():
        bell.ring(bell.REPORT)
    if dkim.to_look_up().exists():
        bell.ring(bell.LOOK_UP)


def _ring_for_mails() -> None:
    if claim.anything(leases.MACHINE) or _to_make() or claim.overdue(leases.MACHINE):
        bell.ring(bell.WAKE)
    if _more_to_send() or claim.overdue(leases.NEWSLETTER):
        bell.ring(bell.SEND)


def _hasten() -> None:
    """Queues of domains that are faster now are made due, some thousand mails at a time."""
    for one in pace.queues_to_hasten():
        if status.hasten(one.domain, pace.HELD, HASTENED) < HASTENED:
            pace.hastened(one)


def _to_build() -> bool:
    return builder.due().exists() or progress.to_wind_up().exists() or progress.to_finish().exists()


@shared_task(name=bell.REPORT, ignore_result=True)
def report() -> None:
    """Adds up what became of the messages that are due for it."""
    _begin()
    deadline = clock.monotonic() + WORK
    while clock.monotonic() < deadline and outcome.one():
        pass
    if outcome.due().exists():
        bell.ring(bell.REPORT)


@shared_task(name=bell.HOUSEKEEPING)
def tidy() -> dict[str, object]:
    """Cuts what only grows."""
    _begin()
    return housekeeping.tidy()
