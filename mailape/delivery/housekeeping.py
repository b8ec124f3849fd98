"""Tidying up once an hour: what only grows is cut, what has expired goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

from celery import current_app
from django.conf import settings

from mailape.campaigns import links
from mailape.core import clock, minutes
from mailape.core.models import IdempotentAnswer, RateCounter, WorkerSign
from mailape.delivery import pace, tally
from mailape.delivery.transports import outbox
from mailape.lists import bulk, field_keys, numbers
from mailape.senders import access as senders
from mailape.senders import domains

log = logging.getLogger(__name__)

ANSWERS_KEPT = timedelta(hours=24)
SIGNS_KEPT = timedelta(days=1)
PACES_KEPT = timedelta(hours=1)


def tidy() -> dict[str, object]:
    """Does each part, also when another one fails; returns what each did."""
    return {part.__name__.strip("_"): _attempt(part) for part in PARTS}


def _attempt(part: Callable[[], object]) -> object:
    try:
        return part()
    except Exception as fault:
        log.exception("housekeeping: %s failed", part.__name__.strip("_"))
        return f"failed: {type(fault).__name__}"


def _outbox() -> int:
    return outbox.trim()


def _tallies() -> int:
    return tally.fold()


def _lists() -> int:
    """Lists whose kept numbers were wrong: each is compared with its subscriptions once a day."""
    return numbers.mend_due()


def _fields() -> int:
    """Keys of fields that nobody has any more: each is looked for once a day."""
    return field_keys.forget_unused()


def _links() -> int:
    return links.forget()


def _domains() -> int:
    """Looks into the DNS that are older than a day, for the domains of all senders."""
    if not settings.SMTP_URL:
        return 0  # nothing leaves this machine, so nobody judges it
    return domains.ask_for_old(senders.all_domains())


def _paces() -> int:
    return pace.forget_quiet(clock.now() - PACES_KEPT)


def _bulk() -> int:
    """What was kept to take deeds on many people back, once it is too late for that."""
    return bulk.tidy()


def _counters() -> int:
    return RateCounter.objects.filter(expires_at__lt=clock.now()).delete()[0]


def _answers() -> int:
    old = IdempotentAnswer.objects.filter(created_at__lt=clock.now() - ANSWERS_KEPT)
    return old.delete()[0]


def _minutes() -> int:
    return minutes.forget()


def _signs() -> int:
    return WorkerSign.objects.filter(seen_at__lt=clock.now() - SIGNS_KEPT).delete()[0]


def _sessions() -> None:
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def _results() -> None:
    current_app.backend.cleanup()


PARTS = (
    _links,
    _domains,
    _outbox,
    _tallies,
    _paces,
    _lists,
    _fields,
    _bulk,
    _counters,
    _answers,
    _minutes,
    _signs,
    _sessions,
    _results,
)
