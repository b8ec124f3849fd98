"""API tokens: made once in full view, kept as a hash, revoked at once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from mailape.accounts import access
from mailape.accounts.models import RANK, ApiToken, Membership, Role, User
from mailape.accounts.users import clean_name
from mailape.core import clock
from mailape.core.errors import Invalid

PREFIX = "ma_"


def add(
    member: Membership, name: str, expires_at: datetime | None = None, role: str = ""
) -> tuple[ApiToken, str]:
    """Makes a token that may do what this member may, or what `role` may where that is less.

    The text is returned once and never again. Raises Invalid for a role above the member's own.
    """
    if role and (role not in RANK or RANK[Role(role)] > RANK[Role(member.role)]):
        raise Invalid(_("A token’s role can be your own or a lower one."), "role")
    text = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken.objects.create(
        user=member.user,
        workspace=member.workspace,
        name=clean_name(name)[:80] or "token",
        role=role,
        hash=_hash(text),
        prefix=text[:8],
        expires_at=expires_at,
    )
    return made, text


def find(text: str) -> ApiToken | None:
    """The live token with this text, with its user and workspace; None for any other."""
    if not text.startswith(PREFIX) or len(text) > 100:
        return None
    now = clock.now()
    return (
        ApiToken.objects.select_related("user", "workspace")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
        .filter(hash=_hash(text), revoked_at__isnull=True, user__is_active=True)
        .first()
    )


def expired(text: str) -> datetime | None:
    """When a token with this text expired; None for any other, a revoked one too."""
    found = ApiToken.objects.filter(hash=_hash(text[:100]), revoked_at__isnull=True).first()
    over = found is not None and found.expires_at and found.expires_at <= clock.now()
    return found.expires_at if found and over else None


def rights(token: ApiToken) -> Membership:
    """The membership that the token acts with: its user's, lowered to the token's own role.

    Lowered in memory only; it is never saved. Raises NotFound once the user left the workspace.
    """
    member = access.membership(token.user, token.workspace)
    if token.role and RANK[Role(token.role)] < RANK[Role(member.role)]:
        member.role = token.role
    return member


def revoke_all(member: Membership) -> None:
    """Ends the user's tokens in this workspace, so that coming back later revives none."""
    ApiToken.objects.filter(
        user=member.user_id, workspace=member.workspace_id, revoked_at__isnull=True
    ).update(revoked_at=clock.now())


def living(user: User) -> list[ApiToken]:
    """The user's tokens that are good now, oldest first."""
    return list(
        ApiToken.objects.select_related("workspace")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=clock.now()))
        .filter(user=user, revoked_at__isnull=True)
        .order_by("pk")
    )


def used(token: ApiToken) -> None:
    """Keeps the time of the last use, to the minute: not one write per call."""
    now = clock.now()
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def revoke(token: ApiToken) -> None:
    """Ends the token at once; a second time changes nothing."""
    ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=clock.now())


def _hash(text: str) -> str:
    # A 256-bit random text needs no slow hash: there is no dictionary to try.
    return hashlib.sha256(text.encode()).hexdigest()
