"""Claiming: a batch, or a handful of single deliveries, for this process and for a while.

On PostgreSQL a claim locks what it takes and passes over what others have locked (SKIP LOCKED); on
SQLite the transaction is IMMEDIATE and holds the one write lock, so that the same statements are
alone. Every scan is bounded: batches by the index of open ones, singles by the index of what is
due, where a leased one stands at the end of its lease. So a finished row is never read again.

What is leased is never claimed, however long ago its lease ended: its owner may be stopped and go
on, or may have died with mails on the wire. `recover` sets it free, after the owner's journal.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.delivery import leases, status
from mailape.delivery.leases import DEATHS, BatchLease, Lease, Row, SinglesLease
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage

log = logging.getLogger(__name__)

# How many single deliveries one claim takes.
SINGLES = 50
# A single delivery of a paused message is looked at again after this while.
PAUSE_LOOK = timedelta(seconds=30)
_OVER = {Status.CANCELLED: "cancelled", Status.FAILED: "the message failed"}
_QUARANTINE = f"The worker died on it {DEATHS} times"


def batch() -> BatchLease | None:
    """Claims the oldest batch of a message that is being sent; None where there is none."""
    while True:
        with transaction.atomic():
            found = _next_batch()
            if found is None:
                return None
            if found.attempts >= DEATHS:
                status.fall_apart(found)
                continue
            lease = _lease_batch(found)
        for row in _rows(status.waiting(found), found.message):
            lease.open[row.id] = row
        if lease.open:
            return lease
        # A worker wrote its last states and died before it could say so.
        status.close_empty(lease)


def singles(priority: int) -> SinglesLease | None:
    """Claims what is due singly at this priority, the longest due first; None where nothing is.

    One whose worker died is claimed alone, so that the next death is surely its own.
    """
    while True:
        with transaction.atomic():
            due = _due(priority)
            if not due:
                return None
            wanted = _wanted(due)
            if wanted:
                return _lease_singles(wanted)


def anything(priority: int) -> bool:
    """Whether a claim of singles at this priority would find something."""
    return _due_now(priority).exists()


def any_batch() -> bool:
    """Whether a claim of a batch would find something."""
    return _free_batches().exists()


def held() -> int:
    """How many processes hold batches at this moment."""
    return _leased_batches().values("owner").distinct().count()


# --- what recovery asks ---------------------------------------------------------------------------


def owners() -> set[str]:
    """Everybody who holds a lease, living or not."""
    singles_held = _leased_singles().values_list("owner", flat=True)
    return {*_leased_batches().values_list("owner", flat=True).distinct(), *singles_held}


def again(kind: str, key: int, fence: int) -> Lease | None:
    """The lease that was taken with this fence, as its owner would hold it now; None if it is over
    or was taken by another since."""
    if kind == "batch":
        batch = _leased_batches().select_related("message").filter(pk=key, fence=fence).first()
        return None if batch is None else _as_lease(batch)
    single = _leased_singles().select_related("message").filter(pk=key, fence=fence).first()
    return None if single is None else _as_lease(single)


def long_over(since: datetime) -> Iterator[Lease]:
    """The leases that ended before `since`."""
    batches = _leased_batches().select_related("message").filter(lease_until__lt=since)
    for batch in batches.order_by("pk"):
        yield _as_lease(batch)
    for single in _leased_singles().select_related("message").filter(lease_until__lt=since):
        yield _as_lease(single)


def _leased_batches() -> QuerySet[DeliveryBatch]:
    return DeliveryBatch.objects.filter(done=False, lease_until__isnull=False)


def _leased_singles() -> QuerySet[SubscriberMessage]:
    return SubscriberMessage.objects.filter(not_before__isnull=False, state=State.SENDING)


def _as_lease(found: DeliveryBatch | SubscriberMessage) -> Lease:
    if isinstance(found, SubscriberMessage):
        return SinglesLease(found.owner, 0.0, {found.pk: _row(found, found.message, found.fence)})
    lease = BatchLease(
        found.owner, 0.0, batch_id=found.pk, message_id=found.message_id, fence=found.fence
    )
    lease.open = {row.id: row for row in _rows(status.waiting(found), found.message)}
    return lease


# --- batches -------------------------------------------------------------------------------------


def _free_batches() -> QuerySet[DeliveryBatch]:
    now = clock.now()
    return DeliveryBatch.objects.filter(
        Q(not_before__isnull=True) | Q(not_before__lte=now),
        lease_until__isnull=True,
        done=False,
        message__status=Status.SENDING,
    )


def _next_batch() -> DeliveryBatch | None:
    locked = _free_batches().select_for_update(skip_locked=True, of=("self",))
    return locked.select_related("message").order_by("pk").first()


def _lease_batch(found: DeliveryBatch) -> BatchLease:
    DeliveryBatch.objects.filter(pk=found.pk).update(
        owner=leases.owner(),
        lease_until=clock.now() + leases.length(),
        not_before=None,
        fence=F("fence") + 1,
    )
    lease = BatchLease(
        leases.owner(), 0.0, batch_id=found.pk, message_id=found.message_id, fence=found.fence + 1
    )
    lease.extended()
    return lease


# --- singles -------------------------------------------------------------------------------------


def _due_now(priority: int) -> QuerySet[SubscriberMessage]:
    # What has ended has no not_before; what is leased has the end of its lease there.
    return SubscriberMessage.objects.filter(priority=priority, not_before__lte=clock.now()).exclude(
        state=State.SENDING
    )


def _due(priority: int) -> list[SubscriberMessage]:
    locked = _due_now(priority).select_for_update(skip_locked=True, of=("self",))
    return list(locked.select_related("message").order_by("not_before", "pk")[:SINGLES])


def _wanted(due: list[SubscriberMessage]) -> list[SubscriberMessage]:
    """What is to be sent of what is due; the rest is put where it belongs."""
    going = [row for row in due if row.message.status == Status.SENDING]
    over = [row for row in due if row.message.status in _OVER]
    for row in over:
        status.end([row], State.SKIPPED, _OVER[Status(row.message.status)])
    paused = [row for row in due if row not in going and row not in over]
    status.set_aside(paused, clock.now() + PAUSE_LOOK)
    poisoned = [row for row in going if row.deaths >= DEATHS]
    if poisoned:
        log.error("%s deliveries quarantined", len(poisoned))
        status.end(poisoned, State.QUARANTINED, _QUARANTINE)
    return [row for row in going if row not in poisoned]


def _lease_singles(wanted: list[SubscriberMessage]) -> SinglesLease:
    touched = [row for row in wanted if row.deaths]
    taken = touched[:1] or wanted
    lease = SinglesLease(leases.owner(), 0.0)
    status.hold(taken, lease)
    lease.extended()
    lease.open = {row.pk: _row(row, row.message, row.fence + 1) for row in taken}
    return lease


_FIELDS = (
    "pk", "workspace_id", "subscriber_id", "list_id", "to_address", "revision_id", "occasion",
    "attempts", "created_at", "context",
)  # fmt: skip


def _rows(found: QuerySet[SubscriberMessage], message: Message) -> Iterable[Row]:
    """A batch's rows, without the model's weight: 500 of them are read at a time."""
    own = message.revision_id or 0
    for (
        pk,
        workspace,
        subscriber,
        on,
        to,
        revision,
        occasion,
        attempts,
        made,
        context,
    ) in found.order_by("pk").values_list(*_FIELDS):
        yield Row(
            pk, message.pk, message.kind, workspace, subscriber, on, to, revision or own,
            occasion, attempts, 0, made, context,
        )  # fmt: skip


def _row(row: SubscriberMessage, message: Message, fence: int) -> Row:
    return Row(
        id=row.pk,
        message_id=row.message_id,
        kind=message.kind,
        workspace_id=row.workspace_id,
        subscriber_id=row.subscriber_id,
        list_id=row.list_id,
        to_address=row.to_address,
        revision_id=row.revision_id or message.revision_id or 0,
        occasion=row.occasion,
        attempts=row.attempts,
        fence=fence,
        created_at=row.created_at,
        context=row.context,
    )
