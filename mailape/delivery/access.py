"""The one door to the deliveries of a message, for people who look at what became of them."""

from __future__ import annotations

from django.db.models import Max, Min, QuerySet

from mailape.campaigns.models import Message
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.lists import people

# What a batch carries before its first pass is over; everything else is found by an index.
_WAITING = (State.QUEUED, State.SENDING)


def of_message(
    message: Message, *, state: str = "", q: str = ""
) -> list[QuerySet[SubscriberMessage]]:
    """A newsletter's deliveries, by state and beginning of the address.

    Querysets to be merged by key, each of which follows an index. Raises Invalid for a `q` that no
    address can hold.
    """
    querysets = _waiting(message, state) if state in _WAITING else [_in_batches(message)]
    if state:
        querysets = [found.filter(state=state) for found in querysets]
    if q:
        # By who she is, not by `to_address`, which has no index and is empty once she is erased.
        workspace = message.workspace_id or 0
        querysets = [people.narrowed(found, workspace, q) for found in querysets]
    return querysets


def _in_batches(message: Message, **some: bool) -> QuerySet[SubscriberMessage]:
    # There is no index by message and key: it would cost every insert of a million. The batches
    # know between which keys the message lies, so the primary key serves as well.
    keys = DeliveryBatch.objects.filter(message=message, **some).aggregate(
        first=Min("first_id"), last=Max("last_id")
    )
    return SubscriberMessage.objects.filter(
        message=message, pk__gte=keys["first"] or 0, pk__lte=keys["last"] or 0
    )


def _waiting(message: Message, state: str) -> list[QuerySet[SubscriberMessage]]:
    """Those that go singly, which their `not_before` tells, and those of batches still open."""
    singly = SubscriberMessage.objects.filter(message=message, not_before__isnull=False)
    if state == State.SENDING:  # while a batch is leased its own stay queued
        return [singly]
    return [singly, _in_batches(message, done=False).filter(not_before__isnull=True)]
