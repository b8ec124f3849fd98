"""Claiming: a batch, or a handful of single deliveries, for this process and for a while.

On PostgreSQL a claim locks what it takes and passes over what others have locked (SKIP LOCKED); on
SQLite the transaction is IMMEDIATE and holds the one write lock, so that the same statements are
alone. Every scan is bounded: batches by the index of open ones, singles by the index of what is
due, where a leased one stands at the end of its lease. So a finished row is never read again.

What is leased is never claimed, however long ago its lease ended: its owner may be stopped and go
on, or may have died with mails on the wire. `recover` sets it free, after the owner's journal.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import NamedTuple, TypeVar

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from mailape.campaigns.models import Message, Status
from mailape.core import clock, wholesale
from mailape.delivery import aside, journal, leases, status
from mailape.delivery.leases import DEATHS, BatchLease, Lease, Row, SinglesLease
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage

log = logging.getLogger(__name__)
L = TypeVar("L", bound=Lease)

# How many single deliveries one claim takes.
SINGLES = 50
# And how often it looks, where all that is due turns out to be paused or over.
LOOKS = 20
# What the owner of a lease that was taken over is called, before the name that he had.
_LOST = "lost:"
_QUARANTINE = f"The worker died on it {DEATHS} times"


def batch() -> BatchLease | None:
    """Claims the oldest batch of a message that is being sent; None where there is none."""
    return _announced(_next_batch)


def singles(priority: int) -> SinglesLease | None:
    """Claims what is due singly at this priority, the longest due first; None where nothing is.

    One whose worker died is claimed by itself. The mails of several leases are on the wire at once,
    though: one that a single death more would quarantine is claimed only while this process holds
    nothing else, and `send` takes nothing besides it, so that this death is surely its own.
    """
    return _announced(partial(_next_singles, priority))


def _announced(take: Callable[[], L | None]) -> L | None:
    """What is taken, with a word to the journal before: should the database break off here, nobody
    knows whether a lease is ours, and an owner that lives keeps it for ever."""
    kept = journal.mine()
    kept.taking()
    lease = take()
    if lease is None:
        kept.took_nothing()
    return lease


def _next_batch() -> BatchLease | None:
    while True:
        taken = _take_batch()
        if taken is None:
            return None
        if taken.attempts >= DEATHS:
            with transaction.atomic():
                status.fall_apart(DeliveryBatch.objects.select_for_update().get(pk=taken.pk))
            continue
        lease = BatchLease(
            leases.owner(), 0.0, batch_id=taken.pk, message_id=taken.message_id, fence=taken.fence
        )
        lease.extended()
        lease.open = _waiting_in(taken)
        if lease.open:
            return lease
        # A worker wrote its last states and died before it could say so.
        status.close_empty(lease)


def _next_singles(priority: int) -> SinglesLease | None:
    for _ in range(LOOKS):
        with transaction.atomic():
            due = _due(priority)
            wanted = _wanted(due)
            going = [row for row in wanted if not (_is_last(row) and journal.mine().holds)]
            if going:
                return _lease_singles(going)
            if wanted or not due:
                return None
    return None


def anything(priority: int) -> bool:
    """Whether a claim of singles at this priority would find something."""
    return _due_now(priority).exists()


def any_batch() -> bool:
    """Whether a claim of a batch would find something."""
    return _free_batches().exists()


def overdue(priority: int) -> bool:
    """Whether a lease of this priority's mails has ended without a word of its owner. One that
    lives may hold it and not know it, where the database broke off: its next task sets it free."""
    now = clock.now()
    singles = _leased_singles().filter(priority=priority, not_before__lt=now)
    if priority == leases.NEWSLETTER and _leased_batches().filter(lease_until__lt=now).exists():
        return True
    return singles.exists()


def held() -> int:
    """How many processes hold batches at this moment."""
    return _leased_batches().values("owner").distinct().count()


# --- what recovery asks ---------------------------------------------------------------------------


def owners() -> set[str]:
    """Everybody who holds a lease, living or not."""
    singles_held = _leased_singles().values_list("owner", flat=True)
    return {*_leased_batches().values_list("owner", flat=True).distinct(), *singles_held}


def again(kind: journal.Kind, key: int, fence: int) -> Lease | None:
    """The lease that was taken with this fence, as its owner would hold it now; None if it is over
    or was taken by another since."""
    if kind == "batch":
        batch = _leased_batches().select_related("message").filter(pk=key, fence=fence).first()
        return None if batch is None else _as_lease(batch)
    single = _leased_singles().select_related("message").filter(pk=key, fence=fence).first()
    return None if single is None else _as_lease(single)


class Held(NamedTuple):
    """A lease as it stands in the database, without what it holds."""

    kind: journal.Kind
    key: int
    fence: int
    owner: str
    until: datetime


def long_over(since: datetime) -> list[Held]:
    """The leases that ended before `since`."""
    columns = ("pk", "fence", "owner", "lease_until")
    batches = _leased_batches().filter(lease_until__lt=since).order_by("pk")
    singles = _leased_singles().filter(lease_until__lt=since)
    return [
        *[Held("batch", *found) for found in batches.values_list(*columns)],
        *[Held("single", *found) for found in singles.values_list(*columns)],
    ]


def take_over(held: Held) -> Lease | None:
    """A stranger's lease under a new fence and a new name; None where he renewed it, or it is over.

    Should he come back, or his host read his journal, whatever they write or set free is refused
    from here on. The name is nobody's: should we die, others settle it in their turn.
    """
    of_its_kind = _leased_batches() if held.kind == "batch" else _leased_singles()
    now = of_its_kind.filter(pk=held.key, fence=held.fence, lease_until=held.until)
    if not now.update(fence=F("fence") + 1, owner=f"{_LOST}{held.owner.removeprefix(_LOST)}"):
        return None
    return again(held.kind, held.key, held.fence + 1)


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
    lease.open = _waiting_in(_Taken.of(found))
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


class _Taken(NamedTuple):
    """A batch as its claim returns it."""

    pk: int
    message_id: int
    number: int
    first_id: int
    last_id: int
    fence: int
    attempts: int

    @classmethod
    def of(cls, found: DeliveryBatch) -> _Taken:
        return cls(*[getattr(found, name) for name in cls._fields])


# Written out, because Django takes longer to compose these statements than a database to do them.
_TAKE = (
    "UPDATE delivery_deliverybatch"
    " SET owner = %s, lease_until = %s, not_before = NULL, fence = fence + 1"
    " WHERE id = (SELECT b.id FROM delivery_deliverybatch b"
    " JOIN campaigns_message m ON m.id = b.message_id"
    " WHERE NOT b.done AND b.lease_until IS NULL"
    " AND (b.not_before IS NULL OR b.not_before <= %s) AND m.status = 'sending'"
    " ORDER BY b.id LIMIT 1{lock})"
    " RETURNING id, message_id, number, first_id, last_id, fence, attempts"
)
# The moment as text: whoever reads it does so once for all rows that were made together.
_WAITING = (
    "SELECT d.id, d.message_id, m.kind, d.workspace_id, d.subscriber_id, d.list_id, d.to_address,"
    " COALESCE(d.revision_id, m.revision_id, 0) AS revision_id, d.occasion, d.attempts, 0 AS fence,"
    " CAST(d.created_at AS TEXT) AS created_at, CAST(d.context AS TEXT) AS context"
    " FROM delivery_subscribermessage d JOIN campaigns_message m ON m.id = d.message_id"
    # The sum keeps PostgreSQL from reading the message's whole index for each batch of it.
    " WHERE d.id BETWEEN %s AND %s AND d.message_id + 0 = %s AND d.batch = %s"
    " AND d.state = 'queued' AND d.not_before IS NULL ORDER BY d.id"
)


def _take_batch() -> _Taken | None:
    """One statement: whoever runs it has the batch, or there was none."""
    now, until = map(status.stamp, (clock.now(), clock.now() + leases.length()))
    lock = " FOR UPDATE OF b SKIP LOCKED" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE.format(lock=lock), [leases.owner(), until, now])
        found = cursor.fetchone()
    return found and _Taken(*found)


def _waiting_in(batch: _Taken) -> dict[int, Row]:
    """The batch's rows that its first pass has not reached: a thousand are read at a time."""
    where = [batch.first_id, batch.last_id, batch.message_id, batch.number]
    return {
        found[0]: Row._make((*found[:11], _moment(found[11]), found[12] and json.loads(found[12])))
        for found in wholesale.fetch(_WAITING, Row._fields, where)
    }


