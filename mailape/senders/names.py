"""Asking the DNS for a key's record."""

from __future__ import annotations

import logging

import dns.exception
import dns.resolver

from mailape.senders import dkim
from mailape.senders.models import DkimFound, DkimKey

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds for one look, over all servers and tries


def look_up(key: DkimKey) -> DkimFound:
    """What the DNS says of this key's record now. Takes up to ten seconds; never raises."""
    name = dkim.record_name(key)
    try:
        answer = resolver().resolve(f"{name}.", "TXT", lifetime=PATIENCE)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return DkimFound.MISSING
    except (dns.exception.DNSException, OSError) as fault:
        log.warning("no answer about %s (%s)", name, type(fault).__name__)
        return DkimFound.NO_ANSWER
    texts = [b"".join(row.strings).decode("ascii", "replace") for row in answer]
    return DkimFound.RIGHT if any(dkim.publishes(t, key) for t in texts) else DkimFound.OTHER


def resolver() -> dns.resolver.Resolver:
    """The system's. Made anew, without a cache: who asks again has just changed something."""
    return dns.resolver.Resolver()
