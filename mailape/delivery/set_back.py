"""The clock was set back: what was to wait for a minute would wait for an hour, or for a day.

A moment in the database was written by the clock of its time. Where that clock was ahead, whatever
is due by it is made due now: a mail that is tried too early costs an answer, and one that waits for
the day by which a clock was wrong is as good as lost.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import Q

from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.delivery.models import DeliveryBatch, Pace, State, SubscriberMessage
from mailape.delivery.send import LONGEST_HELD

log = logging.getLogger(__name__)

LEAST = 5.0  # seconds; a clock that is put right bit by bit moves less between two looks
_ahead: float | None = None  # of this process's monotonic clock, when it looked last


def look() -> None:
    """Mends what waits for too long, where the clock was set back since this process's last look,
    and at its first."""
    global _ahead
    ahead = clock.now().timestamp() - clock.monotonic()
    before, _ahead = _ahead, ahead
    if before is None or ahead < before - LEAST:
        mend()


def mend() -> int:
    """Makes due what was put off by a clock that was ahead; returns how many deliveries."""
    now = clock.now()
    later = SubscriberMessage.objects.filter(not_before__gt=now).exclude(state=State.SENDING)
    moved = later.filter(Q(tried_at__gt=now) | Q(created_at__gt=now)).update(not_before=now)
    # No batch is given back for longer than this.
    longest = now + 2 * timedelta(seconds=LONGEST_HELD)
    moved += DeliveryBatch.objects.filter(done=False, not_before__gt=longest).update(not_before=now)
    # What a person sent off waits some seconds to be taken back; a time that she named is kept.
    sent_off = Message.objects.filter(status=Status.QUEUED, zone="", not_before__gt=now)
    sent_off.filter(updated_at__gt=now).update(not_before=now)
    # Those who are held back for their domain ask for a place anew.
    Pace.objects.filter(tail_at__gt=now.timestamp()).exclude(domain="").update(hasten=True)
    if moved:
        log.warning("the clock was ahead: %s waited for too long", moved)
    return moved
