"""What every template knows. Nothing here asks the session or the database by itself: `held` asks
where a template shows it, which are those with the shell."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from mailape.accounts import access
from mailape.accounts.models import Role
from mailape.delivery import hold


def web(request: HttpRequest) -> dict[str, Any]:
    """The instance's settings that show, and what the person may do in the workspace chosen."""
    member = getattr(request, "member", None)
    return {
        "member": member,
        "members": getattr(request, "members", []),
        "may_edit": bool(member and access.allows(member, Role.EDITOR)),
        "may_administer": bool(member and access.allows(member, Role.ADMIN)),
        "may_open_workspace": _may_open(request),
        "held": SimpleLazyObject(hold.now),
        "outbox_only": not settings.SMTP_URL,
        "signup_open": settings.SIGNUP_OPEN,
    }


def _may_open(request: HttpRequest) -> bool:
    """As `workspaces.may_open` says, from what is at hand."""
    members = getattr(request, "members", None)
    if members is None:
        return False
    owns = any(one.role == Role.OWNER for one in members)
    return owns or settings.SIGNUP_OPEN or bool(getattr(request.user, "is_admin", False))
