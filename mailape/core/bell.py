"""Bells: "look now", rung by a task's name so that no lower app imports a higher one.

A bell carries nothing that matters. Losing one costs a sweep (5 s), never a mail.
"""

from __future__ import annotations

import logging
from functools import partial

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

# Task names and the queue each belongs to. A bell that is not listed here cannot be rung.
WAKE = "delivery.wake"
BUILD = "delivery.build"
SEND = "delivery.send"
QUEUES = {WAKE: "wake", BUILD: "bulk", SEND: "send"}


def ring(name: str) -> None:
    """Rings after the commit of the transaction under way, or at once where there is none.

    Never raises and never waits for long: a dead broker must not slow or break a request.
    """
    transaction.on_commit(partial(ring_now, name), robust=True)


def ring_now(name: str) -> bool:
    """Rings at once; says whether the broker took it."""
    try:
        current_app.send_task(name, queue=QUEUES[name], retry=False, expires=60, ignore_result=True)
    except Exception as fault:  # whatever the broker's client raises: the sweep will find the work
        log.warning("bell %s not rung: %s", name, type(fault).__name__)
        return False
    return True
