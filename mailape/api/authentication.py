"""Who calls: an API token in the Authorization header, or a signed-in browser."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from mailape.accounts import access, tokens
from mailape.accounts.models import Membership, User
from mailape.core.errors import NotFound

# Names that other services read a token from in the address; addresses end in logs and Referers.
_IN_THE_ADDRESS = frozenset({"token", "access_token", "api_token", "api_key", "apikey", "key"})


@dataclass(frozen=True)
class Caller:
    """Somebody in a workspace. `key` tells callers apart for limits and idempotency keys."""

    member: Membership
    key: str
    source: str


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. A token in the address is refused, also a good one."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        refuse_token_in_address(request._request)
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Write the header as: Authorization: Bearer TOKEN.")
        token = tokens.find(text.strip())
        if token is None:
            raise AuthenticationFailed(_why(text.strip()))
        try:
            member = tokens.rights(token)
        except NotFound:
            raise AuthenticationFailed(
                "This token's user does not belong to its workspace any more."
            ) from None
        tokens.used(token)
        return token.user, Caller(member, f"token:{token.pk}", f"API token {token.prefix}…")

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="MailApe API"'


class Session(SessionAuthentication):
    """A signed-in browser, in the workspace that it shows. Writing needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        member = access.current(user, request._request.session.get(access.CURRENT))
        return user, Caller(member, f"user:{user.pk}:{member.workspace_id}", f"user {user.email}")


def _why(text: str) -> str:
    over = tokens.expired(text)
    if over is not None:
        return f"This token expired at {over:%Y-%m-%d %H:%M} UTC. Make a new one in the settings."
    return "This token is not valid: unknown, or revoked."


def refuse_token_in_address(request: HttpRequest) -> None:
    """Raises AuthenticationFailed when a query parameter is, or is named like, a token."""
    for name, values in request.GET.lists():
        if name.lower() in _IN_THE_ADDRESS or any(v.startswith(tokens.PREFIX) for v in values):
            raise AuthenticationFailed(
                "A token belongs in the Authorization header, never in the address. "
                "This one has been in an address: revoke it and make a new one."
            )
