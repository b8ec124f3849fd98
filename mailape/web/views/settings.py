"""Settings of the workspace: what it says of itself, who works here, keys for scripts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages as told
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts import tokens, workspaces
from mailape.accounts.models import ApiToken, Membership, Role, Workspace
from mailape.core import clock, ids
from mailape.core.errors import Invalid, NotFound
from mailape.senders import access as senders
from mailape.senders import manage
from mailape.web import doors
from mailape.web.forms import Form, posted, text

SENDER = ("sender_name", "email", "reply_to")


@doors.shows()
def index(request: Any) -> HttpResponse:
    """What the workspace says of itself; those who may change it get the form."""
    return _page(request, _form_of(request.member.workspace))


@doors.deed(Role.ADMIN)
def save(request: Any) -> HttpResponse:
    """Changes name, postal address and default sender, all or nothing."""
    form = posted(request, "name", "postal_address", *SENDER)
    values = form.values
    try:
        with transaction.atomic():
            workspaces.change(
                request.member.workspace,
                name=values["name"],
                postal_address=values["postal_address"],
            )
            manage.set_default(
                request.member.workspace,
                name=values["sender_name"],
                email=values["email"],
                reply_to=values["reply_to"],
            )
        told.success(request, _("Saved."), "good")
        return redirect("web:settings")
    except Invalid as fault:
        form.refuse(fault)
        request.member.workspace.refresh_from_db()
        return _page(request, form)


@doors.shows()
def members(request: Any) -> HttpResponse:
    """Who works here, and in which role."""
    found = Membership.objects.filter(workspace=request.member.workspace).select_related("user")
    context = {"section": "settings", "tab": "members", "team": found.order_by("pk")}
    return render(request, "web/settings/members.html", context)


@doors.form(Role.VIEWER)
def api_tokens(request: Any) -> HttpResponse:
    """One's own tokens in this workspace; a new one is shown this once and never again."""
    form, made = Form({"name": "", "days": ""}), ""
    if request.method == "POST":
        form = posted(request, "name", "days")
        try:
            made = _new_token(request, form)
            form = Form({"name": "", "days": ""})
        except Invalid as fault:
            form.refuse(fault)
    context = {
        "section": "settings",
        "tab": "tokens",
        "form": form,
        "made": made,
        "tokens": _own(request.member).order_by("-pk"),
    }
    return render(request, "web/settings/tokens.html", context, status=form.status)


def own_token(workspace: Workspace, public_id: str) -> ApiToken:
    """The token with this id in this workspace. Raises NotFound."""
    found = ApiToken.objects.filter(workspace=workspace, pk=ids.private("token", public_id)).first()
    if found is None:
        raise NotFound(_("There is no such token."))
    return found


@doors.deed(Role.VIEWER, door=own_token)
def revoke(request: Any, token: ApiToken) -> HttpResponse:
    """Ends one's own token at once."""
    if token.user_id != request.user.pk:
        raise NotFound(_("There is no such token."))
    tokens.revoke(token)
    told.success(request, _("The token is revoked."), "good")
    return redirect("web:tokens")


def _new_token(request: Any, form: Form) -> str:
    if not form.values["name"]:
        raise Invalid(_("Give the token a name, to tell it from others."), "name")
    days = text(request.POST, "days")
    if days and not (days.isascii() and days.isdigit() and 0 < int(days[:6]) <= 3650):
        raise Invalid(_("Type a number of days from 1 to 3650, or nothing."), "days")
    ends = clock.now() + timedelta(days=int(days)) if days else None
    return tokens.add(request.member, form.values["name"], ends)[1]


def _own(member: Membership) -> Any:
    return ApiToken.objects.filter(
        user=member.user_id, workspace=member.workspace_id, revoked_at__isnull=True
    )


def _form_of(workspace: Workspace) -> Form:
    sender = senders.default_sender(workspace)
    return Form(
        {
            "name": workspace.name,
            "postal_address": workspace.postal_address,
            "sender_name": sender.name if sender else "",
            "email": sender.email if sender else "",
            "reply_to": sender.reply_to if sender else "",
        }
    )


def _page(request: Any, form: Form) -> HttpResponse:
    context = {"section": "settings", "tab": "workspace", "form": form}
    return render(request, "web/settings/workspace.html", context, status=form.status)
