"""The engine pauses a message whose mails cannot go out, and tells its owners by mail."""

from __future__ import annotations

import logging

from django.db import transaction

from mailape.campaigns.models import Message
from mailape.core.errors import DATABASE_AWAY
from mailape.delivery import notices, progress

log = logging.getLogger(__name__)


@transaction.atomic
def halt(message_id: int, reason: str, words: str) -> None:
    """Pauses the message with this reason and queues the mail to its owners, in these words: both,
    or neither, or a death in between would keep it from them.

    A mail that cannot be made keeps nobody from pausing. Raises where the database is away.
    """
    if not progress.pause(message_id, reason):
        return
    try:
        with transaction.atomic():
            notices.route_broken(Message.objects.get(pk=message_id), words)
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("the owners of message %s are not told by mail", message_id)
