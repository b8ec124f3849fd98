"""Password reset: single use, an hour long, and every session ends with the old password."""

from __future__ import annotations

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.utils.translation import gettext as _

from mailape.accounts import sessions
from mailape.accounts.models import User
from mailape.accounts.users import check_password
from mailape.core import address, ids
from mailape.core.errors import Invalid, NotFound

# The token hashes the password in force, so that it is good for one change only.
_tokens = PasswordResetTokenGenerator()


def find(email: str) -> User | None:
    """The active user with this address, or None; callers answer alike in both cases."""
    try:
        key = address.parse(email).key
    except Invalid:
        return None
    return User.objects.filter(email_key=key, is_active=True).first()


def token(user: User) -> str:
    """What the reset link carries: the user's opaque id and a token."""
    return f"{user.public_id}.{_tokens.make_token(user)}"


def user_of(text: str) -> User:
    """The user that a reset link's token is for. Raises NotFound when used, old or altered."""
    public_id, _dot, token = text.partition(".")
    user = User.objects.filter(pk=ids.private("user", public_id), is_active=True).first()
    if user is None or not _tokens.check_token(user, token):
        raise NotFound(
            _("This link has been used or is older than an hour. Please ask for a new one.")
        )
    return user


@transaction.atomic
def set_password(text: str, password: str) -> User:
    """Sets the password by a reset link. Raises NotFound for the link, Invalid for the password."""
    user = user_of(text)
    user = User.objects.select_for_update().get(pk=user.pk)
    if not _tokens.check_token(user, text.partition(".")[2]):
        raise NotFound(
            _("This link has been used or is older than an hour. Please ask for a new one.")
        )
    check_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    sessions.end_all(user)
    return user
