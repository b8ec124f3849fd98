"""Sending on hold: nothing goes out of the whole instance until a person releases it.

A database that was restored from a copy does not know of the mails that went out after the copy was
made, and would send them once more. So it holds itself, unless nothing in it waits to be sent; and
a person can hold it by hand, where it cannot tell: after the copy of a whole disk, say.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from mailape.campaigns.models import Kind, Message, Status
from mailape.core import bell, clock, origin
from mailape.core.models import InstanceSetting, TaskRun
from mailape.delivery import build, leases
from mailape.delivery.models import SubscriberMessage

log = logging.getLogger(__name__)

PAUSED = (
    "Paused when sending was released: who got it after the database was copied is not known here."
)
RESTORED = "The database was restored from a copy."
BY_HAND = "Held by a person."
_NAME = "sending_held"
_MOST = 200  # characters of a reason


@dataclass(frozen=True)
class Hold:
    """Since when nothing is sent, and why; `copied_at` is until when the record goes, if known."""

    since: datetime
    why: str
    copied_at: datetime | None = None


def is_on() -> bool:
    """Whether nothing may be sent now; every task that sends asks this before it claims.

    A database that was restored is noticed here. Raises DatabaseError, OSError, TimeoutError.
    """
    if not origin.is_here():
        _restored()
    return _row().exists()


def now() -> Hold | None:
    """The hold that is on, if one is."""
    kept = _row().values_list("value", flat=True).first()
    return None if kept is None else _read(kept)


def begin(why: str = BY_HAND) -> bool:
    """Holds all sending; what is on the wire goes out. Says whether it was not held before."""
    return _hold(why.strip()[:_MOST] or BY_HAND)


def release(*, pause: bool) -> int | None:
    """Lets everything go on, or with `pause` all but the newsletters that were under way.

    A person decides on each of those, also where one had paused it. Returns how many they are;
    None where nothing was held.
    """
    if not is_on():
        return None
    with transaction.atomic():
        if not _row().select_for_update().exists():
            return None
        paused = 0
        if pause:
            paused = under_way().update(status=Status.PAUSED, reason=PAUSED, updated_at=clock.now())
        _row().delete()
    log.warning("sending is released; %s newsletters paused", paused)
    for name in (bell.WAKE, bell.BUILD, bell.SEND):
        bell.ring(name)
    return paused


def under_way() -> QuerySet[Message]:
    """Newsletters of which mails may have gone out already, and more would."""
    return _sent_off().filter(Q(not_before__isnull=True) | Q(not_before__lte=clock.now()))


def _restored() -> None:
    """The hold first, the new origin then: whoever dies in between leaves it to be found again."""
    if _is_anything_open():
        copied = TaskRun.objects.aggregate(at=Max("began_at"))["at"]
        _hold(RESTORED, copied)
        log.error("%s Nothing is sent until somebody releases it: mailape release", RESTORED)
    else:
        log.warning("%s Nothing in it waits to be sent.", RESTORED)
    origin.settle()


def _hold(why: str, copied_at: datetime | None = None) -> bool:
    value = {
        "since": clock.now().isoformat(),
        "why": why,
        "copied_at": copied_at.isoformat() if copied_at else None,
    }
    return InstanceSetting.objects.get_or_create(name=_NAME, defaults={"value": value})[1]


def _sent_off() -> QuerySet[Message]:
    open_ones = [Status.QUEUED, Status.SENDING, Status.PAUSED]
    return Message.objects.filter(kind=Kind.NEWSLETTER, status__in=open_ones)


def _is_anything_open() -> bool:
    return (
        _sent_off().exists()
        or SubscriberMessage.objects.filter(
            priority__in=leases.PRIORITIES, not_before__isnull=False
        ).exists()
        or build.to_confirm().exists()
        or build.to_welcome().exists()
    )


def _row() -> QuerySet[InstanceSetting]:
    return InstanceSetting.objects.filter(name=_NAME)


def _read(kept: dict[str, Any]) -> Hold:
    copied = kept["copied_at"]
    return Hold(
        datetime.fromisoformat(kept["since"]),
        kept["why"],
        datetime.fromisoformat(copied) if copied else None,
    )
