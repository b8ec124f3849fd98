"""What the workspace says of itself: name, postal address, language, colour, logo; a new one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts import access, workspaces
from mailape.accounts.models import Role, Workspace
from mailape.core.errors import Invalid, NotAllowed, TooMany
from mailape.delivery import colours
from mailape.senders.open_account import add_default_sender
from mailape.web import brand, doors, tell
from mailape.web.forms import Form, posted

FIELDS = ("name", "postal_address", "language")
LOOK = ("accent", "logo_in_mails")


@doors.shows()
def index(request: Any) -> HttpResponse:
    """What the workspace says of itself; those who may change it get the forms."""
    return _page(request)


@doors.deed(Role.ADMIN)
def save(request: Any) -> HttpResponse:
    """Changes name, postal address and language, all or nothing."""
    form, workspace = posted(request, *FIELDS), request.member.workspace
    try:
        with transaction.atomic():
            workspaces.change(
                workspace, name=form.values["name"], postal_address=form.values["postal_address"]
            )
            workspaces.set_language(workspace, form.values["language"])
        tell.good(request, _("Saved."))
        return redirect("web:settings")
    except Invalid as fault:
        form.refuse(fault)
        workspace.refresh_from_db()
        return _page(request, form)


@doors.deed(Role.ADMIN)
def look(request: Any) -> HttpResponse:
    """Changes the colour, where the logo stands, and the logo where one was handed in."""
    form, workspace = posted(request, *LOOK), request.member.workspace
    form.values["logo"] = ""
    picture = request.FILES.get("logo")
    try:
        with transaction.atomic():
            workspaces.set_accent(workspace, form.values["accent"])
            workspaces.set_logo_in_mails(workspace, bool(form.values["logo_in_mails"]))
            if picture is not None:
                # A file of more than the limit is not read: Django holds it on disk.
                workspaces.set_logo(workspace, picture.read(workspaces.LOGO_BYTES + 1))
        tell.good(request, _("Saved. This is how your readers see it."))
        return redirect("web:settings")
    except Invalid as fault:
        form.refuse(fault)
        workspace.refresh_from_db()
        return _page(request, look=form)


@doors.deed(Role.ADMIN)
def remove_logo(request: Any) -> HttpResponse:
    """The public pages show the name alone again."""
    workspaces.remove_logo(request.member.workspace)
    tell.good(request, _("The logo is removed."))
    return redirect("web:settings")


@doors.user("GET", "HEAD", "POST")
def new(request: Any) -> HttpResponse:
    """Makes one more workspace and goes there."""
    if not workspaces.may_open(request.user):
        raise NotAllowed(
            _("Only who owns a workspace here, or runs this instance, can make another one.")
        )
    form = Form({"name": ""})
    if request.method == "POST":
        form = posted(request, "name")
        try:
            with transaction.atomic():
                made = workspaces.open_another(request.user, form.values["name"])
                add_default_sender(made)
            request.session[access.CURRENT] = made.workspace_id
            tell.good(request, _("“%s” is yours. Begin with a list.") % made.workspace.name)
            return redirect("web:overview")
        except (Invalid, TooMany) as fault:
            form.refuse(fault)
    context = {"section": "settings", "form": form}
    return render(request, "web/settings/workspace_new.html", context, status=form.status)


def _form_of(workspace: Workspace) -> Form:
    return Form({name: getattr(workspace, name) for name in FIELDS})


def _page(request: Any, form: Form | None = None, look: Form | None = None) -> HttpResponse:
    workspace = request.member.workspace
    form = form or _form_of(workspace)
    look = look or Form({"logo": "", **{name: getattr(workspace, name) for name in LOOK}})
    context = {
        "section": "settings",
        "tab": "workspace",
        "form": form,
        "look": look,
        "languages": [
            ("", _("English mails, pages as the browser asks")),
            *settings.LANGUAGES,
        ],
        "logo": brand.logo_url(workspace),
        "own_colour": colours.OWN["light"],
    }
    status = max(form.status, look.status)
    return render(request, "web/settings/workspace.html", context, status=status)
