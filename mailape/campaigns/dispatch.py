"""Send, take back, pause, resume, cancel: conditional writes; a second click changes nothing.

What is written here is a fact; `delivery` reads it and acts. A message that is sent off later, by a
few seconds or by days, is queued with `not_before`: until then no builder takes it, and as long as
none did it can be taken back.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from mailape.campaigns import audience, schedule
from mailape.campaigns.models import Message, Status
from mailape.campaigns.schedule import Moment
from mailape.core import bell, clock
from mailape.core.errors import Conflict, Invalid

BY_A_PERSON = "Paused by a person."
# How long a message that a person sends waits, so that she can take it back.
GRACE = timedelta(seconds=settings.TAKE_BACK)


def send(
    message: Message,
    version: int | None = None,
    *,
    wait: timedelta = timedelta(0),
    at: Moment | None = None,
) -> Message:
    """Hands the message over to delivery, with its audience frozen: now, after `wait`, or `at`.

    With `version`, only if it is still the text that the person saw.
    Raises Invalid for a message without subject, body or list, and for a time that is over;
    Conflict unless it is a draft.
    """
    message.refresh_from_db()
    if message.status != Status.DRAFT or message.archived_at is not None:
        raise Conflict(_("This message is %(status)s already.") % _status(message))
    if not message.subject:
        raise Invalid(_("The message needs a subject."), "subject")
    if not message.body.strip():
        raise Invalid(_("The message needs a text."), "body")
    frozen = audience.freeze(message)
    begins, zone = (schedule.ahead(at.at), at.zone) if at else (clock.now() + wait, "")
    with transaction.atomic():
        draft = Message.objects.filter(
            pk=message.pk, status=Status.DRAFT, version=version or message.version
        )
        if not draft.update(
            status=Status.QUEUED,
            reason="",
            audience_frozen=frozen,
            not_before=begins if at or wait else None,
            zone=zone,
            updated_at=clock.now(),
        ):
            raise Conflict(_("The message was changed or sent meanwhile. Look at it again."))
        bell.ring(bell.BUILD)
    message.refresh_from_db()
    return message


def take_back(message: Message) -> Message:
    """Makes a message that is queued a draft again, as long as nothing of it was begun.

    Raises Conflict once a builder has it: then nothing is changed, and it can only be cancelled.
    """
    untouched = Message.objects.filter(
        pk=message.pk,
        status=Status.QUEUED,
        started_at__isnull=True,
        build_lease_until__isnull=True,
        archived_at__isnull=True,
    )
    # A new version: the form that sent it, posted once more, must not send it again. And a new
    # fence and no revision, so that nothing of an attempt to build it outlives the draft.
    taken = untouched.update(
        status=Status.DRAFT, reason="", not_before=None, zone="", audience_frozen=None,
        revision=None, version=F("version") + 1, updated_at=clock.now(),
        build_fence=F("build_fence") + 1, build_not_before=None, build_attempts=0,
        compile_attempts=0,
    )  # fmt: skip
    message.refresh_from_db()
    if not taken:
        raise Conflict(_why_not_back(message))
    return message


def is_waiting(message: Message) -> bool:
    """Whether it was sent off and no worker has begun with it: it can be taken back."""
    return (
        message.status == Status.QUEUED
        and message.started_at is None
        and message.build_lease_until is None
    )


def _why_not_back(message: Message) -> str:
    if message.status == Status.DRAFT:
        return _("This message is a draft already: nothing of it was sent.")
    if message.status in (Status.QUEUED, Status.SENDING, Status.PAUSED):
        return _("It was too late to take it back: the message goes out. You can still cancel it.")
    return _("This message is %(status)s: it cannot be taken back.") % _status(message)


def _status(message: Message) -> dict[str, str]:
    return {"status": message.get_status_display().lower()}


def pause(message: Message, reason: str = BY_A_PERSON) -> Message:
    """Stops the sending within 2 s; what is not out yet stays queued. Raises Conflict."""
    return _move(message, [Status.QUEUED, Status.SENDING], Status.PAUSED, reason)


def resume(message: Message) -> Message:
    """Goes on where `pause` stopped. Raises Conflict unless it is paused."""
    # Back to queued, whatever it was: the builder sees what is left to build and starts sending.
    moved = _move(message, [Status.PAUSED], Status.QUEUED, "")
    bell.ring(bell.BUILD)
    return moved


def cancel(message: Message) -> Message:
    """Ends the message for good; what is not out yet is skipped. Raises Conflict."""
    before = [Status.QUEUED, Status.SENDING, Status.PAUSED]
    moved = _move(message, before, Status.CANCELLED, "Cancelled by a person.")
    bell.ring(bell.BUILD)
    return moved


def _move(message: Message, before: list[Status], to: Status, reason: str) -> Message:
    changed = Message.objects.filter(pk=message.pk, status__in=before, archived_at__isnull=True)
    moved = changed.update(status=to, reason=reason[:300], updated_at=clock.now())
    message.refresh_from_db()
    if not moved:
        raise Conflict(
            _("This message is %(status)s: it is too late, or too early, for that.")
            % _status(message)
        )
    return message
