"""The bell for deeds on many people: it goes on with them for a while and rings itself again."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from mailape.core import bell, clock
from mailape.lists import bulk

WORK = 10.0  # seconds that one task works, so that builds on the same queue come to their turn


@shared_task(name=bell.BULK)
def work() -> None:
    """Adds, takes off, suppresses and takes back."""
    close_old_connections()
    if bulk.work(bulk.due(), bulk.STEPS, clock.monotonic() + WORK):
        bell.ring(bell.BULK)
