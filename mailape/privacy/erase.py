"""Erasing a person: her data goes, the proof of what was sent stays without her address."""

from __future__ import annotations

from django.db import transaction

from mailape.delivery import outcome
from mailape.delivery.models import OutboxMail, SubscriberMessage
from mailape.lists import people, suppress
from mailape.lists.models import ConsentRecord, Subscriber, Suppression


@transaction.atomic
def erase(person: Subscriber) -> None:
    """Deletes the person with her subscriptions and empties her address wherever it was kept.

    A keyed hash of the address stays in the suppressions, so that no import takes her in again. A
    delivery still open finds her subscription gone and is skipped. Reports are added up again
    without her: a domain may be nobody's but hers.
    """
    suppress.remember_erased(person.workspace, person.email_key)
    outcome.want_without(person.pk)
    SubscriberMessage.objects.filter(subscriber_id=person.pk).update(to_address="", context=None)
    OutboxMail.objects.filter(workspace_id=person.workspace_id, recipient=person.email).delete()
    ConsentRecord.objects.filter(subscriber_id=person.pk).update(network_address=None)
    Suppression.objects.filter(
        workspace_id=person.workspace_id, kind="address", value=person.email_key
    ).delete()
    people.forget([person])
