"""Looks whether the way out can be gone, without sending anything: for `mailape doctor`."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from django.conf import settings

from mailape.delivery import transports
from mailape.delivery.transports.wire.connect import RouteFault, connect
from mailape.delivery.transports.wire.server import Limits, Server

__all__ = ["Reached", "RouteFault", "probe"]


@dataclass(frozen=True)
class Reached:
    """A server that greeted us and let us in. `tls` is empty where the line is in clear."""

    server: str
    tls: str
    logged_in: bool


def probe() -> Reached:
    """Connects to the server of SMTP_URL, says EHLO, STARTTLS and AUTH as sending does, and leaves.

    Raises RouteFault with what the server said.
    """
    server = Server.from_url(settings.SMTP_URL, helo=transports.helo())
    return asyncio.run(_reach(server))


async def _reach(server: Server) -> Reached:
    transport, _ = await connect(server, Limits(), server.context())
    try:
        line = transport.get_extra_info("ssl_object")
        tls = (line.version() or "") if isinstance(line, ssl.SSLObject) else ""
        transport.write(b"QUIT\r\n")
        return Reached(server.name, tls, bool(server.user))
    finally:
        transport.close()
