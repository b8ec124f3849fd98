"""Which address a request came from, when proxies that are trusted stand in between."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN = "unknown"


def client_address(peer: str, forwarded_for: str, trusted: Iterable[Network]) -> str:
    """The client's address: the rightmost one that no trusted proxy has.

    `peer` is REMOTE_ADDR, `forwarded_for` the X-Forwarded-For header. Each proxy appends whom it
    heard from, so the header is believed from the right and only for as long as a trusted proxy
    is speaking; everything further left may have been made up by the client. An entry that is no
    address ends the walk at the proxy that sent it. `unknown` where the peer itself is none (a
    Unix socket).
    """
    networks = list(trusted)
    nearest = _read(peer)
    if nearest is None:
        return UNKNOWN
    for entry in reversed(forwarded_for.split(",")):
        if not _is_in(nearest, networks):
            break
        further = _read(_without_port(entry.strip()))
        if further is None:
            break
        nearest = further
    return str(nearest)


def of(meta: Mapping[str, Any]) -> str:
    """The client's address by a request's META, with the proxies of TRUSTED_PROXIES."""
    return client_address(
        str(meta.get("REMOTE_ADDR") or ""),
        str(meta.get("HTTP_X_FORWARDED_FOR") or ""),
        settings.TRUSTED_PROXIES,
    )


def is_loopback(address: str) -> bool:
    """Whether this is the machine itself; `unknown` (a Unix socket) is."""
    found = _read(address)
    return found is None or found.is_loopback


def _read(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        # Without its scope and as IPv4 where it is one: `::ffff:10.0.0.1` is 10.0.0.1.
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    return address


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _is_in(address: _Address, networks: list[Network]) -> bool:
    return any(address in network for network in networks)
