"""Limits that all processes count together, in the database: embedded and production alike.

A window is counted with one atomic upsert, so that fifty requests at once are fifty. Kept in the
database rather than in Redis, because a limit that protects others must hold while Redis is down.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils.translation import gettext as _

from mailape.core import clock
from mailape.core.errors import TooMany

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}


@dataclass(frozen=True)
class Rate:
    """At most `count` in `seconds`."""

    count: int
    seconds: int


def rate(text: str) -> Rate:
    """Reads `1200/min`. Raises ValueError for anything else (the settings table checked it)."""
    number, _, unit = text.partition("/")
    return Rate(int(number), _UNITS[unit])


def count(what: str, who: str, limit: Rate) -> None:
    """Counts one `what` by `who`. Raises TooMany when that is over the limit.

    The last window weighs in with the share of it that is still within reach, so that nobody gets
    twice the limit round a window's edge.
    """
    now = clock.now()
    seconds = int(now.timestamp())
    window = seconds - seconds % limit.seconds
    key = f"{what}:{_short(who)}"
    before, current = _counted(key, window, limit.seconds, now)
    into = (now.timestamp() - window) / limit.seconds
    if current + before * (1 - into) > limit.count:
        raise TooMany(
            _("That was too often. Please try again a little later."),
            retry_after=max(1, window + limit.seconds - seconds),
        )


def _counted(key: str, window: int, length: int, now: datetime) -> tuple[int, int]:
    expires = datetime.fromtimestamp(window, UTC) + timedelta(seconds=2 * length)
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO core_ratecounter (key, "window", count, expires_at)'
            " VALUES (%s, %s, 1, %s)"
            ' ON CONFLICT (key, "window") DO UPDATE SET count = core_ratecounter.count + 1'
            " RETURNING count",
            [key, window, connection.ops.adapt_datetimefield_value(expires)],
        )
        current = cursor.fetchone()[0]
        cursor.execute(
            'SELECT count FROM core_ratecounter WHERE key = %s AND "window" = %s',
            [key, window - length],
        )
        row = cursor.fetchone()
    return (row[0] if row else 0), current


def _short(who: str) -> str:
    # Hashed, so that the table of counters is no list of addresses.
    return hashlib.blake2b(who.encode(), digest_size=12).hexdigest()


def network(address: str) -> str:
    """The network that an address counts for: its /24, or its /64 in IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    size = 24 if ip.version == 4 else 64
    return str(ipaddress.ip_network(f"{ip}/{size}", strict=False))
