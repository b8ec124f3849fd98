"""Invitations: a place in a workspace kept for an address, for seven days.

The link in the mail is good once and for that address only. Sending again makes a new link and ends
the one before. Only a hash of the link's token is kept, as with API tokens.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailape.accounts import access, members, users
from mailape.accounts.models import Invitation, Membership, Role, User, Workspace
from mailape.core import address, clock, ids, limits, rows
from mailape.core.errors import Conflict, Invalid, NotAllowed, NotFound

GOOD_FOR = timedelta(days=7)
# Whoever invites writes to strangers: these keep a workspace from being a way to mail them.
PER_WORKSPACE = limits.Rate(50, 86_400)
PER_USER = limits.Rate(50, 86_400)
PER_ADDRESS = limits.Rate(5, 86_400)  # over the whole instance
SHOWN = 100


@transaction.atomic
def invite(actor: Membership, email: str, role: str) -> tuple[Invitation, str]:
    """Keeps a place for this address; returns the invitation and its link, which is mailed once.

    An invitation that is still open is sent again, with the role said now.
    Raises Invalid, NotAllowed for a role above the actor's own, Conflict for somebody who is a
    member already, TooMany.
    """
    who = address.parse(email)
    wanted = _grantable(actor, role)
    if Membership.objects.filter(workspace=actor.workspace, user__email_key=who.key).exists():
        raise Conflict(_("%(email)s is a member of this workspace already.") % {"email": who.typed})
    _count(actor, who.key)
    found = _open(actor.workspace).filter(email_key=who.key).first()
    if found is None:
        found = _made(actor, who, wanted)
    found.role = wanted
    return found, _new_link(found, actor)


@transaction.atomic
def again(actor: Membership, invitation: Invitation) -> str:
    """A new link for an invitation that is open or expired, good for seven days from now.

    Raises Conflict for one that was accepted or withdrawn, NotAllowed, TooMany.
    """
    _check(actor, invitation)
    _count(actor, invitation.email_key)
    return _new_link(invitation, actor)


@transaction.atomic
def withdraw(actor: Membership, invitation: Invitation) -> None:
    """Ends an invitation and its link. A second time changes nothing; Conflict once accepted."""
    if invitation.withdrawn_at is not None:
        return
    _check(actor, invitation)
    Invitation.objects.filter(pk=invitation.pk).update(withdrawn_at=clock.now())


def listed(workspace: Workspace) -> list[Invitation]:
    """The workspace's newest invitations that nobody accepted, with who sent them."""
    found = Invitation.objects.filter(workspace=workspace, accepted_at__isnull=True)
    return list(found.select_related("invited_by").order_by("-sent_at", "-pk")[:SHOWN])


def one(workspace: Workspace, public_id: str) -> Invitation:
    """The invitation with this opaque id. Raises NotFound."""
    return rows.first(
        Invitation.objects.filter(workspace=workspace, pk=ids.private("invitation", public_id)),
        _("There is no such invitation."),
    )


def by_token(token: str) -> Invitation:
    """The open invitation that a link's token is for. Raises NotFound, and says why."""
    found = (
        Invitation.objects.select_related("workspace", "invited_by")
        .filter(hash=_hash(token))
        .first()
    )
    if found is None:
        raise NotFound(_("This invitation is not known here. A newer one may have been sent."))
    if found.state == "expired":
        raise NotFound(_("This invitation has expired. Ask for a new one."))
    if found.state != "open":
        raise NotFound(_("This invitation was accepted or withdrawn."))
    return found


def invited_user(invitation: Invitation) -> User | None:
    """The user who has the invited address, if there is one."""
    return User.objects.filter(email_key=invitation.email_key).first()


@transaction.atomic
def accept(token: str, user: User) -> Membership:
    """The invited user joins. Raises NotFound for the link, NotAllowed for another's account."""
    invitation = _locked(token)
    if invitation.email_key != user.email_key:
        raise NotAllowed(
            _("This invitation is for %(email)s. Sign in with that account to accept it.")
            % {"email": invitation.email}
        )
    return _joined(invitation, user)


@transaction.atomic
def accept_as_new(token: str, name: str, password: str) -> Membership:
    """Makes an account for the invited address, which the link proves, and joins.

    Raises NotFound for the link, Invalid for the password, Conflict where there is an account.
    """
    invitation = _locked(token)
    user = users.make(invitation.email, password, name=name)
    return _joined(invitation, user)


def link(token: str) -> str:
    """The address in the mail."""
    return f"{settings.SITE_URL}/invitation/{token}"


def _joined(invitation: Invitation, user: User) -> Membership:
    member, _new = Membership.objects.get_or_create(
        user=user, workspace=invitation.workspace, defaults={"role": invitation.role}
    )
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=clock.now())
    return member


def _locked(token: str) -> Invitation:
    found = by_token(token)
    # Fifty clicks at once join once: the second finds it accepted.
    Invitation.objects.select_for_update().get(pk=found.pk)
    return by_token(token)


def _grantable(actor: Membership, role: str) -> Role:
    access.require(actor, Role.ADMIN)
    try:
        wanted = Role(role)
    except ValueError:
        raise Invalid(_("Choose one of the roles."), "role") from None
    if wanted not in members.grantable(actor):
        raise NotAllowed(_("You cannot give a role that is higher than your own."))
    return wanted


def _check(actor: Membership, invitation: Invitation) -> None:
    _grantable(actor, invitation.role)
    if invitation.accepted_at or invitation.withdrawn_at:
        raise Conflict(_("This invitation was accepted or withdrawn."))


def _count(actor: Membership, key: str) -> None:
    limits.count("invite-in", str(actor.workspace_id), PER_WORKSPACE)
    limits.count("invite-by", str(actor.user_id), PER_USER)
    limits.count("invite-to", key, PER_ADDRESS)


def _open(workspace: Workspace) -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        workspace=workspace, accepted_at__isnull=True, withdrawn_at__isnull=True
    )


def _made(actor: Membership, who: address.Address, role: Role) -> Invitation:
    try:
        with transaction.atomic():
            return Invitation.objects.create(
                workspace=actor.workspace, email=who.typed, email_key=who.key, role=role,
                hash=secrets.token_hex(32), expires_at=clock.now() + GOOD_FOR,
            )  # fmt: skip
    except IntegrityError:  # a second click made it in this moment
        return _open(actor.workspace).get(email_key=who.key)


def _new_link(invitation: Invitation, actor: Membership) -> str:
    token, now = secrets.token_urlsafe(32), clock.now()
    invitation.hash, invitation.invited_by = _hash(token), actor.user
    invitation.sent_at, invitation.expires_at = now, now + GOOD_FOR
    invitation.save(update_fields=["hash", "role", "invited_by", "sent_at", "expires_at"])
    return link(token)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
