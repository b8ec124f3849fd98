"""How the parts of the instance are, noted every few seconds by web and beat; incidents come of it.

    web       a web process gives signs of life
    database  it can be written to
    workers   every queue has a worker, and beat is there
    mail      what has been due for five minutes is going out

What lasts a minute is an incident. While the database is away nothing can be noted, and while the
whole instance is down nobody is there to do it: both are seen afterwards, by the time in which
nothing was noted. Who was there all that while could not write; else everything was away.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from mailape.campaigns.models import Kind, Message, Status
from mailape.core import clock, minutes
from mailape.core.models import Incident, PartState
from mailape.delivery import claim, leases
from mailape.delivery.models import State, SubscriberMessage
from mailape.system import processes

PARTS = ("web", "database", "workers", "mail")
EVERY = timedelta(seconds=12)
LONG = timedelta(seconds=60)  # what lasts so long is an incident
STUCK = timedelta(minutes=5)
KEPT = timedelta(days=90)
MOST = 500  # incidents that are kept at most


class Watch:
    """The watch of one process: call `look` as often as you like, it looks every 12 s."""

    def __init__(self) -> None:
        self._began = clock.now()
        self._next = clock.monotonic()

    def look(self) -> None:
        """Notes how things are. Raises DatabaseError."""
        if clock.monotonic() < self._next:
            return
        self._next = clock.monotonic() + EVERY.total_seconds()
        now = clock.now()
        self._gap(now)
        found = processes.look()
        note("web", now, is_well=found.has_web)
        note("workers", now, is_well=found.is_working)
        note("mail", now, is_well=not _is_stuck(now))
        _forget(now)

    def _gap(self, now: datetime) -> None:
        """Was nothing noted for a while? Whoever writes the new time is the one who says so."""
        state = _state("database", now)
        before = state.looked_at
        mine = PartState.objects.filter(name="database", looked_at=before).update(looked_at=now)
        if not mine or now - before < LONG:
            return
        was_there = self._began <= before
        _remember("database" if was_there else "web", before, now)


def note(part: str, now: datetime, *, is_well: bool) -> None:
    """Notes how a part is. Of several processes that see a change, one writes it."""
    state = _state(part, now)
    changed = PartState.objects.filter(name=part, is_well=not is_well)
    if changed.update(is_well=is_well, since=now, looked_at=now):
        if is_well:
            Incident.objects.filter(part=part, ended_at__isnull=True).update(ended_at=now)
        return
    PartState.objects.filter(name=part).update(looked_at=now)
    if not is_well and now - state.since >= LONG:
        _open(part, state.since)


def _state(part: str, now: datetime) -> PartState:
    return PartState.objects.get_or_create(name=part, defaults={"since": now, "looked_at": now})[0]


def _open(part: str, began_at: datetime) -> None:
    try:
        with transaction.atomic():
            Incident.objects.get_or_create(
                part=part, ended_at__isnull=True, defaults={"part": part, "began_at": began_at}
            )
    except IntegrityError:
        pass  # another process has opened it in this moment


def _remember(part: str, began_at: datetime, ended_at: datetime) -> None:
    Incident.objects.create(part=part, began_at=began_at, ended_at=ended_at)


def _is_stuck(now: datetime) -> bool:
    """Whether mail has been due for five minutes, and in as long none went out."""
    if minutes.since(now - STUCK, "sent")["sent"]:
        return False
    long_due = SubscriberMessage.objects.filter(
        priority__in=leases.PRIORITIES, not_before__lte=now - STUCK, attempts=0
    ).exclude(state=State.SENDING)
    if long_due.filter(message__status=Status.SENDING).exists():
        return True
    begun = Message.objects.filter(
        kind=Kind.NEWSLETTER, status=Status.SENDING, started_at__lte=now - STUCK
    )
    return claim.any_batch() and begun.exists()


def _forget(now: datetime) -> None:
    Incident.objects.filter(began_at__lt=now - KEPT, ended_at__isnull=False).delete()
    beyond = Incident.objects.order_by("-began_at").values_list("pk", flat=True)[MOST : MOST + 1]
    if last := next(iter(beyond), None):
        Incident.objects.filter(pk__lte=last, ended_at__isnull=False).delete()
