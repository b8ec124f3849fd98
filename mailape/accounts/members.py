"""Who works in a workspace: roles given and taken, leaving, handing over.

Nobody gives or takes a role above their own, and a workspace is never without an owner: each deed
locks the workspace's memberships first, so that two owners who leave at once do not both succeed.
"""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from mailape.accounts import access, tokens
from mailape.accounts.models import RANK, Membership, Role, User, Workspace
from mailape.core import ids, rows
from mailape.core.errors import Conflict, Invalid, NotAllowed, NotFound


def team(workspace: Workspace) -> list[Membership]:
    """Who works in the workspace, with their users: owners first, then by the time they came."""
    found = Membership.objects.filter(workspace=workspace).select_related("user").order_by("pk")
    return sorted(found, key=lambda one: -RANK[Role(one.role)])


def one(workspace: Workspace, public_id: str) -> Membership:
    """The membership with this opaque id. Raises NotFound, also for another workspace's."""
    return rows.first(
        Membership.objects.select_related("user", "workspace").filter(
            workspace=workspace, pk=ids.private("membership", public_id)
        ),
        _("There is no such member."),
    )


def grantable(actor: Membership) -> list[Role]:
    """The roles that this member may give to others, the least first."""
    if not access.allows(actor, Role.ADMIN):
        return []
    return [role for role in RANK if RANK[role] <= RANK[Role(actor.role)]]


def may_touch(actor: Membership, other: Membership) -> bool:
    """Whether the member may change or end the other's membership: never one above their own."""
    return access.allows(actor, Role.ADMIN) and access.allows(actor, Role(other.role))


@transaction.atomic
def change_role(actor: Membership, other: Membership, role: str) -> None:
    """Gives the other this role. Their tokens can then do no more than it.

    Raises Invalid for what is no role, NotAllowed for one above the actor's own, Conflict where the
    workspace would be left without an owner.
    """
    wanted = _role(role)
    actor, other = _locked(actor), _locked(other)
    _check(actor, other)
    if wanted not in grantable(actor):
        raise NotAllowed(_("You cannot give a role that is higher than your own."))
    if wanted != Role.OWNER:
        _keep_an_owner(other)
    Membership.objects.filter(pk=other.pk).update(role=wanted)


@transaction.atomic
def remove(actor: Membership, other: Membership) -> None:
    """Ends the other's membership; their API tokens here end with it. A second time is NotFound.

    Raises NotAllowed for somebody above the actor, Conflict for the last owner.
    """
    actor, other = _locked(actor), _locked(other)
    _check(actor, other)
    _end(other)


@transaction.atomic
def leave(member: Membership) -> None:
    """Ends one's own membership. Raises Conflict for the last owner, who hands over first."""
    _end(_locked(member))


@transaction.atomic
def hand_over(owner: Membership, to: Membership) -> None:
    """Makes the other an owner and oneself an admin, at once.

    Raises NotAllowed for who is no owner, Conflict for handing over to oneself.
    """
    owner, to = _locked(owner), _locked(to)
    access.require(owner, Role.OWNER)
    if owner.pk == to.pk:
        raise Conflict(_("You own this workspace already."))
    Membership.objects.filter(pk=to.pk).update(role=Role.OWNER)
    Membership.objects.filter(pk=owner.pk).update(role=Role.ADMIN)


def sole_owner_of(user: User) -> list[Workspace]:
    """The workspaces that would have no owner without this user."""
    owned = Membership.objects.filter(user=user, role=Role.OWNER).select_related("workspace")
    return [one.workspace for one in owned if not _other_owners(one)]


def _check(actor: Membership, other: Membership) -> None:
    access.require(actor, Role.ADMIN)
    if not may_touch(actor, other):
        raise NotAllowed(_("Only an owner can change or remove an owner."))


def _end(member: Membership) -> None:
    _keep_an_owner(member)
    tokens.revoke_all(member)
    Membership.objects.filter(pk=member.pk).delete()


def _keep_an_owner(member: Membership) -> None:
    if member.role == Role.OWNER and not _other_owners(member):
        raise Conflict(
            _("A workspace needs an owner. Hand it over to somebody else first, then try again.")
        )


def _other_owners(member: Membership) -> bool:
    others = Membership.objects.filter(workspace_id=member.workspace_id, role=Role.OWNER)
    return others.exclude(pk=member.pk).filter(user__is_active=True).exists()


def _locked(member: Membership) -> Membership:
    """The membership as it is now, with its whole workspace's memberships locked, in one order."""
    rows = Membership.objects.select_for_update(of=("self",)).filter(
        workspace_id=member.workspace_id
    )
    for row in rows.select_related("user", "workspace").order_by("pk"):
        if row.pk == member.pk:
            found = row
            break
    else:
        raise NotFound(_("There is no such member."))
    return found


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise Invalid(_("Choose one of the roles."), "role") from None
