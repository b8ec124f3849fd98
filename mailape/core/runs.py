"""The last run of each periodic task: one row each, written by the worker that did it."""

from __future__ import annotations

import logging
import os
import socket
from datetime import datetime, timedelta

from django.db import DatabaseError

from mailape.core import bell, clock
from mailape.core.models import TaskRun

log = logging.getLogger(__name__)

# How often beat rings each: what has not run for several times as long does not run.
EVERY = {bell.SWEEP: timedelta(seconds=5), bell.HOUSEKEEPING: timedelta(hours=1)}


def ended(name: str, began_at: datetime, seconds: float, *, failed: bool) -> None:
    """Notes that a periodic task has ended. Never raises: no work may hang on this."""
    if name not in EVERY:
        return
    noted = {
        "began_at": began_at,
        "seconds": seconds,
        "failed": failed,
        "worker": f"{socket.gethostname()[:80]}:{os.getpid()}",
    }
    try:
        TaskRun.objects.update_or_create(name=name, defaults=noted)
    except DatabaseError as fault:
        log.debug("the run of %s is not noted: %s", name, type(fault).__name__)


def is_late(run: TaskRun | None, name: str, rung_since: datetime | None = None) -> bool:
    """Whether the task should have run again long ago.

    `rung_since` is when beat started: it rings each for the first time when its time has passed.
    """
    known = [moment for moment in (run and run.began_at, rung_since) if moment]
    if not known:
        return False
    return clock.now() - max(known) > max(EVERY[name] * 2, timedelta(seconds=30))
