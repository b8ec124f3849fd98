"""The suppression list of a workspace: addresses and domains that are never mailed, and why."""

from __future__ import annotations

import hashlib

from django.db.models import Q

from mailape.accounts.models import Workspace
from mailape.core import address, keys
from mailape.core.errors import Invalid
from mailape.lists.models import Suppression, SuppressionKind, SuppressionReason


def suppress(
    workspace: Workspace,
    value: str,
    *,
    reason: SuppressionReason = SuppressionReason.OWNER,
    source: str = "",
) -> tuple[Suppression, bool]:
    """Suppresses an address, or a domain (`example.org` or `@example.org`).

    Returns the row and whether it is new; the first reason is kept. Raises Invalid.
    """
    kind, key = read(value)
    return Suppression.objects.get_or_create(
        workspace=workspace,
        kind=kind,
        value=key,
        defaults={"reason": reason, "source": source[:300]},
    )


def read(value: str) -> tuple[SuppressionKind, str]:
    """Whether `value` is an address or a domain, and its key. Raises Invalid for neither."""
    text = value.strip()
    if "@" in text.lstrip("@"):
        return SuppressionKind.ADDRESS, address.parse(text).key
    try:
        return SuppressionKind.DOMAIN, address.parse(f"x@{text.lstrip('@')}").domain
    except Invalid:
        raise Invalid("This is neither an e-mail address nor a domain.", "value") from None


def find(workspace: Workspace, who: address.Address) -> Suppression | None:
    """The suppression that keeps mail from this address, the narrowest first; None if none does."""
    wanted = (
        Q(kind=SuppressionKind.ADDRESS, value=who.key)
        | Q(kind=SuppressionKind.DOMAIN, value=who.domain)
        | Q(kind=SuppressionKind.ERASED, value=erased_hash(who.key))
    )
    return Suppression.objects.filter(wanted, workspace=workspace).order_by("kind").first()


def lift(row: Suppression) -> None:
    """Takes a suppression back: mail may go there again. A second time changes nothing."""
    Suppression.objects.filter(pk=row.pk).delete()


def remember_erased(workspace: Workspace, email_key: str) -> None:
    """Keeps a keyed hash of an erased person's address, so that no import takes her in again."""
    Suppression.objects.get_or_create(
        workspace=workspace,
        kind=SuppressionKind.ERASED,
        value=erased_hash(email_key),
        defaults={"reason": SuppressionReason.ERASED},
    )


def forget_erased(workspace: Workspace, email_key: str) -> None:
    """An erased person who signs up again herself is welcome."""
    Suppression.objects.filter(
        workspace=workspace, kind=SuppressionKind.ERASED, value=erased_hash(email_key)
    ).delete()


def erased_hash(email_key: str) -> str:
    """The keyed hash that stands for an erased address."""
    digest = hashlib.blake2b(
        email_key.encode(), key=keys.oldest(), digest_size=32, person=b"mailape-erased"
    )
    return digest.hexdigest()
