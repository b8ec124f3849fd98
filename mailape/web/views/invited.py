"""Behind the link of an invitation: accept it with the account one has, or make one."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from mailape.accounts import access, invitations
from mailape.accounts.models import Invitation, Membership
from mailape.core import limits, network
from mailape.core.errors import Conflict, Invalid, NotAllowed, NotFound
from mailape.web import doors, tell
from mailape.web.forms import Form, posted

FROM = limits.Rate(60, 3600)


@sensitive_post_parameters("password")
@doors.anyone("GET", "HEAD", "POST")
def invitation(request: Any, token: str) -> HttpResponse:
    """GET shows who invites to what; POST accepts, by an account that is there or a new one."""
    try:
        found = invitations.by_token(token)
        if request.method != "POST":
            return _page(request, found, token, Form({"name": "", "password": ""}))
        limits.count("accept-from", limits.network(network.of(request.META)), FROM)
        return _accept(request, found, token)
    except NotFound as gone:
        context = {"gone": str(gone)}
        return render(request, "web/account/invitation.html", context, status=404)


def _accept(request: Any, found: Invitation, token: str) -> HttpResponse:
    form = posted(request, "name")
    form.values["password"] = ""
    try:
        if request.user.is_authenticated:
            member = invitations.accept(token, request.user)
        else:
            password = request.POST.get("password", "")
            member = invitations.accept_as_new(token, form.values["name"], password)
            login(request, member.user, backend="mailape.accounts.backend.ByAddress")
        return _welcome(request, member)
    except (Invalid, Conflict, NotAllowed) as fault:
        form.refuse(fault)
        return _page(request, found, token, form)


def _welcome(request: Any, member: Membership) -> HttpResponse:
    request.session[access.CURRENT] = member.workspace_id
    told = _("Welcome to “%(workspace)s”. Your role here: %(role)s.")
    words = {"workspace": member.workspace.name, "role": member.get_role_display()}
    tell.good(request, told % words)
    return redirect("web:overview")


def _page(request: Any, found: Invitation, token: str, form: Form) -> HttpResponse:
    here = reverse("web:invitation", kwargs={"token": token})
    owner = invitations.invited_user(found)
    signed_in = request.user.is_authenticated
    context = {
        "invitation": found,
        "form": form,
        # hers: one button; other: sign out first; known: sign in; new: make an account
        "who": ("hers" if owner == request.user else "other")
        if signed_in
        else ("known" if owner else "new"),
        "sign_in": f"{reverse('web:sign-in')}?{urlencode({'next': here})}",
    }
    return render(request, "web/account/invitation.html", context, status=form.status)
