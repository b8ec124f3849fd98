"""What a deed on many people does to some of them at once, and how it is taken back.

Each function is one step inside a transaction of `lists.bulk`; a handful of statements, however
many people. The moment the deed was started stands in every row that it makes, which is how the
way back tells its own rows from what happened since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import connection

from mailape.core import clock
from mailape.lists import numbers, suppress
from mailape.lists.models import (
    BulkDeed,
    BulkTouch,
    Consent,
    ConsentRecord,
    Method,
    Status,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionKind,
    SuppressionReason,
)

WORD = "The owner says that these people agreed elsewhere."
TAKEN_BACK = "Taken back: it was done to many at once by mistake."
_INSERT = """
    INSERT INTO lists_subscription (list_id, subscriber_id, status, confirmation_no,
        confirmation_built, unconfirmed_asks, created_at, confirmed_at)
    SELECT %s, id, 'confirmed', 0, 0, 0, %s, %s FROM lists_subscriber
    WHERE workspace_id = %s AND id IN ({marks})
    ON CONFLICT (list_id, subscriber_id) DO NOTHING RETURNING subscriber_id
"""


def add(deed: BulkDeed, keys: list[int]) -> int:
    """Puts those on the list who were never on it and are not suppressed, on the owner's word.

    Whoever is on it stays as she is, and so does who left: she must ask herself.
    """
    people = Subscriber.objects.filter(pk__in=keys).only("workspace_id", "email_key", "domain")
    held = suppress.holding(list(people))
    free = [key for key in keys if key not in held]
    if not free:
        return 0
    now = connection.ops.adapt_datetimefield_value(_began(deed))
    marks = ", ".join(["%s"] * len(free))
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT.format(marks=marks), [deed.list_id, now, now, deed.workspace_id, *free]
        )
        new = sorted(row[0] for row in cursor.fetchall())
    numbers.moved(_list(deed), "", Status.CONFIRMED, len(new))
    _record(deed, new, Consent.GIVEN, WORD)
    _touch(deed, ((key, "") for key in new))
    return len(new)


def remove(deed: BulkDeed, keys: list[int]) -> int:
    """Ends their subscriptions to the list."""
    mine = Subscription.objects.select_for_update().filter(list=_list(deed), subscriber__in=keys)
    rows = list(
        mine.exclude(status=Status.UNSUBSCRIBED)
        .order_by("pk")
        .values_list("pk", "subscriber_id", "status")
    )
    Subscription.objects.filter(pk__in=[row[0] for row in rows]).update(
        status=Status.UNSUBSCRIBED, unsubscribed_at=_began(deed), unconfirmed_asks=0
    )
    for status, number in sorted(Counter(row[2] for row in rows).items()):
        numbers.moved(_list(deed), status, Status.UNSUBSCRIBED, number)
    _record(deed, [row[1] for row in rows], Consent.WITHDRAWN, "")
    _touch(deed, ((row[1], row[2]) for row in rows))
    return len(rows)


def suppress_them(deed: BulkDeed, keys: list[int]) -> int:
    """Suppresses their addresses; the first reason of those who are suppressed already is kept."""
    people = dict(Subscriber.objects.filter(pk__in=keys).values_list("email_key", "pk"))
    rows = [
        Suppression(
            workspace=deed.workspace, kind=SuppressionKind.ADDRESS, value=value,
            reason=SuppressionReason.OWNER, source=deed.source[:300], at=_began(deed),
        )
        for value in sorted(people)
    ]  # fmt: skip
    new = suppress.add(deed.workspace, rows)
    _touch(deed, ((people[row.value], "") for row in new))
    return len(new)


# --- taking back ---------------------------------------------------------------------------------


def _undo_add(deed: BulkDeed, touches: list[BulkTouch]) -> None:
    """Those who did something themselves since then stay."""
    ours = Subscription.objects.select_for_update().filter(
        list=_list(deed), subscriber__in=_keys(touches), status=Status.CONFIRMED,
        created_at=_began(deed), confirmed_at=_began(deed),
    )  # fmt: skip
    rows = list(ours.order_by("pk").values_list("pk", "subscriber_id"))
    Subscription.objects.filter(pk__in=[row[0] for row in rows]).delete()
    numbers.moved(_list(deed), "", Status.CONFIRMED, len(rows), undone=True)
    _record(deed, [row[1] for row in rows], Consent.WITHDRAWN, TAKEN_BACK)


def _undo_remove(deed: BulkDeed, touches: list[BulkTouch]) -> None:
    ours = Subscription.objects.select_for_update().filter(
        list=_list(deed), subscriber__in=_keys(touches), status=Status.UNSUBSCRIBED,
        unsubscribed_at=_began(deed),
    )  # fmt: skip
    rows = dict(ours.order_by("pk").values_list("subscriber_id", "pk"))
    for before in sorted({one.before for one in touches}):
        hers = [one.subscriber_id for one in touches if one.before == before]
        hers = [key for key in hers if key in rows]
        Subscription.objects.filter(pk__in=[rows[key] for key in hers]).update(
            status=before, unsubscribed_at=None
        )
        numbers.moved(_list(deed), before, Status.UNSUBSCRIBED, len(hers), undone=True)
        _record(deed, hers, Consent.GIVEN, TAKEN_BACK)


def _undo_suppress(deed: BulkDeed, touches: list[BulkTouch]) -> None:
    people = Subscriber.objects.filter(pk__in=_keys(touches))
    Suppression.objects.filter(
        workspace=deed.workspace, kind=SuppressionKind.ADDRESS,
        value__in=list(people.values_list("email_key", flat=True)),
        at=_began(deed), reason=SuppressionReason.OWNER, source=deed.source[:300],
    ).delete()  # fmt: skip


UNDO: dict[str, Callable[[BulkDeed, list[BulkTouch]], None]] = {
    "add": _undo_add,
    "remove": _undo_remove,
    "suppress": _undo_suppress,
}


# --- what they share -----------------------------------------------------------------------------


def _list(deed: BulkDeed) -> int:
    return deed.list_id or 0


def _began(deed: BulkDeed) -> datetime:
    return deed.started_at or clock.now()


def _keys(touches: list[BulkTouch]) -> list[int]:
    return [one.subscriber_id for one in touches]


def _touch(deed: BulkDeed, rows: Iterable[tuple[int, str]]) -> None:
    BulkTouch.objects.bulk_create(
        BulkTouch(deed=deed, subscriber_id=key, before=before) for key, before in rows
    )


def _record(deed: BulkDeed, keys: list[int], consent: Consent, wording: str) -> None:
    ConsentRecord.objects.bulk_create(
        ConsentRecord(
            workspace_id=deed.workspace_id, subscriber_id=key, list_id=_list(deed),
            consent=consent, method=Method.OWNER, wording=wording, source=deed.source[:300],
            at=clock.now(),
        )
        for key in keys
    )  # fmt: skip
