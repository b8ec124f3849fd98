"""Why somebody has no delivery of a message: the other half of "did she get it, and why not?"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailape.campaigns.models import Message
from mailape.core import address
from mailape.core.errors import Invalid
from mailape.lists import suppress
from mailape.lists.models import Status, Subscriber, Subscription, Suppression


@dataclass(frozen=True)
class Absence:
    """The reason: unknown, not_on, unconfirmed, left, late, suppressed, not_built, not_there.

    With the person where she is known, the list that it is about, and since when it is so.
    """

    reason: str
    person: Subscriber | None = None
    subscription: Subscription | None = None
    suppression: Suppression | None = None
    at: datetime | None = None


def why(message: Message, text: str) -> Absence | None:
    """Why the person with this address has no delivery; None where it is no whole address."""
    try:
        who = address.parse(text)
    except Invalid:
        return None
    if message.workspace is None:
        return None
    held = suppress.find(message.workspace, who)
    person = Subscriber.objects.filter(workspace=message.workspace, email_key=who.key).first()
    if person is None:
        return Absence("suppressed", None, None, held, held.at) if held else Absence("unknown")
    if message.built_at is None:
        return Absence("not_built", person)
    return _of(message, person, held)


def _of(message: Message, person: Subscriber, held: Suppression | None) -> Absence:
    lists = (message.audience_frozen or message.audience or {}).get("lists", [])
    found = Subscription.objects.filter(subscriber=person, list_id__in=lists)
    on = list(found.select_related("list").order_by("pk"))
    if not on:
        return Absence("not_on", person)
    if held is not None:
        return Absence("suppressed", person, on[0], held, held.at)
    confirmed = [one for one in on if one.status == Status.CONFIRMED]
    if confirmed:
        at = confirmed[0].confirmed_at
        late = bool(at and message.built_at and at > message.built_at)
        return Absence("late" if late else "not_there", person, confirmed[0], at=at)
    left = [one for one in on if one.status == Status.UNSUBSCRIBED]
    if left:
        return Absence("left", person, left[0], at=left[0].unsubscribed_at)
    return Absence("unconfirmed", person, on[0], at=on[0].created_at)
