"""Bells: "look now", rung by a task's name so that no lower app imports a higher one.

A bell carries nothing that matters. Losing one costs a sweep (5 s), never a mail.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu import pools

from mailape.core import clock

log = logging.getLogger(__name__)

# Task names and the queue each belongs to. A bell that is not listed here cannot be rung.
WAKE = "delivery.wake"
BUILD = "delivery.build"
SEND = "delivery.send"
SWEEP = "delivery.sweep"
HOUSEKEEPING = "delivery.housekeeping"
REPORT = "delivery.report"
LOOK_UP = "senders.look_up"
TRY_LINKS = "campaigns.try_links"
BULK = "lists.bulk"
ERASE = "privacy.erase"
QUEUES = {
    WAKE: "wake",
    SWEEP: "wake",
    BUILD: "bulk",
    HOUSEKEEPING: "bulk",
    REPORT: "bulk",
    LOOK_UP: "bulk",
    TRY_LINKS: "bulk",
    BULK: "bulk",
    ERASE: "bulk",
    SEND: "send",
}
# Rung so often that their results would say nothing; what fails in them is kept all the same.
UNKEPT = {SEND, SWEEP, REPORT, TRY_LINKS}
# Tells the embedded broker that one of a kind is enough while none of them has been heard.
BELL_HEADER = "mailape_bell"

PATIENCE = 1.0
# Seconds until a bell that nobody heard is dropped: the sweep has rung again by then.
LIFE = 60
# How long a broker that failed is left alone, so that not every request waits for it in vain.
LEFT_ALONE = 3.0
_alone_until = 0.0


def ring(name: str) -> None:
    """Rings after the commit of the transaction under way, or at once where there is none.

    Never raises and never waits for long: a dead broker must not slow or break a request.
    """
    transaction.on_commit(partial(ring_now, name), robust=True)


def ring_now(name: str) -> bool:
    """Rings at once; says whether the broker took it. Waits for about one second at most."""
    global _alone_until
    if clock.monotonic() < _alone_until:
        return False
    try:
        _publish(name)
    except Exception as fault:  # whatever the broker's client raises: the sweep will find the work
        _alone_until = clock.monotonic() + LEFT_ALONE
        log.warning("bell %s not rung: %s", name, type(fault).__name__)
        return False
    return True


def _publish(name: str) -> None:
    with pools.producers[_line()].acquire(block=True, timeout=PATIENCE) as producer:
        current_app.send_task(
            name,
            queue=QUEUES[name],
            producer=producer,
            headers={BELL_HEADER: name},
            retry=False,
            expires=LIFE,
            ignore_result=name in UNKEPT,
        )


def _line() -> Any:
    """The connection that bells are rung on: where the workers' own waits, this one gives up.

    Without max_retries kombu tries to connect again for six seconds, whatever `retry` says.
    """
    options: dict[str, Any] = {"max_retries": 0}
    if not settings.EMBEDDED_BROKER:
        options |= {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    return current_app.connection_for_write(transport_options=options)
