"""Signing in by e-mail address, in any letter case."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from mailape.accounts.models import User
from mailape.core import address
from mailape.core.errors import Invalid


class ByAddress(BaseBackend):
    """Finds the user by the key of the address and checks the password."""

    def authenticate(
        self,
        request: HttpRequest | None,
        email: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> User | None:
        if email is None or password is None:
            return None
        user = _find(email)
        if user is None:
            # Hash all the same, so that the time does not tell whether the address is known.
            User().set_password(password)
            return None
        return user if user.check_password(password) and user.is_active else None

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()


def _find(email: str) -> User | None:
    try:
        key = address.parse(email).key
    except Invalid:
        return None
    return User.objects.filter(email_key=key).first()
