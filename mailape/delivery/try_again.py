"""A person's word on what has failed: tried once more, each as the same mail.

For when the reason is gone: a full mailbox, a server's mistake, an account that was locked. Who is
suppressed or has left since is not asked again, whatever her delivery failed of.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.campaigns.models import Message
from mailape.core import bell, clock
from mailape.core.errors import Conflict
from mailape.delivery import outcome, progress, status
from mailape.delivery.models import FaultGroup, SubscriberMessage
from mailape.lists.models import Status as Standing
from mailape.lists.models import Subscriber, Subscription, Suppression, SuppressionKind

log = logging.getLogger(__name__)

NOTHING = later("Nothing of this message has failed that could be tried again.")
# Rows in one transaction, seconds in one request, and how far a page counts.
AT_ONCE = 5_000
WORK = 5.0
COUNTED = 20_000


@dataclass(frozen=True)
class Failed:
    """How many have failed, and how many of them may be tried again; both at most COUNTED."""

    all: int
    wanted: int

    @property
    def unwanted(self) -> int:
        """Those who left, or are suppressed, or erased."""
        return self.all - self.wanted


def numbers(message: Message, group: FaultGroup | None = None) -> Failed:
    """How many there are, of one group of reasons or of all."""
    failed = _failed(message, group)
    wanted = _wanted(message, failed)
    return Failed(failed[:COUNTED].count(), wanted[:COUNTED].count())


def may_try(message: Message) -> bool:
    """Whether the message's status allows it: not once it was cancelled, or has failed."""
    return message.status not in status.ENDED_EARLY


def again(message: Message, seen: datetime | None = None, group: FaultGroup | None = None) -> int:
    """Queues what failed once more; returns how many. With `seen`, only what had failed by then.

    After some seconds it stops, and the rest stays as it is until the next word. A message that was
    sent is sending until they are over. Raises Conflict where there is none, and for a message that
    was cancelled or failed.
    """
    moved, deadline = 0, clock.monotonic() + WORK
    while clock.monotonic() < deadline:
        some = _some(message, seen, group)
        moved += some
        if some < AT_ONCE:
            break
    if not moved:
        raise Conflict(str(NOTHING))
    log.info("message %s: %s that failed are tried again", message.pk, moved)
    message.refresh_from_db()
    return moved


@transaction.atomic
def _some(message: Message, seen: datetime | None, group: FaultGroup | None) -> int:
    now = progress.locked(Message.objects.filter(pk=message.pk, archived_at__isnull=True))
    if now is None:
        return 0
    if not may_try(now):
        raise Conflict(
            _("This message is %(status)s: nothing of it is sent any more.")
            % {"status": now.get_status_display().lower()}
        )
    found = _wanted(message, _failed(message, group, seen))
    keys = list(found.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    moved = status.try_again(message.pk, keys)
    if moved:
        progress.reopen(message.pk)
        bell.ring(bell.SEND)
    return moved


def _failed(
    message: Message, group: FaultGroup | None, seen: datetime | None = None
) -> QuerySet[SubscriberMessage]:
    found = status.failed(message.pk, seen)
    return outcome.in_group(found, group) if group else found


def _wanted(message: Message, failed: QuerySet[SubscriberMessage]) -> QuerySet[SubscriberMessage]:
    """Those whose person is still confirmed on one of the message's lists, and not suppressed."""
    lists = (message.audience_frozen or message.audience or {}).get("lists", [])
    on = Subscription.objects.filter(
        subscriber=OuterRef("subscriber_id"), list_id__in=lists, status=Standing.CONFIRMED
    )
    # Two of them: one with OR between its values would read all suppressions for each person.
    address = _held(SuppressionKind.ADDRESS, "email_key")
    domain = _held(SuppressionKind.DOMAIN, "domain")
    hers = Subscriber.objects.filter(address | domain, pk=OuterRef("subscriber_id"))
    return failed.filter(Exists(on)).exclude(Exists(hers))


def _held(kind: SuppressionKind, field: str) -> Exists:
    """Whether a suppression of this kind holds a subscriber's `field`."""
    return Exists(
        Suppression.objects.filter(
            workspace_id=OuterRef("workspace_id"), kind=kind, value=OuterRef(field)
        )
    )
