"""In doubt: mails that were out when the line broke, before the server answered.

They may have arrived, so a newsletter's are not sent again by themselves (`unknown`): twice is
worse than perhaps never, and only a person can weigh it. She sends them again, or leaves them; her
decision stands in each delivery's reason, so that nobody is asked twice.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.campaigns.models import Message
from mailape.core import bell
from mailape.core.errors import Conflict
from mailape.delivery import progress, status

log = logging.getLogger(__name__)

NOTHING = later("Nothing of this message is in doubt.")


def number(message: Message) -> int:
    """How many of the message's deliveries are in doubt and wait for a person to decide."""
    return status.undecided(message.pk).count()


def may_send_again(message: Message) -> bool:
    """Whether the message's status allows it: not once it was cancelled, or has failed."""
    return message.status not in status.ENDED_EARLY


def send_again(message: Message, seen: datetime | None = None) -> int:
    """Sends what is in doubt once more, each as the same mail; returns how many.

    With `seen`, only what was in doubt at that time: a form that is sent twice does it once. A
    message that was sent is sending until they are over; of a paused one they wait like the rest.
    Raises Conflict where there is none, and for a message that was cancelled or failed.
    """
    with transaction.atomic():
        now = progress.locked(Message.objects.filter(pk=message.pk, archived_at__isnull=True))
        if now is not None and not may_send_again(now):
            raise Conflict(
                _("This message is %(status)s: nothing of it is sent any more.")
                % {"status": now.get_status_display().lower()}
            )
        moved = 0 if now is None else status.send_again(message.pk, seen)
        if not moved:
            raise Conflict(str(NOTHING))
        progress.reopen(message.pk)
        bell.ring(bell.SEND)
    log.info("message %s: %s in doubt are sent again", message.pk, moved)
    message.refresh_from_db()
    return moved


def leave(message: Message, seen: datetime | None = None) -> int:
    """Leaves what is in doubt as it is, for good; returns how many. Raises Conflict for none."""
    left = status.leave(message.pk, seen)
    if not left:
        raise Conflict(str(NOTHING))
    log.info("message %s: %s in doubt are left", message.pk, left)
    return left
