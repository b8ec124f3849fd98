"""The instance, for its administrator: what works, what waits, what failed, what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later
from django.utils.translation import ngettext

from mailape.core import bell, clock
from mailape.delivery import hold
from mailape.system import (
    disk,
    failures,
    log,
    processes,
    queues,
    status,
    sweeps,
    versions,
)
from mailape.web import doors, tell
from mailape.web.charts import Chart, Series
from mailape.web.forms import search_text, text
from mailape.web.paging import page

QUEUES = {
    "wake": later("confirmations and account mail"),
    "send": later("newsletters"),
    "bulk": later("building, imports, housekeeping"),
    "unacked": later("taken by workers, of all queues"),
}
SWEEPS = {
    bell.SWEEP: later("looks for work that no bell announced"),
    bell.HOUSEKEEPING: later("cuts what only grows"),
}
KEPT = {
    "database": later("Database"),
    "broker": later("Embedded broker"),
    "journal": later("Journal of what went over the wire"),
    "media": later("Pictures and files"),
    "log": later("Log"),
}
SOURCES = {
    "default": later("default"),
    "environment": later("environment"),
    "file": later(".env file"),
}
FAILURES = 25


@doors.administrator()
def now(request: Any) -> HttpResponse:
    """Who works, what waits, how fast it goes out; this page looks again by itself."""
    who, broker = processes.look(), queues.broker()
    periodic = sweeps.look(who.beat_since)
    rate = queues.rate()
    context = {
        "section": "system",
        "tab": "now",
        "at": clock.now(),
        "problems": list(_problems(who, broker, periodic)),
        "who": who,
        "broker": [(one, QUEUES.get(one.queue, "")) for one in broker.queues],
        "broker_fault": broker.fault,
        "waiting": queues.deliveries(),
        "most": queues.MOST,
        "rate": rate,
        "chart": _chart(rate),
        "under_way": hold.under_way().count(),
        "sweeps": [(one, SWEEPS.get(one.name, "")) for one in periodic],
    }
    return render(request, "web/system/now.html", context)


def _problems(
    who: processes.Processes, broker: queues.Broker, periodic: list[sweeps.Sweep]
) -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do."""
    if who.unserved:
        text = ngettext(
            "No worker serves the queue %s: its work waits until one does.",
            "No worker serves the queues %s: their work waits until one does.",
            len(who.unserved),
        )
        yield text % ", ".join(who.unserved), _("Start “mailape up”, or “mailape worker”.")
    if not who.has_beat:
        yield (
            _("Beat is not running: what no bell announced waits."),
            _("Start “mailape up”, or “mailape beat”."),
        )
    elif any(one.is_late for one in periodic) and not who.unserved:
        yield (
            _("A periodic task is late."),
            _("Look at the failed tasks and at the log of the workers."),
        )
    if broker.fault:
        yield (
            _("The broker cannot be reached (%s).") % broker.fault,
            _("Look whether the server of REDIS_URL runs; until then the sweep finds the work."),
        )
    if any(one.is_alive and one.is_other_version for one in who.found):
        yield (
            _("Some processes run another version than this page."),
            _("Start them again, so that all are of one version."),
        )


def _chart(rate: queues.Rate) -> Chart:
    labels = [f"{moment:%H:%M}" for moment, _count in rate.per_minute]
    return Chart(
        _("Mails sent in each minute of the last hour (UTC)"),
        labels,
        [Series(_("sent"), [count for _minute, count in rate.per_minute])],
        kind="bars",
        first=_("Minute"),
        says=_("%s in the last hour") % rate.hour["sent"],
        short=True,
    )


@doors.administrator()
def failed(request: Any) -> HttpResponse:
    """Tasks that failed, newest first, each with its trace."""
    found = page(request, failures.rows(), kind=failures.KIND, size=FAILURES)
    context = {
        "section": "system",
        "tab": "failures",
        "at": clock.now(),
        "page": found,
        "failures": [failures.read(row) for row in found.rows],
        "kept": settings.CELERY_RESULT_EXPIRES,
    }
    return render(request, "web/system/failures.html", context)


@doors.administrator("POST")
def ring(request: Any) -> HttpResponse:
    """Rings a bell again. A second click is a second look, which finds nothing new."""
    task = text(request.POST, "task")
    if failures.ring_again(task):
        tell.good(request, _("%s is rung again; a worker looks now.") % task)
    else:
        tell.warn(request, _("The broker did not take it; the sweep looks within seconds."))
    return redirect("web:system-failures")


@doors.administrator()
def show_log(request: Any) -> HttpResponse:
    """The end of the log, filtered by level and words."""
    level, words = request.GET.get("level", ""), search_text(request.GET)
    level = level if level in log.LEVELS else ""
    context = {
        "section": "system",
        "tab": "log",
        "at": clock.now(),
        "tail": log.tail(level or "DEBUG", words),
        "levels": [
            ("", _("Everything")),
            ("WARNING", _("Warnings and worse")),
            ("ERROR", _("Errors")),
        ],
        "level": level,
        "q": words,
        "shown": log.SHOWN,
        "read": log.READ,
    }
    return render(request, "web/system/log.html", context)


@doors.administrator()
def instance(request: Any) -> HttpResponse:
    """What it is made of: versions, disk, settings in force, the public status page."""
    context = {
        "section": "system",
        "tab": "instance",
        "at": clock.now(),
        "versions": versions.look(),
        "disk": _disk(),
        "settings": [(one, SOURCES[one.source]) for one in settings.IN_FORCE],
        "data": settings.DATA,
        "site": settings.SITE_URL,
        "vendor": connection.vendor,
        "status_on": status.is_on(),
        "has_log": bool(settings.LOG_KEPT),
    }
    return render(request, "web/system/instance.html", context)


def _disk() -> Any:
    try:
        found = disk.look()
    except OSError as fault:
        return {"fault": fault.strerror}
    return {"room": found, "kept": [(one, KEPT.get(one.name, one.name)) for one in found.kept]}


@doors.administrator("POST")
def switch_status(request: Any) -> HttpResponse:
    """Switches the public status page on or off; twice the same changes nothing."""
    on = text(request.POST, "on") == "yes"
    status.switch(on)
    if on:
        tell.good(request, _("The public status page is on: anybody can see it."))
    else:
        tell.good(request, _("The public status page is off: there is nothing at its address."))
    return redirect("web:system-instance")
