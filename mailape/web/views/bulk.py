"""Deeds on many people at once: asking, starting, watching, stopping, taking back."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailape.accounts import access as rights
from mailape.accounts.models import Role, Workspace
from mailape.core import ids
from mailape.core.errors import Invalid, MailApeError, NotFound
from mailape.lists import access, bulk
from mailape.lists.models import BulkDeed, DeedKind, DeedState, MailingList
from mailape.privacy import erase
from mailape.web import doors, filters, tell
from mailape.web.forms import Form, posted, text
from mailape.web.views.people import SHOWN_LISTS

STEPS = {**bulk.STEPS, **erase.STEPS}
# Suppressing and erasing are an admin's, as they are for one person.
ROLES = {
    DeedKind.ADD: Role.EDITOR,
    DeedKind.REMOVE: Role.EDITOR,
    DeedKind.SUPPRESS: Role.ADMIN,
    DeedKind.ERASE: Role.ADMIN,
}
AT_ONCE = {DeedKind.REMOVE, DeedKind.SUPPRESS}  # with a way back, so nobody is asked first


@doors.deed(Role.EDITOR)
def ask(request: Any) -> HttpResponse:
    """Takes the chosen people, or all who fit; what can be taken back is done, else asked."""
    back = filters.back(request, reverse("web:people"))
    if text(request.POST, "deed") not in DeedKind.values:
        tell.warn(request, _("Choose people first, then what to do with them."))
        return redirect(back)
    kind = DeedKind(text(request.POST, "deed"))
    rights.require(request.member, ROLES[kind])
    try:
        deed = _asked(request, kind, back)
    except Invalid as fault:
        tell.warn(request, str(fault))
        return redirect(back)
    chosen = deed.people is not None and deed.total <= bulk.AT_ONCE
    if chosen and kind in AT_ONCE and (deed.list_id or kind == DeedKind.SUPPRESS):
        return _begun(request, deed, None)
    return redirect("web:bulk", id=deed.public_id)


def _asked(request: Any, kind: DeedKind, back: str) -> BulkDeed:
    workspace = request.member.workspace
    which = _list(workspace, text(request.POST, "list"))
    people, wanted = None, None
    if request.POST.get("all") == "yes":
        query = QueryDict(request.POST.get("filter", ""))
        wanted = filters.read(query, workspace, which).wanted
    else:
        people = [_key(one) for one in request.POST.getlist("pick")[:1_000]]
    return bulk.ask(
        workspace, request.user.email, kind, people=people, wanted=wanted, back=back,
        to=which if kind == DeedKind.REMOVE else None,
    )  # fmt: skip


def _key(public_id: str) -> int:
    try:
        return ids.private("subscriber", public_id)
    except NotFound:
        return 0  # fits nobody


def _list(workspace: Workspace, public_id: str) -> MailingList | None:
    try:
        return access.a_list(workspace, public_id) if public_id else None
    except NotFound:
        return None


@doors.form(Role.EDITOR, door=access.bulk_deed)
def show(request: Any, deed: BulkDeed) -> HttpResponse:
    """Asks, naming the number; afterwards shows how far it is and what came of it."""
    form = Form({"to": ""})
    if request.method == "POST":
        rights.require(request.member, ROLES[DeedKind(deed.kind)])
        form = posted(request, "to")
        try:
            return _begun(request, deed, _list(request.member.workspace, form.values["to"]))
        except Invalid as fault:
            form.refuse(fault)
    return render(
        request, "web/people/bulk.html", _context(request, deed, form), status=form.status
    )


def _begun(request: Any, deed: BulkDeed, to: MailingList | None) -> HttpResponse:
    bulk.start(deed, to)
    if deed.total > bulk.AT_ONCE:
        return redirect("web:bulk", id=deed.public_id)
    bulk.run(deed, STEPS)
    _tell(request, deed)
    return redirect(deed.back or reverse("web:people"))


def _tell(request: Any, deed: BulkDeed) -> None:
    if deed.state == DeedState.FAILED:
        tell.bad(request, deed.reason)
    elif bulk.may_undo(deed):
        tell.good(request, said(deed), undo=reverse("web:bulk-undo", args=[deed.public_id]))
    else:
        tell.good(request, said(deed))


def said(deed: BulkDeed) -> str:
    """What came of it, in a sentence."""
    number, name = deed.changed, deed.list.name if deed.list else ""
    sentence = {
        DeedKind.ADD: ngettext(
            "%(n)s person is on “%(list)s” now.", "%(n)s people are on “%(list)s” now.", number
        ),
        DeedKind.REMOVE: ngettext(
            "%(n)s person is off “%(list)s”.", "%(n)s people are off “%(list)s”.", number
        ),
        DeedKind.SUPPRESS: ngettext(
            "%(n)s address is suppressed.", "%(n)s addresses are suppressed.", number
        ),
        DeedKind.ERASE: ngettext("%(n)s person is erased.", "%(n)s people are erased.", number),
    }[DeedKind(deed.kind)]
    same = max(0, deed.total - number)
    if deed.state == DeedState.DONE and same and deed.kind != DeedKind.ERASE:
        sentence += " " + ngettext(
            "%(same)s stayed as it was.", "%(same)s stayed as they were.", same
        )
    return sentence % {"n": f"{number:,}", "list": name, "same": f"{same:,}"}


def _context(request: Any, deed: BulkDeed, form: Form | None = None) -> dict[str, Any]:
    lists = []
    if deed.state == DeedState.ASKED and deed.list_id is None:
        lists = list(access.lists(request.member.workspace)[:SHOWN_LISTS])
    return {
        "section": "people",
        "deed": deed,
        "form": form or Form({"to": ""}),
        "options": [("", _("Choose a list")), *((one.public_id, one.name) for one in lists)],
        "said": said(deed),
        "back": deed.back or reverse("web:people"),
        "open": deed.state in {DeedState.WAITING, DeedState.UNDOING},
        "may_undo": bulk.may_undo(deed),
        "undo_until": deed.finished_at + bulk.UNDO_FOR if deed.finished_at else None,
        "may_do": rights.allows(request.member, ROLES[DeedKind(deed.kind)]),
    }


@doors.shows(Role.EDITOR, door=access.bulk_deed)
def progress(request: Any, deed: BulkDeed) -> HttpResponse:
    """How far it is, for the page that watches."""
    answer = render(request, "web/people/bulk_progress.html", _context(request, deed))
    if deed.state not in {DeedState.WAITING, DeedState.UNDOING}:
        answer["X-Live"] = "over"
    return answer


@doors.deed(Role.EDITOR, door=access.bulk_deed)
def stop(request: Any, deed: BulkDeed) -> HttpResponse:
    """Ends it behind the step it is in."""
    rights.require(request.member, ROLES[DeedKind(deed.kind)])
    bulk.stop(deed)
    return redirect("web:bulk", id=deed.public_id)


@doors.deed(Role.EDITOR, door=access.bulk_deed)
def undo(request: Any, deed: BulkDeed) -> HttpResponse:
    """Takes it back; a second click changes nothing."""
    rights.require(request.member, ROLES[DeedKind(deed.kind)])
    try:
        bulk.undo(deed)
    except MailApeError as fault:
        tell.warn(request, str(fault))
        return redirect("web:bulk", id=deed.public_id)
    if deed.changed > bulk.AT_ONCE:
        return redirect("web:bulk", id=deed.public_id)
    bulk.run(deed, STEPS)
    tell.good(request, _("Taken back: all is as it was."))
    return redirect(deed.back or reverse("web:people"))
