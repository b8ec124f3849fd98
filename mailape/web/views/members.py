"""Who works in the workspace: roles, removal, leaving, handing over, invitations."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts import access, invitations, members
from mailape.accounts.models import Invitation, Membership, Role
from mailape.core.errors import Conflict, Invalid, NotAllowed, TooMany
from mailape.delivery import notices
from mailape.web import doors, tell
from mailape.web.forms import Form, posted

STATES = {"open": "warn", "expired": "bad", "withdrawn": ""}


@doors.shows()
def index(request: Any) -> HttpResponse:
    """Who works here, in which role, and who is invited."""
    administers = access.allows(request.member, Role.ADMIN)
    context = _context(
        team=[(one, members.may_touch(request.member, one)) for one in _team(request)],
        invitations=[
            (one, STATES[one.state], _words(one)) for one in invitations.listed(_workspace(request))
        ]
        if administers
        else [],
    )
    return render(request, "web/settings/members.html", context)


def _words(one: Invitation) -> str:
    return {"open": _("Open"), "expired": _("Expired"), "withdrawn": _("Withdrawn")}[one.state]


@doors.form(Role.ADMIN)
def invite(request: Any) -> HttpResponse:
    """Asks whom to invite and as what; the mail goes out with the row, or neither does."""
    form = Form({"email": "", "role": Role.EDITOR.value})
    if request.method == "POST":
        form = posted(request, "email", "role")
        try:
            with transaction.atomic():
                made, url = invitations.invite(request.member, *form.values.values())
                notices.invitation(made, url)
            tell.good(request, _("An invitation is on its way to %s.") % made.email)
            return redirect("web:members")
        except (Invalid, Conflict, NotAllowed, TooMany) as fault:
            form.refuse(fault)
    context = _context(form=form, roles=_roles(request.member))
    return render(request, "web/settings/invite.html", context, status=form.status)


@doors.deed(Role.ADMIN, door=invitations.one)
def again(request: Any, invitation: Invitation) -> HttpResponse:
    """Sends the invitation with a new link; the one before ends."""
    with transaction.atomic():
        notices.invitation(invitation, invitations.again(request.member, invitation))
    tell.good(request, _("Sent again to %s, with a new link.") % invitation.email)
    return redirect("web:members")


@doors.deed(Role.ADMIN, door=invitations.one)
def withdraw(request: Any, invitation: Invitation) -> HttpResponse:
    """Ends the invitation; its link does not work any more."""
    invitations.withdraw(request.member, invitation)
    tell.good(request, _("The invitation of %s is withdrawn.") % invitation.email)
    return redirect("web:members")


@doors.form(Role.ADMIN, door=members.one)
def show(request: Any, other: Membership) -> HttpResponse:
    """One member: the role, and what can be done about it."""
    form = Form({"role": other.role})
    if request.method == "POST":
        form = posted(request, "role")
        try:
            members.change_role(request.member, other, form.values["role"])
            other.refresh_from_db(fields=["role"])
            told = _("%(person)s is %(role)s now.")
            words = {"person": other.user.email, "role": other.get_role_display()}
            tell.good(request, told % words)
            return redirect("web:members")
        except Invalid as fault:
            form.refuse(fault)
    context = _context(
        form=form,
        other=other,
        roles=_roles(request.member),
        may_touch=members.may_touch(request.member, other),
        may_hand_over=access.allows(request.member, Role.OWNER) and other.pk != request.member.pk,
    )
    return render(request, "web/settings/member.html", context, status=form.status)


@doors.form(Role.ADMIN, door=members.one)
def remove(request: Any, other: Membership) -> HttpResponse:
    """Asks, and ends the membership."""
    if request.method == "POST":
        members.remove(request.member, other)
        tell.good(request, _("%s works here no longer.") % other.user.email)
        return redirect("web:overview" if other.pk == request.member.pk else "web:members")
    return render(request, "web/settings/member_remove.html", _context(other=other))


@doors.form(Role.OWNER, door=members.one)
def hand_over(request: Any, other: Membership) -> HttpResponse:
    """Asks, and makes the other the owner and oneself an admin."""
    if request.method == "POST":
        members.hand_over(request.member, other)
        tell.good(request, _("%s owns this workspace now; you are an admin.") % other.user.email)
        return redirect("web:members")
    return render(request, "web/settings/member_owner.html", _context(other=other))


@doors.form(Role.VIEWER)
def leave(request: Any) -> HttpResponse:
    """Asks, and ends one's own membership."""
    workspace = _workspace(request)
    if request.method == "POST":
        members.leave(request.member)
        request.session.pop(access.CURRENT, None)
        tell.good(request, _("You left “%s”.") % workspace.name)
        return redirect("web:overview")
    alone = workspace in members.sole_owner_of(request.user)
    return render(request, "web/settings/leave.html", _context(alone=alone))


def _workspace(request: Any) -> Any:
    return request.member.workspace


def _team(request: Any) -> list[Membership]:
    return members.team(_workspace(request))


def _roles(actor: Membership) -> list[tuple[str, str, str]]:
    """The roles that may be given, each with what it may."""
    return [(role.value, str(role.label), what_it_may(role)) for role in members.grantable(actor)]


def what_it_may(role: Role) -> str:
    """A role in one line."""
    return {
        Role.VIEWER: _("sees everything here and changes nothing"),
        Role.EDITOR: _("also adds people, writes and sends"),
        Role.ADMIN: _("also makes lists, changes settings, invites and erases people"),
        Role.OWNER: _("may do everything, and hand the workspace over"),
    }[role]


def _context(**more: Any) -> dict[str, Any]:
    explained = [(role.label, what_it_may(role)) for role in Role][::-1]
    return {"section": "settings", "tab": "members", "explained": explained, **more}
