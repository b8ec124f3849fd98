"""Asking the DNS for a key's record, and for what a domain says of its mail."""

from __future__ import annotations

import logging
from typing import Any

import dns.exception
import dns.name
import dns.resolver

from mailape.core import clock
from mailape.senders import dkim, domains
from mailape.senders.models import DkimFound, DkimKey

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds for one look, over all servers and tries
_STEPS = 6  # names above a domain that are asked for its DMARC record


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


def look_at(domain: str) -> domains.Found:
    """What the DNS says of this domain's mail now. Takes up to ten seconds; never raises."""
    ends = clock.monotonic() + PATIENCE
    try:
        spf = [text for text in _texts(domain, ends) if text.lower().startswith("v=spf1")]
        dmarc, at = _dmarc(domain, ends)
        return domains.Found(True, _takes_mail(domain, ends), "".join(spf[:1]), dmarc, at)
    except (dns.exception.DNSException, OSError) as fault:
        log.warning("no answer about %s (%s)", domain, type(fault).__name__)
        return domains.Found(answered=False)


def _dmarc(domain: str, ends: float) -> tuple[str, str]:
    """The record of the domain, or else of the nearest domain above it (RFC 9989's tree walk)."""
    labels = domain.split(".")
    above = [".".join(labels[place:]) for place in range(len(labels) - 1)]
    for one in [above[0], *above[1:][-_STEPS:]] if above else []:
        for text in _texts(f"_dmarc.{one}", ends):
            if text.replace(" ", "").lower().startswith("v=dmarc1"):
                return text, one
    return "", ""


def _takes_mail(domain: str, ends: float) -> bool:
    """By an MX record, or by an address where there is none (RFC 5321, 5.1); a null MX says no."""
    found = _rows(domain, "MX", ends)
    if found:
        return any(row.exchange != dns.name.root for row in found)
    return bool(_rows(domain, "A", ends) or _rows(domain, "AAAA", ends))


def _texts(name: str, ends: float) -> list[str]:
    return [b"".join(row.strings).decode("ascii", "replace") for row in _rows(name, "TXT", ends)]


def _rows(name: str, kind: str, ends: float) -> list[Any]:
    left = max(ends - clock.monotonic(), 0.1)
    try:
        return list(resolver().resolve(f"{name}.", kind, lifetime=left))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []


def resolver() -> dns.resolver.Resolver:
    """The system's. Made anew, without a cache: who asks again has just changed something."""
    return dns.resolver.Resolver()
