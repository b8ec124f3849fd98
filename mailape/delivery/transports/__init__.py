"""The ways out. `current()` is the one that this instance sends by.

All have the same shape (`base`): mails go in lazily, outcomes come out, named by what to do next.
A transport lives as long as its worker process, so that connections last from task to task.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError

from mailape.core import signs
from mailape.delivery.transports import shares
from mailape.delivery.transports.base import Transport
from mailape.delivery.transports.outbox import Outbox
from mailape.delivery.transports.wire import Server, WireTransport
from mailape.senders.models import TransportAccount, TransportKind

# What a worker for machine mail alone needs: a confirmation must not wait for another's answer.
FOR_MACHINE_MAIL = 2
# Connections at once where nobody set a limit.
AT_ONCE = 16


def current(*, machine: bool = False) -> Transport:
    """The instance's way out: the server of SMTP_URL, or the Outbox.

    Its connections are this process's share of the account's, smaller for `machine` mail. Where
    somebody limited them there may be none left: see `is_full`.
    """
    transport = _opened(os.getpid(), settings.SMTP_URL)
    if isinstance(transport, WireTransport):
        route = account()
        share = _share(route)
        wanted = min(share, FOR_MACHINE_MAIL) if machine else share
        if route.connections:
            still_open = transport.open_connections
            wanted = shares.take(route.pk, route.connections, wanted, still_open)
        transport.connections = wanted
        transport.mails_per_connection = route.mails_per_connection
    return transport


def is_full(transport: Transport) -> bool:
    """Whether others hold all connections that the account may have."""
    return isinstance(transport, WireTransport) and not transport.connections


def close() -> None:
    """Ends all connections of this process."""
    if _opened.cache_info().currsize:
        for transport in _open:
            transport.close()
        _open.clear()
        _opened.cache_clear()
        with contextlib.suppress(DatabaseError):  # it ends by itself
            shares.leave()


@lru_cache(maxsize=4)
def _opened(pid: int, url: str) -> Transport:  # by process, because sockets do not survive a fork
    route = account()
    atexit.register(close)
    if route.kind == TransportKind.OUTBOX:
        return Outbox(route.pk)
    transport = WireTransport(Server.from_url(url, helo=helo()), route.pk)
    _open.append(transport)
    return transport


_open: list[Transport] = []  # also those of a parent process: closing them does nothing here


def account() -> TransportAccount:
    """The row that stands for the instance's way out, made when first asked for."""
    parts = urlsplit(settings.SMTP_URL)
    kind = TransportKind.SMTP if settings.SMTP_URL else TransportKind.OUTBOX
    server = f"{parts.hostname}:{parts.port or ''}".rstrip(":") if settings.SMTP_URL else ""
    found, _ = TransportAccount.objects.get_or_create(
        workspace=None, kind=kind, server=server, defaults={"name": str(kind.label)}
    )
    return found


def _share(route: TransportAccount) -> int:
    """The connections of the account, shared among the processes that send now."""
    queues = [set(one.queues.split(",")) for one in signs.alive("worker")]
    senders = sum("send" in served for served in queues)
    wakers = sum("wake" in served and "send" not in served for served in queues)
    most = (route.connections or AT_ONCE) - FOR_MACHINE_MAIL * wakers
    if route.connections:  # rounded up: `shares` sees to it that there are not too many
        most += max(1, senders) - 1
    return max(1, most // max(1, senders))


def helo() -> str:
    """What we call ourselves to servers: the site's name, or its address (RFC 5321, 4.1.3)."""
    host = settings.SITE_HOST or "localhost"
    if ":" in host:
        return f"[IPv6:{host}]"
    return f"[{host}]" if host.replace(".", "").isdigit() else host
