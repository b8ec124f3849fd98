"""Set aside: single deliveries of a message that is paused.

They would be due each time that somebody asks, and there may be hundreds of thousands of them, who
waited for their domain's turn when a person paused the message for a night. So they are put off in
lots, for longer the longer the pause lasts already, and are due again when the message goes on.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet

from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery.models import State, SubscriberMessage

LOT = 1000
# For so long at the least, for this share of the pause so far, and for so long at the most: should
# a claim and a resume cross each other, nobody waits for longer.
LEAST, SHARE, MOST = timedelta(seconds=30), 8, timedelta(minutes=10)
_PAUSE = "paused"  # in the owner's place


def put(message: Message, priority: int) -> None:
    """Puts off a lot of what is due of this message. Call it inside a transaction."""
    now = clock.now()
    due = _of(message.pk).filter(priority=priority, not_before__lte=now)
    free = due.exclude(state=State.SENDING).order_by("not_before")
    keys = list(free.select_for_update(skip_locked=True).values_list("pk", flat=True)[:LOT])
    wait = min(max(LEAST, (now - message.updated_at) / SHARE), MOST)
    SubscriberMessage.objects.filter(pk__among=keys).update(not_before=now + wait, owner=_PAUSE)


def go_on(message_id: int) -> None:
    """Makes due what was set aside of this message."""
    while _some_go_on(message_id):
        pass


@transaction.atomic
def _some_go_on(message_id: int) -> int:
    now = clock.now()
    waiting = _of(message_id).filter(not_before__gt=now, owner=_PAUSE)
    rows = waiting.exclude(state=State.SENDING).select_for_update(skip_locked=True)
    keys = list(rows.values_list("pk", flat=True)[:LOT])
    return SubscriberMessage.objects.filter(pk__among=keys).update(not_before=now, owner="")


def _of(message_id: int) -> QuerySet[SubscriberMessage]:
    return SubscriberMessage.objects.filter(message_id=message_id)
