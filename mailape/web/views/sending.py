"""Sending: the last look, the button, and watching it go out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages as told
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailape.accounts.models import Role
from mailape.campaigns import access, audience, dispatch
from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.core.errors import Conflict, Invalid
from mailape.delivery import access as deliveries_of
from mailape.delivery import doubt, preview
from mailape.delivery.models import State
from mailape.senders import access as senders
from mailape.web import doors
from mailape.web.forms import search_text, text
from mailape.web.paging import page
from mailape.web.views.overview import LOOKED
from mailape.web.views.reports import Report, report


@doors.shows(door=access.newsletter)
def show(request: Any, message: Message) -> HttpResponse:
    """A draft is written; anything else is watched."""
    if message.status == Status.DRAFT:
        return redirect("web:message-edit", id=message.public_id)
    if not request.session.get(LOOKED):
        request.session[LOOKED] = True
    numbers = report(message)
    context = {"section": "messages", "message": message, "report": numbers, "tab": "show"}
    return render(request, "web/messages/show.html", context | _in_doubt(message, numbers))


@doors.shows(door=access.newsletter)
def progress(request: Any, message: Message) -> HttpResponse:
    """The numbers alone, for the page that watches; a header says when there is no more to see."""
    numbers = report(message)
    context = {"message": message, "report": numbers}
    response = render(request, "web/messages/progress.html", context)
    changed = request.GET.get("status") != message.status
    response["X-Live"] = "over" if changed or not numbers.at_work else "on"
    return response


@doors.form(Role.EDITOR, door=access.newsletter)
def send(request: Any, message: Message) -> HttpResponse:
    """Who gets it, from whom, and what to look at; the button sends."""
    if message.status != Status.DRAFT:
        if request.method == "POST":
            told.info(request, _("This message was handed over already: once is enough."), "warn")
        return redirect("web:message", id=message.public_id)
    if request.method != "POST":
        return _last_look(request, message)
    version = text(request.POST, "version")
    try:
        dispatch.send(message, int(version) if version.isdigit() else None)
        told.success(request, _("The message is on its way."), "good")
        return redirect("web:message", id=message.public_id)
    except Invalid as fault:
        return _last_look(request, message, str(fault), 400)
    except Conflict as fault:
        message.refresh_from_db()
        if message.status == Status.DRAFT:
            return _last_look(request, message, str(fault), 409)
        return redirect("web:message", id=message.public_id)


def _last_look(request: Any, message: Message, fault: str = "", status: int = 200) -> HttpResponse:
    who = audience.explained(message)
    chosen = [one for one, _ in who.lists]
    missing, problems = _missing(message, bool(chosen)), preview.of(message).problems
    context = {
        "section": "messages",
        "message": message,
        "lists": chosen,
        "people": who.people,
        "sender": message.sender or senders.default_sender(request.member.workspace),
        "missing": missing,
        "problems": problems,
        "ready": not missing and not any(one.blocks for one in problems),
        "fault": fault,
    }
    return render(request, "web/messages/send.html", context, status=status)


def _missing(message: Message, has_lists: bool) -> list[str]:
    """What must be there before it can go out."""
    wanted = (
        (has_lists, _("a list to send to")),
        (bool(message.subject), _("a subject")),
        (bool(message.body.strip()), _("a text")),
    )
    return [name for there, name in wanted if not there]


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
            told.warning(request, str(fault), "warn")
    return redirect("web:message", id=message.public_id)


@doors.deed(Role.EDITOR, door=access.newsletter)
def resend(request: Any, message: Message) -> HttpResponse:
    """Sends the mails in doubt again that the form showed."""
    try:
        number = doubt.send_again(message, _seen(request))
        said = ngettext("%d mail is sent again.", "%d mails are sent again.", number)
        told.success(request, said % number, "good")
    except Conflict as fault:
        told.info(request, str(fault), "warn")
    return redirect("web:message", id=message.public_id)


@doors.deed(Role.EDITOR, door=access.newsletter)
def leave(request: Any, message: Message) -> HttpResponse:
    """Leaves the mails in doubt that the form showed as they are; nobody is asked again."""
    try:
        number = doubt.leave(message, _seen(request))
        said = ngettext("%d mail is left as it is.", "%d mails are left as they are.", number)
        told.success(request, said % number, "good")
    except Conflict as fault:
        told.info(request, str(fault), "warn")
    return redirect("web:message", id=message.public_id)


def _in_doubt(message: Message, numbers: Report) -> dict[str, Any]:
    """What the note about mails in doubt needs; nothing where none waits for a decision."""
    if not numbers.counts[State.UNKNOWN]:
        return {}
    seen = clock.now()
    return {
        "in_doubt": doubt.number(message),
        "seen": seen.isoformat(),
        "may_send_again": doubt.may_send_again(message),
    }


def _seen(request: Any) -> datetime | None:
    """When the form was made: what came in doubt since is not what its button names."""
    try:
        return datetime.fromisoformat(text(request.POST, "seen")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@doors.shows(door=access.newsletter)
def deliveries(request: Any, message: Message) -> HttpResponse:
    """Each reader's mail with its outcome: by state, by address, page by page."""
    state, q = request.GET.get("state", ""), search_text(request.GET)
    state = state if state in State.values else ""
    found, numbers = deliveries_of.of_message(message, state=state, q=q), report(message)
    context = {
        "section": "messages",
        "tab": "deliveries",
        "message": message,
        "state": state,
        "q": q,
        "report": numbers,
        "page": page(request, found, kind="delivery"),
    }
    if state == State.UNKNOWN:
        context |= _in_doubt(message, numbers)
    return render(request, "web/messages/deliveries.html", context)
