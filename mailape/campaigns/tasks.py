"""The task that tries links: a request never waits for a stranger's server."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from mailape.campaigns import links
from mailape.core import bell


@shared_task(name=bell.TRY_LINKS, ignore_result=True)
def try_links() -> None:
    """Tries a few of the links that writers want tried, and rings again for the rest."""
    close_old_connections()
    if links.try_some() and links.wanted().exists():
        bell.ring(bell.TRY_LINKS)
