"""The one-time set-up link: how the first user claims a new instance, and nobody else does."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from mailape.accounts.models import Membership, User
from mailape.accounts.users import add
from mailape.core.errors import NotFound
from mailape.core.models import InstanceSetting

_NAME = "setup_token_hash"


def is_claimed() -> bool:
    """Whether this instance has a user."""
    return User.objects.exists()


def new_link() -> str | None:
    """A new set-up link, which ends the one before; None once the instance is claimed."""
    if is_claimed():
        return None
    token = secrets.token_urlsafe(32)
    InstanceSetting.objects.update_or_create(name=_NAME, defaults={"value": _hash(token)})
    return f"{settings.SITE_URL}/setup/{token}"


def check(token: str) -> None:
    """Raises NotFound unless this is the set-up link's token and the instance is unclaimed."""
    kept = InstanceSetting.objects.filter(name=_NAME).first()
    if is_claimed() or kept is None or not hmac.compare_digest(_hash(token), str(kept.value)):
        raise NotFound(_("This set-up link has been used, or a newer one was made."))


@transaction.atomic
def claim(token: str, email: str, password: str, name: str, workspace_name: str) -> Membership:
    """Makes the first user with a workspace, as the instance's administrator; ends the link.

    Raises NotFound for a wrong token; Invalid for what will not do, the link staying good.
    """
    # Locked, so that two who hold the link cannot both become the first user.
    list(InstanceSetting.objects.select_for_update().filter(name=_NAME))
    check(token)
    member = add(email, password, name=name, workspace_name=workspace_name, admin=True)
    InstanceSetting.objects.filter(name=_NAME).delete()
    return member


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
