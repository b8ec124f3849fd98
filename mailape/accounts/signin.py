"""Signing in, throttled per address and per network."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.http import HttpRequest

from mailape.accounts.models import User
from mailape.core import limits

PER_ADDRESS = limits.rate("10/min")
PER_NETWORK = limits.rate("60/min")


def check(request: HttpRequest, email: str, password: str, network: str) -> User | None:
    """The user whose address and password these are, or None.

    Raises TooMany after too many tries, whether the address is known or not.
    """
    limits.count("sign-in", email.strip().casefold(), PER_ADDRESS)
    limits.count("sign-in-from", limits.network(network), PER_NETWORK)
    found = authenticate(request, email=email, password=password)
    return found if isinstance(found, User) else None
