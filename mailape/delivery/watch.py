"""What changed for those still ahead: pause and cancel, unsubscribes, suppressions, confirmations.

A worker looks once a second while it works, so that an unsubscribe holds within seconds even for a
batch that was claimed before it. Bounded: a look reads only the rows that the worker holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from mailape.campaigns.models import Kind, Message
from mailape.core import among, wholesale
from mailape.delivery.leases import Row
from mailape.lists import suppress
from mailape.lists.models import Status, Subscriber, Subscription, Suppression

UNSUBSCRIBED = "unsubscribed"
SUPPRESSED = "suppressed"
EXPIRED = "expired"

# Account mail goes to users and tests to whoever asked for them: no consent is in question there.
_WITH_CONSENT = frozenset(Kind.values) - {Kind.ACCOUNT, Kind.TEST}


def messages(keys: Collection[int]) -> dict[int, tuple[str, str]]:
    """The messages' statuses and reasons as they are now, by key."""
    # Written out: Django takes five times as long for it, and it is asked for each lease.
    table, given = among.these(keys)
    each = among.each("campaigns_message", "m")
    asked = f"SELECT m.id, m.status, m.reason FROM {table} {each}"  # noqa: S608 - our own words
    (rows,) = wholesale.answers((asked, [given]))
    return {pk: (status, reason) for pk, status, reason in rows}


def unwanted(rows: Iterable[Row]) -> dict[int, str]:
    """Those of these deliveries that must not be sent any more, by key, each with the reason."""
    asked = [row for row in rows if row.kind in _WITH_CONSENT]
    newsletters: defaultdict[int, list[Row]] = defaultdict(list)
    for row in asked:
        if row.kind != Kind.CONFIRMATION:
            newsletters[row.message_id].append(row)
    *left, suppressed = wholesale.answers(
        *[_confirmed_nowhere(_readers(mine), _audience(pk)) for pk, mine in newsletters.items()],
        _are_suppressed(_readers(asked)),
    )
    reasons = _not_asked_any_more([row for row in asked if row.kind == Kind.CONFIRMATION])
    for mine, found in zip(newsletters.values(), left, strict=True):
        reasons |= _for_those(mine, {key: UNSUBSCRIBED for (key,) in found})
    return reasons | _for_those(asked, _why_suppressed([key for (key,) in suppressed]))


def _readers(rows: list[Row]) -> set[int]:
    return {row.subscriber_id or 0 for row in rows}


def _for_those(rows: list[Row], reasons: dict[int, str]) -> dict[int, str]:
    """By delivery, what is known by reader; almost always nothing."""
    if not reasons:
        return {}
    who = {row.id: row.subscriber_id or 0 for row in rows}
    return {pk: reasons[reader] for pk, reader in who.items() if reader in reasons}


def _confirmed_nowhere(people: Collection[int], lists: list[int]) -> tuple[str, list[Any]]:
    """Asks for those of these people who are confirmed on none of these lists: a look reads
    hundreds of rows each time, so only who is found comes over."""
    table, given = among.these(people)
    on = ", ".join(["%s"] * len(lists)) or "NULL"
    return (
        # Not by EXISTS: PostgreSQL would read the whole list for it, and each time.
        f"SELECT k.id FROM {table} WHERE"  # noqa: S608 - our own words
        " (SELECT 1 FROM lists_subscription s WHERE s.subscriber_id = k.id"
        f" AND s.list_id IN ({on}) AND s.status = 'confirmed' LIMIT 1) IS NULL",
        [given, *lists],
    )


def _audience(message_id: int) -> list[int]:
    """The lists that a message goes to. What was frozen at sending never changes."""
    if message_id not in _frozen:
        rows = Message.objects.filter(pk=message_id)
        ((frozen, rule),) = rows.values_list("audience_frozen", "audience")
        if not frozen:
            return list((rule or {}).get("lists", []))
        if len(_frozen) > _MOST_FROZEN:
            _frozen.clear()
        _frozen[message_id] = list(frozen.get("lists", []))
    return _frozen[message_id]


_MOST_FROZEN = 256
_frozen: dict[int, list[int]] = {}


def _not_asked_any_more(rows: list[Row]) -> dict[int, str]:
    """Confirmations that nobody waits for: she confirmed, left, or asked anew since."""
    if not rows:
        return {}
    found = Subscription.objects.filter(
        subscriber_id__in=[row.subscriber_id for row in rows],
        list_id__in=[row.list_id for row in rows],
    )
    now = {(one.list_id, one.subscriber_id): one for one in found}
    reasons: dict[int, str] = {}
    for row in rows:
        reason = _why_not(row, now.get((row.list_id or 0, row.subscriber_id or 0)))
        if reason:
            reasons[row.id] = reason
    return reasons


def _why_not(row: Row, subscription: Subscription | None) -> str:
    if subscription is None or subscription.status == Status.UNSUBSCRIBED:
        return UNSUBSCRIBED
    if subscription.status == Status.CONFIRMED or row.occasion < subscription.confirmation_no:
        return EXPIRED
    return ""


_SUPPRESSED = (
    "SELECT p.id FROM {table} {each} WHERE"
    " (SELECT 1 FROM lists_suppression x WHERE x.workspace_id = p.workspace_id"
    " AND x.kind = 'address' AND x.value = p.email_key LIMIT 1) IS NOT NULL"
    " OR (SELECT 1 FROM lists_suppression x WHERE x.workspace_id = p.workspace_id"
    " AND x.kind = 'domain' AND x.value = p.domain LIMIT 1) IS NOT NULL"
)


def _are_suppressed(people: Collection[int]) -> tuple[str, list[Any]]:
    table, given = among.these(people)
    each = among.each("lists_subscriber", "p")
    return _SUPPRESSED.format(table=table, each=each), [given]


def _why_suppressed(found: list[int]) -> dict[int, str]:
    if not found:
        return {}
    people = Subscriber.objects.filter(pk__in=found).only("workspace_id", "email_key", "domain")
    held = suppress.holding(list(people))
    # Lifted between the two looks: she was suppressed at the first, and that is enough.
    return {one.pk: _why(held.get(one.pk)) for one in people}


def _why(row: Suppression | None) -> str:
    return f"{SUPPRESSED}: {suppress.in_words(row)}" if row else SUPPRESSED
