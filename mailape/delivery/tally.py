"""How many deliveries of a message are in which state, without counting them.

A batch counts its own first pass; later moves of single deliveries are rows of change, only ever
added, so that no counter is hot. The sum is exact at every commit: a state and its count are
written in one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import Count

from mailape.campaigns.models import Kind, Message
from mailape.core import clock
from mailape.delivery.models import OPEN_STATES, DeliveryTally, State

Move = tuple[int, str, str]  # message, from, to; an empty "from" is a delivery newly made

_COUNTED = ("sent", "deferred", "failed", "skipped", "unknown", "quarantined")
_OPEN = "size - " + " - ".join(_COUNTED)
_IN_BATCHES = {
    "queued": f"SUM(CASE WHEN lease_until > %s THEN 0 ELSE {_OPEN} END)",
    "sending": f"SUM(CASE WHEN lease_until > %s THEN {_OPEN} ELSE 0 END)",
    **{state: f"SUM({state})" for state in _COUNTED},
}
_IN_TALLY = [f"SUM(CASE state WHEN '{state}' THEN change ELSE 0 END)" for state in _IN_BATCHES]
# One statement, so that batches and tally are seen at one instant. It begins with SELECT, because
# on SQLite whatever may write (WITH may) waits for the write lock. All of it is words of ours.
_COUNT = """
    SELECT message_id, {} FROM delivery_deliverybatch WHERE message_id IN (%(keys)s)
    GROUP BY message_id
    UNION ALL SELECT message_id, {} FROM delivery_deliverytally WHERE message_id IN (%(keys)s)
    GROUP BY message_id
""".format(", ".join(_IN_BATCHES.values()).replace("%", "%%"), ", ".join(_IN_TALLY))  # noqa: S608


def moved(moves: Iterable[Move]) -> None:
    """Records moves between states. Call it inside the transaction that writes the states."""
    changes: Counter[tuple[int, str]] = Counter()
    for message_id, before, after in moves:
        changes[message_id, after] += 1
        if before:
            changes[message_id, before] -= 1
    DeliveryTally.objects.bulk_create(
        DeliveryTally(message_id=message_id, state=state, change=change)
        for (message_id, state), change in changes.items()
        if change
    )


def counts(message: Message) -> dict[str, int]:
    """Deliveries by state, zeros included. What a living worker holds counts as sending."""
    found = dict.fromkeys(State.values, 0)
    if message.kind == Kind.NEWSLETTER:
        found.update(_summed(message.pk))
    else:  # machine mail has no batches and no tally: its counts are for the operator only
        found.update(message.deliveries.order_by().values_list("state").annotate(Count("pk")))
    return found


def of_newsletters(messages: list[Message]) -> dict[int, dict[str, int]]:
    """The counts of several newsletters by their keys, from one query."""
    zeros = dict.fromkeys(State.values, 0)
    return {key: zeros | sums for key, sums in _sums([one.pk for one in messages]).items()}


def is_over(message_id: int) -> bool:
    """Whether no delivery of this newsletter is queued, sending or deferred."""
    summed = _summed(message_id)
    return not any(summed[state] for state in OPEN_STATES)


def has_sent(message_id: int) -> bool:
    """Whether any mail of this newsletter went out."""
    return bool(_summed(message_id)[State.SENT])


def _summed(message_id: int) -> dict[str, int]:
    return _sums([message_id])[message_id]


def _sums(keys: list[int]) -> dict[int, dict[str, int]]:
    found = {key: dict.fromkeys(_IN_BATCHES, 0) for key in keys}
    if not found:
        return found
    now = connection.ops.adapt_datetimefield_value(clock.now())
    with connection.cursor() as cursor:
        marks = ", ".join(["%s"] * len(keys))
        cursor.execute(_COUNT % {"keys": marks}, [now, now, *keys, *keys])
        rows = cursor.fetchall()
    for key, *numbers in rows:
        for state, number in zip(_IN_BATCHES, numbers, strict=True):
            found[key][state] += int(number or 0)
    return found


def fold(least: int = 50) -> int:
    """Adds up the rows of each message that has at least `least` of them; returns how many went."""
    many = (
        DeliveryTally.objects.order_by()
        .values("message_id")
        .annotate(rows=Count("pk"))
        .filter(rows__gte=least)
        .values_list("message_id", flat=True)
    )
    return sum(_fold_one(message_id) for message_id in list(many))


@transaction.atomic
def _fold_one(message_id: int) -> int:
    # Locked: of two that fold at once, the second finds the rows gone.
    rows = list(DeliveryTally.objects.select_for_update().filter(message_id=message_id))
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row.state] += row.change
    kept = [
        DeliveryTally(message_id=message_id, state=state, change=change)
        for state, change in sums.items()
        if change
    ]
    DeliveryTally.objects.filter(pk__in=[row.pk for row in rows]).delete()
    DeliveryTally.objects.bulk_create(kept)
    return len(rows) - len(kept)
