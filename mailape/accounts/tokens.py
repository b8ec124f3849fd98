"""API tokens: made once in full view, kept as a hash, revoked at once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q

from mailape.accounts.models import ApiToken, Membership, User
from mailape.core import clock

PREFIX = "ma_"


def add(member: Membership, name: str, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """Makes a token with this member's rights; the text is returned once and never again."""
    text = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken.objects.create(
        user=member.user,
        workspace=member.workspace,
        name=name.strip()[:80] or "token",
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
