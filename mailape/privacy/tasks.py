"""The bell for erasing many people."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from mailape.core import bell, clock
from mailape.lists import bulk
from mailape.privacy import erase

WORK = 10.0  # seconds that one task works, so that builds on the same queue come to their turn


@shared_task(name=bell.ERASE)
def work() -> None:
    """Erases the people of deeds that are under way."""
    close_old_connections()
    if bulk.work(bulk.due(erasing=True), erase.STEPS, clock.monotonic() + WORK):
        bell.ring(bell.ERASE)
