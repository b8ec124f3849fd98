"""Send, pause, resume, cancel: each one conditional write, so that a second click changes nothing.

What is written here is a fact; `delivery` reads it and acts.
"""

from __future__ import annotations

from django.db import transaction

from mailape.campaigns import audience
from mailape.campaigns.models import Message, Status
from mailape.core import bell, clock
from mailape.core.errors import Conflict, Invalid

BY_A_PERSON = "Paused by a person."


def send(message: Message, version: int | None = None) -> Message:
    """Hands the message over to delivery, with its audience frozen.

    With `version`, only if it is still the text that the person saw.
    Raises Invalid for a message without subject, body or list; Conflict unless it is a draft.
    """
    message.refresh_from_db()
    if message.status != Status.DRAFT or message.archived_at is not None:
        raise Conflict(f"This message is {message.status} already.")
    if not message.subject:
        raise Invalid("The message needs a subject.", "subject")
    if not message.body.strip():
        raise Invalid("The message needs a text.", "body")
    frozen = audience.freeze(message)
    with transaction.atomic():
        draft = Message.objects.filter(
            pk=message.pk, status=Status.DRAFT, version=version or message.version
        )
        if not draft.update(
            status=Status.QUEUED, reason="", audience_frozen=frozen, updated_at=clock.now()
        ):
            raise Conflict("The message was changed or sent meanwhile. Look at it again.")
        bell.ring(bell.BUILD)
    message.refresh_from_db()
    return message


def pause(message: Message, reason: str = BY_A_PERSON) -> Message:
    """Stops the sending within 2 s; what is not out yet stays queued. Raises Conflict."""
    return _move(message, [Status.QUEUED, Status.SENDING], Status.PAUSED, "pause", reason)


def resume(message: Message) -> Message:
    """Goes on where `pause` stopped. Raises Conflict unless it is paused."""
    # Back to queued, whatever it was: the builder sees what is left to build and starts sending.
    moved = _move(message, [Status.PAUSED], Status.QUEUED, "resume", "")
    bell.ring(bell.BUILD)
    return moved


def cancel(message: Message) -> Message:
    """Ends the message for good; what is not out yet is skipped. Raises Conflict."""
    before = [Status.QUEUED, Status.SENDING, Status.PAUSED]
    moved = _move(message, before, Status.CANCELLED, "cancel", "Cancelled by a person.")
    bell.ring(bell.BUILD)
    return moved


def _move(message: Message, before: list[Status], to: Status, deed: str, reason: str) -> Message:
    changed = Message.objects.filter(pk=message.pk, status__in=before, archived_at__isnull=True)
    moved = changed.update(status=to, reason=reason[:300], updated_at=clock.now())
    message.refresh_from_db()
    if not moved:
        raise Conflict(
            f"This message is {message.status}: it is too late, or too early, to {deed}."
        )
    return message
