"""The one module that writes the states of deliveries, and what the engine says of a message.

What belongs to a lease checks its fence first: the results of one write are one transaction, and
a worker whose lease somebody else has taken writes nothing of it (`LeaseLost`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet

from mailape.campaigns.models import Kind, Status
from mailape.core import clock, failpoints, minutes, wholesale
from mailape.delivery import leases, tally
from mailape.delivery.leases import BatchLease, Lease, LeaseLost, Row
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.delivery.retry import Result

# Messages that go on no more, and what is said of their deliveries that were open then.
ENDED_EARLY = {Status.CANCELLED: "cancelled", Status.FAILED: "the message failed"}
ENDED = (State.SENT, State.FAILED, State.SKIPPED, State.UNKNOWN, State.QUARANTINED)
_SENT = State.SENT
_COUNTED = (*ENDED, State.DEFERRED)
_ROWS_AT_ONCE = 1000
_COLUMNS = (
    ("state", "text"), ("reason", "text"), ("attempts", "int"), ("not_before", "timestamptz"),
    ("tried_at", "timestamptz"), ("sent_at", "timestamptz"), ("answer", "text"),
    ("transport_account_id", "bigint"), ("service_id", "text"), ("died", "boolean"),
    ("id", "bigint"),
)  # fmt: skip
_UPDATE_ROWS = (
    "UPDATE delivery_subscribermessage AS d SET state = v.state, reason = v.reason,"
    " attempts = v.attempts, not_before = v.not_before,"
    " tried_at = COALESCE(v.tried_at, d.tried_at), sent_at = v.sent_at, answer = v.answer,"
    " transport_account_id = v.transport_account_id, service_id = v.service_id,"
    " deaths = CASE WHEN v.died THEN d.deaths + 1 ELSE 0 END, owner = '', lease_until = NULL"
    " FROM {table} WHERE d.id = v.id"
)
# What nearly all of a lot are: a third of the time of the statement above, on either database.
_SENT_COLUMNS = ("id", "bigint"), ("at", "timestamptz"), ("answer", "text")
_UPDATE_SENT = (
    "UPDATE delivery_subscribermessage AS d SET state = 'sent', reason = '', attempts = %s,"
    " not_before = NULL, tried_at = v.at, sent_at = v.at, answer = v.answer,"
    " transport_account_id = %s, service_id = '', deaths = 0, owner = '', lease_until = NULL"
    " FROM {table} WHERE d.id = v.id"
)
_DONE = " + ".join(state.value for state in _COUNTED) + " + %s >= size"
_COUNT_BATCH = (
    # No attempts: it got on, so whatever kills a worker here is not the first mail in it.
    "UPDATE delivery_deliverybatch SET attempts = 0, "  # noqa: S608 - our own words
    + ", ".join(f"{state.value} = {state.value} + %s" for state in _COUNTED)
    + f", done = ({_DONE}), owner = CASE WHEN {_DONE} THEN '' ELSE owner END,"
    f" lease_until = CASE WHEN {_DONE} THEN NULL ELSE {{until}} END"
    " WHERE id = %s AND fence = %s AND NOT done"
)
_CHECK_BATCH = "SELECT 1 FROM delivery_deliverybatch WHERE id = %s AND fence = %s AND NOT done"


# --- under a lease -------------------------------------------------------------------------------


def write(lease: Lease, results: Sequence[Result]) -> None:
    """Records outcomes and renews the lease, all in one transaction.

    Raises LeaseLost: for a batch nothing was written; for singles those still held were.
    """
    lost: set[int] = set()
    if isinstance(lease, BatchLease):
        _write_batch(lease, results)
    else:
        lost = _write_singles(lease, results)
    for pk in {result.id for result in results} | lost:
        lease.open.pop(pk, None)
    lease.extended()
    minutes.add(_by_state([result for result in results if result.id not in lost]))
    if lost:
        raise LeaseLost


def renew(lease: Lease) -> None:
    """Puts the end of the lease off. Raises LeaseLost; singles that are still held are renewed."""
    until = clock.now() + leases.length()
    if isinstance(lease, BatchLease):
        if not _held(lease).update(lease_until=until):
            raise LeaseLost
        lease.extended()
        return
    with transaction.atomic():
        mine = _still_mine(lease)
        _rows(mine).update(lease_until=until, not_before=until)
    lease.extended()
    _forget_lost(lease, mine)


def check(lease: Lease) -> None:
    """Reads whether the lease is still ours, without writing. Raises LeaseLost."""
    if isinstance(lease, BatchLease):
        with connection.cursor() as cursor:
            cursor.execute(_CHECK_BATCH, [lease.batch_id, lease.fence])
            if cursor.fetchone() is None:
                raise LeaseLost
        return
    rows = _rows(lease.open).filter(state=State.SENDING).values_list("pk", "fence")
    _forget_lost(lease, {pk for pk, fence in rows if fence == lease.open[pk].fence})


def _forget_lost(lease: Lease, mine: set[int]) -> None:
    """Leaves the lease with those singles that are still held. Raises LeaseLost if some are not."""
    lost = lease.open.keys() - mine
    for pk in lost:
        del lease.open[pk]
    if lost:
        raise LeaseLost


def give_back(lease: Lease, wait: timedelta = timedelta(0)) -> None:
    """Ends the lease; what has no outcome is as it was, to be taken again after `wait`."""
    again = clock.now() + wait
    if isinstance(lease, BatchLease):
        _held(lease).update(
            owner="", lease_until=None, attempts=0, not_before=again if wait else None
        )
    else:
        with transaction.atomic():
            mine = _still_mine(lease)
            _let_go([row for pk, row in lease.open.items() if pk in mine], again)
    lease.open.clear()


@transaction.atomic
def _write_batch(lease: BatchLease, results: Sequence[Result]) -> None:
    by_state = _by_state(results)
    counts = [by_state[state.value] for state in _COUNTED]
    until = stamp(clock.now() + leases.length())
    # Beside NULL PostgreSQL would take the text for text.
    count = _COUNT_BATCH.format(
        until="%s::timestamptz" if connection.vendor == "postgresql" else "%s"
    )
    done = [len(results)] * 3
    with wholesale.together(), connection.cursor() as cursor:
        cursor.execute(count, [*counts, *done, until, lease.batch_id, lease.fence])
        _write_rows(lease, results)
    if not cursor.rowcount:
        raise LeaseLost
    failpoints.reach("in-commit")


def _by_state(results: Sequence[Result]) -> Counter[str]:
    others = Counter(result.state.value for result in results if result.state is not _SENT)
    return others + Counter({_SENT.value: len(results) - others.total()})


def is_written(lease: Lease, results: Collection[Result]) -> bool:
    """Whether these, written together, are in the database already: none of them is open under
    this lease any more. Their states say nothing: others may have gone on with them since."""
    keys = {result.id for result in results}
    if isinstance(lease, BatchLease):
        # What waits in a batch has no moment; what is queued again later always has one.
        waits = _rows(keys).filter(state=State.QUEUED, not_before__isnull=True)
        return not waits.exists()
    with transaction.atomic():
        return keys.isdisjoint(_still_mine(lease))


def close_empty(lease: BatchLease) -> None:
    """Closes a batch in which nothing waits any more, whatever its counts say."""
    counted = sum((F(state.value) for state in _COUNTED), F("sent") - F("sent"))
    _held(lease).update(done=True, owner="", lease_until=None, size=counted)


@transaction.atomic
def _write_singles(lease: Lease, results: Sequence[Result]) -> set[int]:
    """Writes what is still held and renews the rest of it; returns what was lost."""
    mine = _still_mine(lease)
    written = [result for result in results if result.id in mine]
    _write_rows(lease, written)
    tally.moved(
        (lease.open[result.id].message_id, State.SENDING, result.state)
        for result in written
        if lease.open[result.id].counted
    )
    until = clock.now() + leases.length()
    rest = mine - {result.id for result in written}
    _rows(rest).update(lease_until=until, not_before=until)
    failpoints.reach("in-commit")
    return set(lease.open) - mine


def _write_rows(lease: Lease, results: Sequence[Result]) -> None:
    sent, others = _parted(results)
    if sent:
        rows = [(one.id, stamp(one.at), one.answer) for one in sent]
        _update(_UPDATE_SENT, _SENT_COLUMNS, rows, sent[0].attempts, sent[0].account_id)
    if others:
        _update(_UPDATE_ROWS, _COLUMNS, [_values(result) for result in others])
    # What account mail carried (a reset link) is of no use once it is out, and better not kept.
    over = [r.id for r in results if lease.open[r.id].kind == Kind.ACCOUNT and r.state in ENDED]
    if over:
        _rows(over).update(context=None)


def _parted(results: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """Those that were sent by one account at one attempt, which nearly all of a lot were; and all
    that is different."""
    first = next((result for result in results if result.state is _SENT), None)
    if first is None:
        return [], list(results)
    plain = Result(0, _SENT, first.at, first.attempts, account_id=first.account_id)
    alike = _what_they_share(plain)
    sent: list[Result] = []
    others: list[Result] = []
    for result in results:
        (sent if _what_they_share(result) == alike else others).append(result)
    return sent, others


_what_they_share = itemgetter(
    *[n for n, name in enumerate(Result._fields) if name not in ("id", "at", "answer")]
)


def _update(
    statement: str, columns: wholesale.Columns, rows: Sequence[Sequence[Any]], *given: Any
) -> None:
    table, parameter = wholesale.table(columns, rows)
    with connection.cursor() as cursor:
        cursor.execute(statement.format(table=table), [*given, *parameter])


def _values(result: Result) -> tuple[Any, ...]:
    at = stamp(result.at)
    return (
        result.state.value,
        result.reason,
        result.attempts,
        stamp(result.not_before),
        at if result.tried else None,
        at if result.state is _SENT else None,
        result.answer,
        result.account_id,
        result.service_id,
        result.died,
        result.id,
    )


@lru_cache(maxsize=64)
def stamp(at: datetime | None) -> str | None:
    """A moment as text that the database reads."""
    return None if at is None else str(connection.ops.adapt_datetimefield_value(at))


def _held(lease: BatchLease) -> QuerySet[DeliveryBatch]:
    return DeliveryBatch.objects.filter(pk=lease.batch_id, fence=lease.fence, done=False)


def _rows(keys: Collection[int]) -> QuerySet[SubscriberMessage]:
    return SubscriberMessage.objects.filter(pk__among=keys)


def _still_mine(lease: Lease) -> set[int]:
    """The open rows whose fence is still ours, locked until the transaction ends."""
    found = (
        _rows(lease.open)
        .select_for_update()
        .filter(state=State.SENDING)
        .order_by("pk")
        .values_list("pk", "fence")
    )
    return {pk for pk, fence in found if fence == lease.open[pk].fence}


def _let_go(rows: Iterable[Row | SubscriberMessage], again: datetime) -> None:
    """Singles that were being sent go back to what they were before."""
    rows = list(rows)
    before = {row.id: State.DEFERRED if row.attempts else State.QUEUED for row in rows}
    for state in (State.DEFERRED, State.QUEUED):
        _rows([pk for pk, was in before.items() if was == state]).update(
            state=state, owner="", lease_until=None, not_before=again
        )
    tally.moved((row.message_id, State.SENDING, before[row.id]) for row in rows if _counted(row))


def _counted(row: Row | SubscriberMessage) -> bool:
    return row.counted if isinstance(row, Row) else row.message.kind == Kind.NEWSLETTER


# --- of owners who are gone ----------------------------------------------------------------------


def release(owner: str, *, died: bool) -> None:
    """Sets free what this owner held and never sent. A death counts against what it held."""
    deaths = int(died)
    DeliveryBatch.objects.filter(owner=owner, done=False).update(
        owner="", lease_until=None, attempts=F("attempts") + deaths
    )
    while _release_singles(owner, deaths):
        pass


@transaction.atomic
def _release_singles(owner: str, deaths: int) -> int:
    held = SubscriberMessage.objects.filter(
        owner=owner, state=State.SENDING, not_before__isnull=False
    )
    rows = list(
        held.select_for_update(of=("self",))
        .select_related("message")
        .order_by("pk")[:_ROWS_AT_ONCE]
    )
    _rows([row.pk for row in rows]).update(deaths=F("deaths") + deaths)
    _let_go(rows, clock.now())
    return len(rows)


# --- what a claim writes, inside its own transaction, on rows that it has locked -----------------


def hold(rows: Sequence[SubscriberMessage], lease: Lease) -> None:
    """Singles go out under this lease."""
    until = clock.now() + leases.length()
    _rows([row.pk for row in rows]).update(
        state=State.SENDING,
        owner=lease.owner,
        lease_until=until,
        not_before=until,
        fence=F("fence") + 1,
    )
    tally.moved((row.message_id, row.state, State.SENDING) for row in rows if _counted(row))


def hasten(domain: str, reason: str, most: int) -> int:
    """Makes due what is held back for this domain with this reason; returns how many, of `most`."""
    now = clock.now()
    held = SubscriberMessage.objects.filter(
        not_before__gt=now,
        priority=leases.NEWSLETTER,
        state=State.DEFERRED,
        reason__startswith=reason,
        to_address__iendswith=f"@{domain}",
    )
    keys = list(held.order_by("pk").values_list("pk", flat=True)[:most])
    return _rows(keys).filter(state=State.DEFERRED, not_before__gt=now).update(not_before=now)


def end(rows: Sequence[SubscriberMessage], state: State, reason: str) -> None:
    """Singles end here without another attempt: skipped, or quarantined."""
    _rows([row.pk for row in rows]).update(
        state=state, reason=reason[:120], not_before=None, owner="", lease_until=None
    )
    tally.moved((row.message_id, row.state, state) for row in rows if _counted(row))


def fall_apart(batch: DeliveryBatch) -> None:
    """A batch on which workers keep dying becomes singles, so that one mail cannot hold the rest.

    They count as touched by a death, so that each is claimed alone.
    """
    loose = waiting(batch).update(not_before=clock.now(), deaths=1)
    DeliveryBatch.objects.filter(pk=batch.pk).update(
        done=True, owner="", lease_until=None, size=F("size") - loose
    )
    tally.moved([(batch.message_id, "", State.QUEUED)] * loose)


def waiting(batch: DeliveryBatch) -> QuerySet[SubscriberMessage]:
    """The batch's deliveries that its first pass has not reached."""
    return SubscriberMessage.objects.filter(
        pk__range=(batch.first_id, batch.last_id),
        message_id=batch.message_id,
        batch=batch.number,
        state=State.QUEUED,
        not_before__isnull=True,
    )


