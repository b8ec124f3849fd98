"""Sending: the ten seconds before, watching it go out, pause, resume, cancel."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from mailape.accounts.models import Role
from mailape.campaigns import access, dispatch
from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.core.errors import Conflict
from mailape.web import doors, tell
from mailape.web.views import outcome
from mailape.web.views.overview import LOOKED
from mailape.web.views.reports import Look, pace, report

WINDOW = 10.0  # seconds over which the pace is seen


@doors.shows(door=access.newsletter)
def show(request: Any, message: Message) -> HttpResponse:
    """A draft is written; anything else is watched, and in the end looked back at."""
    if message.status == Status.DRAFT:
        return redirect("web:message-edit", id=message.public_id)
    if not request.session.get(LOOKED):
        request.session[LOOKED] = True
    context = _seen(request, message) | {"section": "messages", "tab": "show"}
    if not context["waiting"]:
        context |= outcome.in_doubt(message, context["report"]) | outcome.summary(message)
    return render(request, "web/messages/show.html", context)


@doors.shows(door=access.newsletter)
def progress(request: Any, message: Message) -> HttpResponse:
    """The numbers alone, for the page that watches; a header says when there is no more to see."""
    context = _seen(request, message)
    response = render(request, "web/messages/progress.html", context)
    changed = request.GET.get("status") != message.status
    response["X-Live"] = "over" if changed or not context["report"].is_watched else "on"
    response["X-Live-Next"] = context["next"]
    return response


def _seen(request: Any, message: Message) -> dict[str, Any]:
    """The message as it is now, how fast it goes since the last look, and the next look's address.

    What the last look saw travels in the address, so that nothing has to be kept for it.
    """
    numbers = report(message)
    now, before = clock.now(), _look_before(request)
    speed = pace(numbers, before, now)
    if before is None or (now - before.at).total_seconds() > WINDOW:
        before = Look(now, numbers.ended)
    query = {"status": message.status, "since": before.at.timestamp(), "had": before.ended}
    url = reverse("web:message-progress", args=[message.public_id])
    waits = message.not_before - now if message.not_before else timedelta(0)
    return {
        "message": message,
        "report": numbers,
        "pace": speed,
        "next": f"{url}?{urlencode(query)}",
        "query": urlencode(query),
        "seconds": max(math.ceil(waits.total_seconds()), 0),
        "waiting": dispatch.is_waiting(message) and message.not_before is not None,
        "now": now,
    }


def _look_before(request: Any) -> Look | None:
    try:
        at = datetime.fromtimestamp(float(request.GET["since"]), UTC)
        return Look(at, int(request.GET["had"]))
    except (KeyError, ValueError, OverflowError, OSError):
        return None


@doors.deed(Role.EDITOR, door=access.newsletter)
def pause(request: Any, message: Message) -> HttpResponse:
    """Stops the sending; what is not out yet waits."""
    return _moved(request, message, dispatch.pause)


@doors.deed(Role.EDITOR, door=access.newsletter)
def resume(request: Any, message: Message) -> HttpResponse:
    """Goes on where it was paused."""
    return _moved(request, message, dispatch.resume)


@doors.deed(Role.EDITOR, door=access.newsletter)
def cancel(request: Any, message: Message) -> HttpResponse:
    """Ends it for good; what is not out yet is skipped."""
    return _moved(request, message, dispatch.cancel)


def _moved(request: Any, message: Message, deed: Any) -> HttpResponse:
    before = message.status
    try:
        deed(message)
    except Conflict as fault:
        # A second click finds it done: that is no fault to speak of.
        if message.status != before or deed is not dispatch.pause or before != Status.PAUSED:
            tell.warn(request, str(fault))
    return redirect("web:message", id=message.public_id)
