"""Whether the caller's role is high enough for this method of this endpoint."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from mailape.accounts import access


class InWorkspace(BasePermission):
    """Each endpoint says in `roles` what each of its methods needs; what is not said is refused.

    Runs after the look-up of what the address names, so that another workspace's object is 404 for
    everybody, and only one's own is 403.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        access.require(view.member, view.roles[view.method_of(request)])
        return True