# --- in doubt: what a person decides -------------------------------------------------------------

LEFT = "Left as it is, by a person"
SENT_AGAIN = "Sent again, by a person"


def undecided(message_id: int, seen: datetime | None = None) -> QuerySet[SubscriberMessage]:
    """The message's deliveries in doubt that nobody has decided on; those that were so at `seen`.

    What was sent again and is in doubt once more was tried since: it is a question of its own.
    """
    found = SubscriberMessage.objects.filter(message_id=message_id, exception=State.UNKNOWN)
    found = found.exclude(reason=LEFT)
    return found if seen is None else found.filter(tried_at__lte=seen)


def send_again(message_id: int, seen: datetime | None = None) -> int:
    """Queues what is undecided, singly and due now; returns how many. Lock the message first.

    A new fence, so that whoever held one of them once can say nothing of it any more.
    """
    moved = undecided(message_id, seen).update(
        state=State.QUEUED,
        reason=SENT_AGAIN,
        not_before=clock.now(),
        fence=F("fence") + 1,
        answer="",
    )
    tally.moved([(message_id, State.UNKNOWN, State.QUEUED)] * moved)
    return moved


def leave(message_id: int, seen: datetime | None = None) -> int:
    """Notes on what is undecided that it stays as it is; returns how many. State and counts do."""
    return undecided(message_id, seen).update(reason=LEFT)


