"""Erasing a person: her data goes, the proof of what was sent stays without her address."""

from __future__ import annotations

from django.db import transaction

from mailape.delivery import outcome
from mailape.delivery.models import OutboxMail, SubscriberMessage
from mailape.lists import people, suppress
from mailape.lists.bulk import Steps
from mailape.lists.models import (
    BulkDeed,
    ConsentRecord,
    DeedKind,
    Subscriber,
    Suppression,
)

AT_ONCE = 200


def erase(person: Subscriber) -> None:
    """Deletes the person with her subscriptions and empties her address wherever it was kept.

    A keyed hash of the address stays in the suppressions, so that no import takes her in again. A
    delivery still open finds her subscription gone and is skipped. Reports are added up again
    without her: a domain may be nobody's but hers.
    """
    several([person])


@transaction.atomic
def several(persons: list[Subscriber]) -> None:
    """Erases people of one workspace, a few hundred at once, by a handful of statements."""
    if not persons:
        return
    workspace, keys = persons[0].workspace, [person.pk for person in persons]
    suppress.remember_erased(workspace, [person.email_key for person in persons])
    outcome.want_without(keys)
    SubscriberMessage.objects.filter(subscriber_id__in=keys).update(to_address="", context=None)
    OutboxMail.objects.filter(
        workspace=workspace, recipient__in=[person.email for person in persons]
    ).delete()
    ConsentRecord.objects.filter(subscriber_id__in=keys).update(network_address=None)
    Suppression.objects.filter(
        workspace=workspace, kind="address", value__in=[person.email_key for person in persons]
    ).delete()
    people.forget(persons)


def _step(deed: BulkDeed, keys: list[int]) -> int:
    found = Subscriber.objects.filter(workspace=deed.workspace_id, pk__in=keys)
    persons = list(found.select_related("workspace"))
    for first in range(0, len(persons), AT_ONCE):
        several(persons[first : first + AT_ONCE])
    return len(persons)


STEPS: Steps = {DeedKind.ERASE: _step}
