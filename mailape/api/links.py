"""Addresses of our own, always from SITE_URL and never from the Host header."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse


def link(name: str, **ids: str) -> str:
    """The address of an endpoint by its route's name."""
    return f"{settings.SITE_URL}{reverse(f'api:{name}', kwargs=ids)}"
