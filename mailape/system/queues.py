"""What waits, and how fast it goes out: bells in the broker, deliveries in the database."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Min, Q, QuerySet, Sum

from mailape.campaigns.models import Status
from mailape.core import clock, minutes
from mailape.core.broker.depths import depths
from mailape.core.broker.store import Waiting
from mailape.delivery import leases
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage

log = logging.getLogger(__name__)

# Single deliveries are counted up to here: a page shall not count a million rows.
MOST = 1_000
HAPPENED = ("sent", "deferred", "failed")
_DONE = ("sent", "deferred", "failed", "skipped", "unknown", "quarantined")


@dataclass(frozen=True)
class Broker:
    """The broker's queues; `fault` names what went wrong where it cannot be reached."""

    queues: list[Waiting]
    fault: str = ""


@dataclass(frozen=True)
class Singles:
    """Single deliveries of one kind: how many (at most `MOST`), and since when the oldest waits."""

    count: int
    oldest: datetime | None

    @property
    def is_more(self) -> bool:
        """Whether there are more than were counted."""
        return self.count >= MOST


@dataclass(frozen=True)
class Deliveries:
    """What is to be sent: in batches that may go, in batches of paused messages, singly."""

    in_batches: int
    batches: int
    paused: int
    due: Singles
    later: Singles


@dataclass(frozen=True)
class Rate:
    """What went out in the last whole minutes, as the workers counted it; late by 4 s at most."""

    minute: dict[str, int]
    hour: dict[str, int]
    per_minute: list[tuple[datetime, int]]
    minute_began_at: datetime
    hour_began_at: datetime


def broker() -> Broker:
    """What waits in the broker. Never raises."""
    try:
        return Broker(depths())
    except Exception as fault:  # of whichever client; its text may hold an address
        log.warning("the broker's queues cannot be read: %s", type(fault).__name__)
        return Broker([], type(fault).__name__)


def deliveries() -> Deliveries:
    """What waits in the database. Three queries, each along an index of what is open."""
    left = F("size") - sum((F(state) for state in _DONE), F("sent") - F("sent"))
    going = Q(message__status__in=[Status.SENDING, Status.QUEUED])
    open_batches = DeliveryBatch.objects.filter(done=False)
    found = open_batches.aggregate(
        in_batches=Sum(left, filter=going),
        batches=Count("pk", filter=going),
        paused=Sum(left, filter=Q(message__status=Status.PAUSED)),
    )
    now = clock.now()
    return Deliveries(
        **{name: number or 0 for name, number in found.items()},
        due=_singles(Q(not_before__lte=now)),
        later=_singles(Q(not_before__gt=now)),
    )


def _singles(when: Q) -> Singles:
    # By priority, because that is how the index of what is due begins.
    rows: QuerySet[SubscriberMessage] = SubscriberMessage.objects.filter(
        when, priority__in=leases.PRIORITIES, state__in=[State.QUEUED, State.DEFERRED]
    )
    some = rows.order_by("-priority", "not_before").values("not_before")[:MOST]
    found = some.aggregate(count=Count("*"), oldest=Min("not_before"))
    return Singles(found["count"], found["oldest"])


def rate() -> Rate:
    """What went out lately. Three queries over at most an hour of minutes."""
    now = clock.now()
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    hour = minute - timedelta(minutes=59)
    return Rate(
        minutes.between(minute, minute + timedelta(minutes=1), *HAPPENED),
        minutes.between(hour, minute + timedelta(minutes=1), *HAPPENED),
        minutes.per_minute("sent", 60),
        minute,
        hour,
    )
