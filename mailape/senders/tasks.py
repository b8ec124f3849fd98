"""The task that asks the DNS: a request never waits for it."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from mailape.core import bell, clock
from mailape.senders import dkim, domains, names

WORK = 20.0  # seconds that one task works, apart from the look that is under way then


@shared_task(name=bell.LOOK_UP)
def look_up() -> dict[str, int]:
    """Looks for the records of all keys, and at all domains, of which somebody wants to know."""
    close_old_connections()
    deadline = clock.monotonic() + WORK
    done = 0
    while clock.monotonic() < deadline:
        if not (_a_key() or _a_domain()):
            return {"looked_up": done}
        done += 1
    bell.ring(bell.LOOK_UP)
    return {"looked_up": done}


def _a_key() -> bool:
    key = dkim.to_look_up().order_by("wanted_at", "pk").first()
    if key is not None:
        dkim.looked(key, names.look_up(key))
    return key is not None


def _a_domain() -> bool:
    wanted = domains.to_look_at().first()
    if wanted is not None:
        domains.looked(wanted, names.look_at(wanted.domain))
    return wanted is not None
