"""Whether the links of a message work: tried in a task, and remembered for a while.

A writer asks for it (`ask`), the task tries what is wanted (`campaigns.tasks`), a page reads what
was found. What a stranger's server does is never waited for in a request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db.models import QuerySet

from mailape.campaigns.models import LinkFound, LinkLook
from mailape.core import bell, clock, outward

MOST = 50  # links of one message that are tried
AT_ONCE = 8
KEPT = timedelta(days=1)
FORGOTTEN = timedelta(days=7)


def ask(urls: Collection[str]) -> int:
    """Wants these tried, the first 50 of them; returns how many."""
    wanted = list(dict.fromkeys(urls))[:MOST]
    now = clock.now()
    rows = [LinkLook(key=_key(url), url=url, wanted_at=now) for url in wanted]
    LinkLook.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["key"], update_fields=["wanted_at"]
    )
    if rows:
        bell.ring(bell.TRY_LINKS)
    return len(rows)


def looks(urls: Collection[str]) -> dict[str, LinkLook]:
    """What is known of these, by address: what was tried within a day, and what is wanted."""
    keys = [_key(url) for url in dict.fromkeys(urls)][:MOST]
    found = LinkLook.objects.filter(key__in=keys)
    young = clock.now() - KEPT
    return {
        one.url: one for one in found if one.wanted_at or (one.looked_at and one.looked_at > young)
    }


def wanted() -> QuerySet[LinkLook]:
    """Those that are to be tried, the longest wanted first."""
    return LinkLook.objects.filter(wanted_at__isnull=False).order_by("wanted_at", "pk")


def try_some() -> int:
    """Tries a few at once; returns how many. Takes as long as the slowest of them."""
    rows = list(wanted()[:AT_ONCE])
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(_tried, [row.url for row in rows]))
    for row, (what, words) in zip(rows, found, strict=True):
        LinkLook.objects.filter(pk=row.pk).update(
            found=what, words=words, looked_at=clock.now(), wanted_at=None
        )
    return len(rows)


def forget() -> int:
    """Drops what was tried long ago; returns how many."""
    return LinkLook.objects.filter(looked_at__lt=clock.now() - FORGOTTEN).delete()[0]


def _tried(url: str) -> tuple[LinkFound, str]:
    try:
        code = outward.status(url)
    except outward.NotAsked as why:
        return LinkFound.NOT_TRIED, str(why)
    except outward.NoAnswer as why:
        return LinkFound.NO_ANSWER, str(why)
    if code in (404, 410):
        return LinkFound.DEAD, f"HTTP {code}"
    if code >= 500:
        return LinkFound.IN_TROUBLE, f"HTTP {code}"
    # 401, 403, 429: the server is there and does not talk to machines.
    return LinkFound.WORKS, f"HTTP {code}"


def _key(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()
