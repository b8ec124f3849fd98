"""API tokens: one's own, in this workspace. A new one is shown once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts import access, tokens
from mailape.accounts.models import ApiToken, Membership, Role, Workspace
from mailape.core import clock, ids
from mailape.core.errors import Invalid, NotFound
from mailape.web import doors, tell
from mailape.web.forms import Form, posted

DAYS = ("30", "90", "365")


@doors.form(Role.VIEWER)
def index(request: Any) -> HttpResponse:
    """One's own tokens in this workspace; a new one is shown this once and never again."""
    form, made = _empty(request.member), ""
    if request.method == "POST":
        form = posted(request, "name", "days", "role")
        try:
            made = _new(request, form)
            form = _empty(request.member)
        except Invalid as fault:
            form.refuse(fault)
    context = {
        "section": "settings",
        "tab": "tokens",
        "form": form,
        "made": made,
        "tokens": [(one, _is_over(one), _role(one)) for one in _own(request.member)],
        "roles": _roles(request.member),
        "days": [*((days, _("%s days") % days) for days in DAYS), ("", _("never"))],
    }
    return render(request, "web/settings/tokens.html", context, status=form.status)


def own(workspace: Workspace, public_id: str) -> ApiToken:
    """The token with this id in this workspace. Raises NotFound."""
    found = ApiToken.objects.filter(workspace=workspace, pk=ids.private("token", public_id)).first()
    if found is None:
        raise NotFound(_("There is no such token."))
    return found


@doors.deed(Role.VIEWER, door=own)
def revoke(request: Any, token: ApiToken) -> HttpResponse:
    """Ends one's own token at once."""
    if token.user_id != request.user.pk:
        raise NotFound(_("There is no such token."))
    tokens.revoke(token)
    tell.good(request, _("The token “%s” is revoked.") % token.name)
    return redirect("web:tokens")


def _new(request: Any, form: Form) -> str:
    if not form.values["name"]:
        raise Invalid(_("Give the token a name, to tell it from others."), "name")
    days = form.values["days"]
    if days and not (days.isascii() and days.isdigit() and 0 < int(days[:6]) <= 3650):
        raise Invalid(_("Choose for how long it is good."), "days")
    ends = clock.now() + timedelta(days=int(days)) if days else None
    return tokens.add(request.member, form.values["name"], ends, form.values["role"])[1]


def _empty(member: Membership) -> Form:
    return Form({"name": "", "days": "90", "role": ""})


def _roles(member: Membership) -> list[tuple[str, Any]]:
    lower = [role for role in Role if access.allows(member, role) and role != member.role]
    mine = _("as mine, now %s") % member.get_role_display()
    return [("", mine), *((role.value, role.label) for role in lower)]


def _role(token: ApiToken) -> str:
    return str(Role(token.role).label) if token.role else _("as yours")


def _is_over(token: ApiToken) -> bool:
    return token.expires_at is not None and token.expires_at <= clock.now()


def _own(member: Membership) -> Any:
    return ApiToken.objects.filter(
        user=member.user_id, workspace=member.workspace_id, revoked_at__isnull=True
    ).order_by("-pk")
