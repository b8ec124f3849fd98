"""How often somebody may call: per token or user, or per network for those without."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from mailape.core import limits, network


class PerCaller(BaseThrottle):
    """Counts in the database that all processes share, before the work is done."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            count_stranger(request)
        else:
            limits.count("api", request.auth.key, limits.rate(settings.API_RATE_USER))
        return True


def count_stranger(request: Request) -> None:
    """Counts a call without a good token against its network. Raises TooMany."""
    limits.count(
        "api-from",
        limits.network(network.of(request.META)),
        limits.rate(settings.API_RATE_ANON),
    )
