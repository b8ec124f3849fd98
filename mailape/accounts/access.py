"""The one door to users' rights: who may act in which workspace, and how far."""

from __future__ import annotations

from django.utils.translation import gettext as _

from mailape.accounts.models import RANK, ApiToken, Membership, Role, User, Workspace
from mailape.core import address, ids, rows
from mailape.core.errors import Invalid, NotAllowed, NotFound


def memberships(user: User) -> list[Membership]:
    """The user's memberships with their workspaces, oldest first."""
    return list(Membership.objects.filter(user=user).select_related("workspace").order_by("pk"))


def membership(user: User, workspace: Workspace | int) -> Membership:
    """The user's membership in this workspace. Raises NotFound where there is none."""
    key = workspace if isinstance(workspace, int) else workspace.pk
    try:
        return Membership.objects.select_related("workspace", "user").get(
            user=user, workspace_id=key, user__is_active=True
        )
    except Membership.DoesNotExist:
        raise NotFound(_("There is no such workspace.")) from None


def workspace_of(user: User, public_id: str) -> Membership:
    """The user's membership in the workspace with this opaque id. Raises NotFound."""
    return membership(user, ids.private("workspace", public_id))


# Where a browser's session keeps the key of the workspace that its person chose.
CURRENT = "workspace"


def current(user: User, chosen: object) -> Membership:
    """The user's membership in the workspace chosen, else the oldest. Raises NotAllowed."""
    mine = memberships(user)
    in_it = [one for one in mine if one.workspace_id == chosen]
    if not mine:
        raise NotAllowed(_("You belong to no workspace yet."))
    return (in_it or mine)[0]


def allows(member: Membership, role: Role) -> bool:
    """Whether the member's role is at least `role`."""
    return RANK[Role(member.role)] >= RANK[role]


def require(member: Membership, role: Role) -> None:
    """Raises NotAllowed unless the member's role is at least `role`."""
    if not allows(member, role):
        raise NotAllowed(
            _("This needs the role %(needed)s in this workspace; yours is %(yours)s.")
            % {"needed": role.label.lower(), "yours": member.get_role_display().lower()}
        )


def owners(workspace: Workspace) -> list[User]:
    """Those who are told when something needs a person."""
    return list(
        User.objects.filter(
            memberships__workspace=workspace, memberships__role=Role.OWNER, is_active=True
        ).order_by("pk")
    )


def user(email: str) -> User:
    """The user with this address, also one who may not sign in. Raises NotFound."""
    try:
        found = User.objects.filter(email_key=address.parse(email).key).first()
    except Invalid:
        found = None
    if found is None:
        raise NotFound(_("There is no user with this address."))
    return found


def token(public_id: str) -> ApiToken:
    """The token with this opaque id, whoever's it is: for the operator. Raises NotFound."""
    return rows.first(
        ApiToken.objects.filter(pk=ids.private("token", public_id)), _("There is no such token.")
    )
