"""The one door to the deliveries of a message, for people who look at what became of them."""

from __future__ import annotations

from django.db.models import Max, Min, QuerySet

from mailape.campaigns.models import Message
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.lists import people


def of_message(message: Message, *, state: str = "", q: str = "") -> QuerySet[SubscriberMessage]:
    """A newsletter's deliveries, to be ordered by key; by state and beginning of the address.

    Raises Invalid for a `q` that no address can hold.
    """
    # There is no index by message and key: it would cost every insert of a million. The batches
    # know between which keys the message lies, so the primary key serves as well.
    keys = DeliveryBatch.objects.filter(message=message).aggregate(
        first=Min("first_id"), last=Max("last_id")
    )
    found = SubscriberMessage.objects.filter(
        message=message, pk__gte=keys["first"] or 0, pk__lte=keys["last"] or 0
    )
    if state:
        found = found.filter(state=state)
    if q:
        # By who she is, not by `to_address`, which has no index and is empty once she is erased.
        wanted = people.beginning_with(message.workspace_id or 0, q)
        found = found.filter(subscriber_id__in=wanted.values("pk"))
    return found
