"""The task that asks the DNS: a request never waits for it."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from mailape.core import bell, clock
from mailape.senders import dkim, names

WORK = 20.0  # seconds that one task works, apart from the look that is under way then


@shared_task(name=bell.LOOK_UP)
def look_up() -> dict[str, int]:
    """Looks for the records of all keys of which somebody wants to know."""
    close_old_connections()
    deadline = clock.monotonic() + WORK
    done = 0
    while clock.monotonic() < deadline:
        key = dkim.to_look_up().order_by("wanted_at", "pk").first()
        if key is None:
            return {"looked_up": done}
        dkim.looked(key, names.look_up(key))
        done += 1
    bell.ring(bell.LOOK_UP)
    return {"looked_up": done}