@lru_cache(maxsize=64)
def _moment(text: str) -> datetime:
    """A moment that a database wrote as text: without a zone it is UTC."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


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
    for message in {row.message for row in due} - {row.message for row in going}:
        ended = status.ENDED_EARLY.get(Status(message.status))
        if ended is None:
            aside.put(message, due[0].priority)
        else:
            over = [row for row in due if row.message_id == message.pk]
            status.end(over, State.SKIPPED, ended)
    poisoned = [row for row in going if row.deaths >= DEATHS]
    if poisoned:
        log.error("%s deliveries quarantined", len(poisoned))
        status.end(poisoned, State.QUARANTINED, _QUARANTINE)
    return [row for row in going if row not in poisoned]


def _lease_singles(wanted: list[SubscriberMessage]) -> SinglesLease:
    last = [row for row in wanted if _is_last(row)]
    touched = [row for row in wanted if row.deaths]
    taken = last[:1] or touched[:1] or wanted
    lease = SinglesLease(leases.owner(), 0.0, alone=bool(last))
    status.hold(taken, lease)
    lease.extended()
    lease.open = {row.pk: _row(row, row.message, row.fence + 1) for row in taken}
    return lease


def _is_last(row: SubscriberMessage) -> bool:
    return row.deaths >= DEATHS - 1


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
