"""Who is never mailed: the list of addresses and domains, adding to it, taking back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as told
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailape.accounts.models import Role
from mailape.core.errors import Invalid
from mailape.lists import access, suppress
from mailape.lists.models import Suppression, SuppressionReason
from mailape.lists.suppress import BadLine, Lifted, Several
from mailape.web import doors
from mailape.web.forms import Form, posted, search_text
from mailape.web.paging import page

# In the session: what was lifted last, and in which workspace. It is put back from there.
LIFTED = "lifted_suppression"
BAD_LINES_SHOWN = 100
REASONS = [one for one in SuppressionReason.choices if one[0] != SuppressionReason.ERASED]


@doors.shows()
def index(request: Any) -> HttpResponse:
    """The workspace's suppressions, newest first, and those that a search means."""
    workspace, q = request.member.workspace, search_text(request.GET)
    found = suppress.search(workspace, q) if q else access.suppressions(workspace)
    shown = page(request, found, kind="suppression")
    context = {
        "section": "suppressions",
        "q": q,
        "page": shown,
        "nobody": not (shown.rows or q or found.exists()),
        "lifted": _lifted(request) if "lifted" in request.GET else None,
    }
    return render(request, "web/suppressions/index.html", context)


@doors.form(Role.ADMIN)
def new(request: Any) -> HttpResponse:
    """Adds addresses and domains, one on each line; what will not do stays in the field."""
    form, bad = Form({"lines": "", "reason": SuppressionReason.OWNER.value, "source": ""}), []
    if request.method == "POST":
        form = posted(request, "lines", "reason", "source")
        try:
            done = _added(request, form)
            _tell(request, done)
            if not done.bad:
                return redirect("web:suppressions")
            bad = done.bad
            _keep(form, bad)
        except Invalid as fault:
            form.refuse(fault)
    context = {
        "section": "suppressions",
        "form": form,
        "reasons": REASONS,
        "bad": bad[:BAD_LINES_SHOWN],
        "more_bad": max(0, len(bad) - BAD_LINES_SHOWN),
    }
    return render(request, "web/suppressions/new.html", context, status=form.status)


def _added(request: Any, form: Form) -> Several:
    values = form.values
    if not values["lines"]:
        raise Invalid(_("Type an address or a domain."), "lines")
    reason = values["reason"] or SuppressionReason.OWNER.value
    if reason not in dict(REASONS):
        raise Invalid(_("Choose one of the reasons."), "reason")
    return suppress.several(
        request.member.workspace,
        values["lines"],
        reason=SuppressionReason(reason),
        source=values["source"] or request.user.email,
    )


def _tell(request: Any, done: Several) -> None:
    if done.new:
        said = ngettext("%d is suppressed now.", "%d are suppressed now.", done.new)
        told.success(request, said % done.new, "good")
    if done.known:
        said = ngettext("%d was suppressed already.", "%d were suppressed already.", done.known)
        told.info(request, said % done.known, "good" if done.new else "warn")


def _keep(form: Form, bad: list[BadLine]) -> None:
    """Only what will not do stays in the field, to be mended."""
    said = ngettext("%d line will not do:", "%d lines will not do:", len(bad)) % len(bad)
    form.values["lines"] = "\n".join(line.text for line in bad)
    form.faults["lines"] = said


@doors.deed(Role.ADMIN, door=access.suppression)
def lift(request: Any, row: Suppression) -> HttpResponse:
    """Mail may go there again. What it said is kept in the session, for the way back."""
    request.session[LIFTED] = [request.member.workspace_id, *suppress.said(row)]
    suppress.lift(row)
    return redirect(f"{reverse('web:suppressions')}?lifted=1")


@doors.deed(Role.ADMIN)
def undo(request: Any) -> HttpResponse:
    """Puts back what was lifted last; a second click changes nothing."""
    lifted = _lifted(request)
    if lifted is None:
        told.info(request, _("There is nothing to undo."), "warn")
    else:
        suppress.put_back(request.member.workspace, lifted)
        del request.session[LIFTED]
        told.success(request, _("It is suppressed again, as it was."), "good")
    return redirect("web:suppressions")


def _lifted(request: Any) -> Lifted | None:
    """What this person lifted last in this workspace."""
    workspace, *kept = request.session.get(LIFTED) or [None]
    return Lifted(*kept) if workspace == request.member.workspace_id else None