# --- failed: what a person wants tried again -----------------------------------------------------

TRIED_AGAIN = "Tried again, by a person"


def failed(message_id: int, seen: datetime | None = None) -> QuerySet[SubscriberMessage]:
    """The message's deliveries that have failed; those that had by `seen`."""
    found = SubscriberMessage.objects.filter(message_id=message_id, exception=State.FAILED)
    return found if seen is None else found.filter(tried_at__lte=seen)


def try_again(message_id: int, keys: Collection[int]) -> int:
    """Queues those of these that have failed, singly, due now and as if for the first time; returns
    how many. Lock the message first."""
    moved = (
        failed(message_id)
        .filter(pk__among=keys)
        .update(
            state=State.QUEUED,
            reason=TRIED_AGAIN,
            not_before=clock.now(),
            fence=F("fence") + 1,
            attempts=0,
            deaths=0,
            answer="",
        )
    )
    tally.moved([(message_id, State.FAILED, State.QUEUED)] * moved)
    return moved


# --- winding up what was cancelled, or failed half-built -----------------------------------------


def skip_waiting(message_id: int, reason: str) -> bool:
    """Skips all that no worker holds; says whether nothing is open any more."""
    batches = DeliveryBatch.objects.filter(message_id=message_id, done=False).order_by("pk")
    for key in list(batches.values_list("pk", flat=True)):
        _skip_batch(key, reason)
    while _skip_singles(message_id, reason):
        pass
    return tally.is_over(message_id)


@transaction.atomic
def _skip_batch(batch_id: int, reason: str) -> None:
    batch = DeliveryBatch.objects.select_for_update().get(pk=batch_id)
    if batch.done or batch.lease_until:
        return  # its worker sees the message's status within a second, or recovery sets it free
    skipped = waiting(batch).update(state=State.SKIPPED, reason=reason[:120])
    DeliveryBatch.objects.filter(pk=batch_id).update(
        skipped=F("skipped") + skipped, fence=F("fence") + 1, owner="", lease_until=None, done=True
    )


@transaction.atomic
def _skip_singles(message_id: int, reason: str) -> int:
    rows = (
        SubscriberMessage.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("message")
        .filter(message_id=message_id, not_before__isnull=False)
        .filter(state__in=[State.QUEUED, State.DEFERRED])[:_ROWS_AT_ONCE]
    )
    found = list(rows)
    end(found, State.SKIPPED, reason)
    return len(found)
