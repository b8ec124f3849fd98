"""Lists: all of them, one of them, making, changing, archiving."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from mailape.accounts.models import Role, Workspace
from mailape.core.errors import Invalid, NotFound
from mailape.lists import access, manage, numbers
from mailape.lists.models import MailingList
from mailape.web import doors, tell, trends
from mailape.web.forms import Form, posted
from mailape.web.paging import page

TREND_DAYS = 30


@doors.shows()
def index(request: Any) -> HttpResponse:
    """The workspace's lists with their numbers; after archiving one, the way back."""
    workspace = request.member.workspace
    shown = page(request, access.lists(workspace), kind="list")
    counts = numbers.counts(shown.rows)
    daily = numbers.daily(shown.rows, TREND_DAYS)
    for one in shown.rows:
        one.trend = trends.trend(daily[one.pk])
    context = {
        "section": "lists",
        "page": shown,
        "lists": [(one, counts[one.pk]) for one in shown.rows],
        "archived": _archived(workspace, request.GET.get("archived", "")),
    }
    return render(request, "web/lists/index.html", context)


@doors.form(Role.ADMIN)
def new(request: Any) -> HttpResponse:
    """Makes a list."""
    form = Form({"name": "", "description": ""})
    if request.method == "POST":
        form = posted(request, "name", "description")
        try:
            made = manage.create(request.member.workspace, **form.values)
            tell.good(request, _("The list is made. Here is its sign-up page."))
            return redirect("web:list", id=made.public_id)
        except Invalid as fault:
            form.refuse(fault)
    return _form_page(request, form, None)


@doors.shows(door=access.a_list)
def show(request: Any, which: MailingList) -> HttpResponse:
    """One list: its numbers, and the ways to sign up for it."""
    days = trends.span(request.GET.get("days", ""))
    daily = numbers.daily([which], days)[which.pk]
    context = {
        "section": "lists",
        "tab": "list",
        "list": which,
        "counts": numbers.counts([which])[which.pk],
        "days": days,
        "spans": trends.SPANS,
        "trend": trends.trend(daily),
        "charts": trends.charts(daily),
        "subscribe_url": manage.subscribe_url(which),
    }
    return render(request, "web/lists/show.html", context)


@doors.form(Role.ADMIN, door=access.a_list)
def edit(request: Any, which: MailingList) -> HttpResponse:
    """Changes name and description, which the sign-up page shows."""
    form = Form({"name": which.name, "description": which.description})
    if request.method == "POST":
        form = posted(request, "name", "description")
        try:
            manage.change(which, **form.values)
            tell.good(request, _("Saved."))
            return redirect("web:list", id=which.public_id)
        except Invalid as fault:
            form.refuse(fault)
            which.refresh_from_db()
    return _form_page(request, form, which)


@doors.deed(Role.ADMIN, door=access.a_list)
def archive(request: Any, which: MailingList) -> HttpResponse:
    """Takes a list out of sight; the page that follows has the way back."""
    manage.archive(which)
    return redirect(f"{reverse('web:lists')}?archived={which.public_id}")


def archived_list(workspace: Workspace, public_id: str) -> MailingList:
    """The archived list with this id; one that is back already will do too. Raises NotFound."""
    found = _archived(workspace, public_id)
    return found if found is not None else access.a_list(workspace, public_id)


@doors.deed(Role.ADMIN, door=archived_list)
def restore(request: Any, which: MailingList) -> HttpResponse:
    """Undoes archiving; a second click changes nothing."""
    manage.unarchive(which)
    tell.good(request, _("The list is back."))
    return redirect("web:list", id=which.public_id)


def _archived(workspace: Workspace, public_id: str) -> MailingList | None:
    try:
        return access.archived(workspace, public_id) if public_id else None
    except NotFound:
        return None


def _form_page(request: Any, form: Form, which: MailingList | None) -> HttpResponse:
    context = {"section": "lists", "form": form, "list": which}
    return render(request, "web/lists/form.html", context, status=form.status)
