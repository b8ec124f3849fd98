"""`mailape beat`: rings the sweep every five seconds, and housekeeping every hour."""

from __future__ import annotations

import logging
import signal
from types import FrameType
from typing import Any

from celery import current_app
from celery.beat import Scheduler, Service
from django.conf import settings

from mailape.core import bell, signs
from mailape.core.broker.depths import depths
from mailape.ops import command
from mailape.system.watch import Watch

log = logging.getLogger(__name__)

SCHEDULE = {
    "sweep": {"task": bell.SWEEP, "schedule": 5.0},
    "housekeeping": {"task": bell.HOUSEKEEPING, "schedule": 3600.0},
}
# With Redis every ring is a message of its own; where nobody takes them, more are of no use.
ENOUGH = 100


class Bells(Scheduler):
    """Celery's scheduler in memory. What is due is rung as a bell: never waiting, never raising."""

    # Celery would connect here, and try for as long as the broker is away.
    producer = None  # type: ignore[assignment]

    def setup_schedule(self) -> None:
        self.merge_inplace(SCHEDULE)  # type: ignore[arg-type]

    def apply_async(
        self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any
    ) -> None:
        entry = self.reserve(entry) if advance else entry
        if settings.EMBEDDED_BROKER or not _deaf(bell.QUEUES[entry.task]):
            bell.ring_now(entry.task)


def _deaf(queue: str) -> bool:
    try:
        return any(each.queue == queue and each.waiting >= ENOUGH for each in depths())
    except Exception:  # the broker is away: ringing will say so
        return False


class Command(command.Command):
    """Rings until SIGTERM or Ctrl-C. Two at once do no harm: a bell carries nothing."""

    help = "Rings the sweep and housekeeping."

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        sign = signs.begin("beat", besides=Watch().look)
        try:
            Service(current_app, max_interval=1, scheduler_cls=Bells).start()
        finally:
            sign.end()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
