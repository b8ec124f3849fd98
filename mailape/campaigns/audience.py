"""To whom a message goes: a rule as JSON, `{"lists": [keys]}`, frozen and explained at sending."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.core.errors import Invalid
from mailape.lists.models import MailingList, Status, Subscription


def rule(lists: list[MailingList]) -> dict[str, Any]:
    """The rule "everyone confirmed on any of these lists", in the order given."""
    return {"lists": list(dict.fromkeys(one.pk for one in lists))}


def lists_of(message: Message) -> list[MailingList]:
    """The lists that the message's audience names, in their order, archived ones too."""
    wanted = [int(key) for key in message.audience.get("lists", [])]
    found = MailingList.objects.filter(workspace=message.workspace).in_bulk(wanted)
    return [found[key] for key in wanted if key in found]


def people(message: Message) -> QuerySet[Subscription]:
    """The confirmed subscriptions that the rule names; one person may have several."""
    keys = [one.pk for one in lists_of(message) if one.archived_at is None]
    return Subscription.objects.filter(list_id__in=keys, status=Status.CONFIRMED)


def size(message: Message) -> int:
    """How many people the rule names now, each counted once; suppressed ones are still in it."""
    keys = [one.pk for one in lists_of(message) if one.archived_at is None]
    if len(keys) == 1:
        return people(message).count()
    return people(message).values("subscriber_id").distinct().count()


def freeze(message: Message) -> dict[str, Any]:
    """The rule as it is now, with names and numbers for the record.

    Raises Invalid when it names no list.
    """
    lists = [one for one in lists_of(message) if one.archived_at is None]
    if not lists:
        raise Invalid("Choose at least one list to send to.", "lists")
    return {
        "lists": [one.pk for one in lists],
        "names": [one.name for one in lists],
        "people": size(message),
        "at": clock.now().isoformat(),
    }
