"""What the engine says of a message: begun, over, paused by the engine, failed, and why.

People's own words (send, pause, resume, cancel) are `campaigns.dispatch`. Each write here is
conditional, so that whoever comes second changes nothing.
"""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from mailape.campaigns.models import Kind, Message, Status
from mailape.core import clock
from mailape.delivery import aside, outcome, status, tally
from mailape.delivery.models import DeliveryBatch

log = logging.getLogger(__name__)


def begin(message_id: int) -> bool:
    """A queued message goes out, or goes on; the first time is when it started."""
    goes_on = _newsletter(message_id, Status.QUEUED).filter(started_at__isnull=False).exists()
    begun = _newsletter(message_id, Status.QUEUED).update(
        status=Status.SENDING, reason="", started_at=Coalesce(F("started_at"), clock.now())
    )
    if begun:
        outcome.want(message_id, outcome.AGAIN)
        if goes_on:
            aside.go_on(message_id)
    return bool(begun)


def pause(message_id: int, reason: str) -> bool:
    """The engine pauses a message because its route is broken; says whether it was this call."""
    paused = _newsletter(message_id, Status.QUEUED, Status.SENDING).update(
        status=Status.PAUSED, reason=reason[:300], updated_at=clock.now()
    )
    if paused:
        log.error("message %s paused: %s", message_id, reason)
    return bool(paused)


def note(message_id: int, reason: str) -> None:
    """Says why a message that is being sent does not get on, or with "" that it does."""
    _newsletter(message_id, Status.SENDING).exclude(reason=reason[:300]).update(reason=reason[:300])


def fail(message_id: int, reason: str) -> None:
    """The message cannot be built or compiled."""
    if _newsletter(message_id, Status.QUEUED, Status.SENDING).update(
        status=Status.FAILED, reason=reason[:300], updated_at=clock.now()
    ):
        log.error("message %s failed: %s", message_id, reason)


def finish(message_id: int) -> bool:
    """Marks a message as sent once it is built and none of its deliveries is open."""
    built = _newsletter(message_id, Status.SENDING).filter(built_at__isnull=False)
    if not built.exists() or not tally.is_over(message_id):
        return False
    with transaction.atomic():
        # Looked at again under the lock: a person may have sent some of them again meanwhile.
        if not locked(built) or not tally.is_over(message_id):
            return False
        built.update(status=Status.SENT, reason="", finished_at=clock.now())
        outcome.want(message_id)
    log.info("message %s is sent", message_id)
    return True


def reopen(message_id: int) -> None:
    """A message that was sent is sending again: some of its deliveries are. Lock it first."""
    _newsletter(message_id, Status.SENT).update(
        status=Status.SENDING, reason="", finished_at=None, updated_at=clock.now()
    )
    outcome.want(message_id, outcome.AGAIN)


def locked(messages: QuerySet[Message]) -> Message | None:
    """The one of these messages, locked until the transaction ends; None where there is none.

    Weak enough for those who only name it by a foreign key: senders go on counting.
    """
    return messages.select_for_update(no_key=True, of=("self",)).first()


def to_finish() -> QuerySet[Message]:
    """Messages at work that are built and have no open batch: perhaps they are over."""
    open_batches = DeliveryBatch.objects.filter(done=False).values("message_id")
    return Message.objects.filter(
        kind=Kind.NEWSLETTER, status=Status.SENDING, built_at__isnull=False
    ).exclude(pk__in=open_batches)


def to_wind_up() -> QuerySet[Message]:
    """Messages that ended early and may have deliveries open."""
    return Message.objects.filter(
        kind=Kind.NEWSLETTER, status__in=list(status.ENDED_EARLY), finished_at__isnull=True
    )


def wind_up(message: Message) -> bool:
    """Skips what a cancelled or failed message has left; says whether that was all."""
    over = status.skip_waiting(message.pk, status.ENDED_EARLY[Status(message.status)])
    if over:
        Message.objects.filter(pk=message.pk, finished_at__isnull=True).update(
            finished_at=clock.now()
        )
        outcome.want(message.pk)
    return over


def _newsletter(message_id: int, *statuses: Status) -> QuerySet[Message]:
    return Message.objects.filter(pk=message_id, kind=Kind.NEWSLETTER, status__in=statuses)
