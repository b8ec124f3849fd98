"""What changed for those still ahead: pause and cancel, unsubscribes, suppressions, confirmations.

A worker looks once a second while it works, so that an unsubscribe holds within seconds even for a
batch that was claimed before it. Bounded: a look reads only the rows that the worker holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import Exists, OuterRef

from mailape.campaigns.models import Kind, Message
from mailape.core.among import by_index
from mailape.delivery.leases import Row
from mailape.lists import suppress
from mailape.lists.models import Status, Subscriber, Subscription, Suppression, SuppressionKind

UNSUBSCRIBED = "unsubscribed"
SUPPRESSED = "suppressed"
EXPIRED = "expired"

# Account mail goes to users and tests to whoever asked for them: no consent is in question there.
_WITH_CONSENT = frozenset(Kind.values) - {Kind.ACCOUNT, Kind.TEST}


def messages(keys: Collection[int]) -> dict[int, tuple[str, str]]:
    """The messages' statuses and reasons as they are now, by key."""
    rows = Message.objects.filter(pk__in=list(keys)).values_list("pk", "status", "reason")
    return {pk: (status, reason) for pk, status, reason in rows}


def unwanted(rows: Iterable[Row]) -> dict[int, str]:
    """Those of these deliveries that must not be sent any more, by key, each with the reason."""
    asked = [row for row in rows if row.kind in _WITH_CONSENT]
    confirmations = [row for row in asked if row.kind == Kind.CONFIRMATION]
    newsletters = [row for row in asked if row.kind != Kind.CONFIRMATION]
    with by_index():
        reasons = _left(newsletters) | _not_asked_any_more(confirmations)
        suppressed = _suppressed({row.subscriber_id for row in asked if row.subscriber_id})
    for row in asked:
        if row.subscriber_id in suppressed:
            reasons[row.id] = suppressed[row.subscriber_id]
    return reasons


def _left(rows: list[Row]) -> dict[int, str]:
    """Newsletters to people who are confirmed on none of the message's lists any more."""
    reasons: dict[int, str] = {}
    for message_id, lists in _audiences({row.message_id for row in rows}).items():
        mine = [row for row in rows if row.message_id == message_id]
        stayed = set(
            Subscription.objects.filter(
                subscriber_id__among=[row.subscriber_id for row in mine],
                list_id__in=lists,
                status=Status.CONFIRMED,
            ).values_list("subscriber_id", flat=True)
        )
        reasons |= {row.id: UNSUBSCRIBED for row in mine if row.subscriber_id not in stayed}
    return reasons


def _audiences(message_ids: Collection[int]) -> dict[int, list[int]]:
    rows = Message.objects.filter(pk__in=list(message_ids)).values_list(
        "pk", "audience_frozen", "audience"
    )
    return {pk: (frozen or rule or {}).get("lists", []) for pk, frozen, rule in rows}


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


def _suppressed(subscriber_ids: Collection[int]) -> dict[int, str]:
    """Those of these people who are suppressed, by key, and why: almost always nobody."""

    def held(kind: SuppressionKind, field: str) -> Exists:
        return Exists(
            Suppression.objects.filter(
                workspace_id=OuterRef("workspace_id"), kind=kind, value=OuterRef(field)
            )
        )

    found = Subscriber.objects.filter(
        held(SuppressionKind.ADDRESS, "email_key") | held(SuppressionKind.DOMAIN, "domain"),
        pk__in=list(subscriber_ids),
    )
    return _why(list(found.only("workspace_id", "email_key", "domain")))


def _why(people: list[Subscriber]) -> dict[int, str]:
    if not people:
        return {}
    rows = Suppression.objects.filter(
        workspace_id__in={one.workspace_id for one in people},
        kind__in=[SuppressionKind.ADDRESS, SuppressionKind.DOMAIN],
        value__in={value for one in people for value in (one.email_key, one.domain)},
    )
    # Kinds apart need no key of their own: an address has an at sign, a domain has none.
    by = {(row.workspace_id, row.value): row for row in rows}
    reasons: dict[int, str] = {}
    for one in people:
        row = by.get((one.workspace_id, one.email_key)) or by.get((one.workspace_id, one.domain))
        # Lifted between the two looks: she was suppressed at the first, and that is enough.
        reasons[one.pk] = f"{SUPPRESSED}: {suppress.in_words(row)}" if row else SUPPRESSED
    return reasons
