"""What happened per minute, counted in the process where it happens, for the system page.

A process adds to a counter in its memory, and its sign of life writes that down every few seconds:
no write of its own for each batch of mails. What a process killed with -9 had not written yet is
missing here; the record of each delivery is not made of this.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F, Sum

from mailape.core import clock
from mailape.core.models import MinuteCount

KEPT = timedelta(days=2)
# While the database is away nobody writes them down; the oldest are given up beyond these.
MOST_WAITING = 5_000
_waiting: Counter[tuple[str, int]] = Counter()
_guard = threading.Lock()


def add(happened: Mapping[str, int]) -> None:
    """Counts what happened just now: `{"sent": 120, "failed": 1}`."""
    minute = int(clock.now().timestamp()) // 60 * 60
    with _guard:
        for what, times in happened.items():
            _waiting[what, minute] += times
        while len(_waiting) > MOST_WAITING:
            del _waiting[min(_waiting, key=lambda one: one[1])]


def write() -> None:
    """Writes down what was counted since the last time. Raises DatabaseError and keeps it then."""
    global _waiting
    with _guard:
        taken, _waiting = _waiting, Counter()
    try:
        with transaction.atomic():
            for (what, minute), times in sorted(taken.items()):
                _write_one(what, datetime.fromtimestamp(minute, UTC), times)
    except DatabaseError:
        with _guard:
            _waiting.update(taken)
        raise


def _write_one(what: str, minute: datetime, times: int) -> None:
    row = MinuteCount.objects.filter(what=what, minute=minute)
    if row.update(count=F("count") + times):
        return
    try:
        with transaction.atomic():
            MinuteCount.objects.create(what=what, minute=minute, count=times)
    except IntegrityError:  # another process was first
        row.update(count=F("count") + times)


def since(moment: datetime, *whats: str) -> dict[str, int]:
    """How often each happened from the minute of `moment` on."""
    begin = moment.replace(second=0, microsecond=0)
    return between(begin, clock.now() + timedelta(minutes=1), *whats)


def between(begin: datetime, end: datetime, *whats: str) -> dict[str, int]:
    """How often each happened in the minutes that began at `begin` or later, before `end`."""
    rows = MinuteCount.objects.filter(what__in=whats, minute__gte=begin, minute__lt=end)
    counted = dict(rows.values_list("what").annotate(Sum("count")).order_by())
    return {what: counted.get(what, 0) for what in whats}


def per_minute(what: str, count: int) -> list[tuple[datetime, int]]:
    """The last whole minutes, oldest first, the one under way left out; nothing is a zero."""
    this = clock.now().replace(second=0, microsecond=0)
    begin = this - timedelta(minutes=count)
    rows = MinuteCount.objects.filter(what=what, minute__gte=begin, minute__lt=this)
    found = dict(rows.values_list("minute", "count"))
    steps = (begin + timedelta(minutes=n) for n in range(count))
    return [(minute, found.get(minute, 0)) for minute in steps]


def forget() -> int:
    """Drops what is older than two days; returns how many rows."""
    return MinuteCount.objects.filter(minute__lt=clock.now() - KEPT).delete()[0]
