"""Connections at once: where a limit was set for an account, processes hold shares of it.

A share is a row that ends by itself, held as long as its connections may live. Nobody opens more
than what the others leave, so that there is no moment with too many. Where there are fewer
connections than processes they take turns: who has gone without for longer goes first.
"""

from __future__ import annotations

import os
from datetime import timedelta

from django.db import transaction

from mailape.core import clock, processes
from mailape.delivery.models import ConnectionShare, Pace

# A share outlives the time that an idle connection is kept open (`wire.server.Limits.idle`).
LASTS = timedelta(seconds=35)
# It is renewed, while it is used, when so much of it is left.
RENEW = timedelta(seconds=25)

_taken: dict[int, bool] = {}  # by process: a fork has not taken what its parent took


@transaction.atomic
def take(account_id: int, limit: int, wanted: int, still_open: int = 0) -> int:
    """How many connections this process may have now, of the account's `limit`.

    `still_open`: what it has open, which counts until it is closed.
    """
    _taken[os.getpid()] = True
    _lock(account_id)
    now = clock.now()
    ConnectionShare.objects.filter(account_id=account_id, until__lt=now).delete()
    rows = list(ConnectionShare.objects.filter(account_id=account_id))
    mine = next((row for row in rows if row.owner == _owner()), None)
    others = [row for row in rows if row.owner != _owner()]
    free = limit - sum(row.connections for row in others)
    share = max(0, min(wanted, free - _before_us(others, mine)))
    had = mine is not None and mine.connections > 0
    asked_at = now if mine is None or share or had else mine.asked_at
    ConnectionShare.objects.update_or_create(
        account_id=account_id,
        owner=_owner(),
        defaults={
            "connections": max(share, still_open),
            "asked_at": asked_at,
            "until": now + LASTS,
        },
    )
    return share


def _before_us(others: list[ConnectionShare], mine: ConnectionShare | None) -> int:
    """How many wait that have gone without for longer."""
    since = mine.asked_at if mine is not None and not mine.connections else None
    return sum(not row.connections and (since is None or row.asked_at < since) for row in others)


def renew(account_id: int) -> None:
    """The share of this process lasts on, where it has one."""
    now = clock.now()
    ConnectionShare.objects.filter(
        account_id=account_id, owner=_owner(), connections__gt=0, until__lt=now + RENEW
    ).update(until=now + LASTS)


def leave() -> None:
    """This process has no connection any more. Asks nothing where it never had a share."""
    if _taken.pop(os.getpid(), None) is None:
        return
    ConnectionShare.objects.filter(owner=_owner()).delete()


def _lock(account_id: int) -> None:
    row, _ = Pace.objects.get_or_create(account_id=account_id, domain="")
    Pace.objects.select_for_update(of=("self",)).get(pk=row.pk)


def _owner() -> str:
    return processes.identity()
