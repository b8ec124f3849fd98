"""Looks whether the way out can be gone, without sending anything: for `mailape doctor`."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from dataclasses import dataclass

from django.conf import settings

from mailape.delivery import transports
from mailape.delivery.transports import smtp
from mailape.delivery.transports.smtp import Server


@dataclass(frozen=True)
class Reached:
    """A server that greeted us and let us in. `tls` is empty where the line is in clear."""

    server: str
    tls: str
    logged_in: bool


def probe() -> Reached:
    """Connects to the server of SMTP_URL, says EHLO, STARTTLS and AUTH as sending does, and leaves.

    Raises smtp.RouteFault with what the server said.
    """
    server = Server.from_url(settings.SMTP_URL, helo=transports._helo())
    client = smtp._opened(server)
    try:
        line = client.sock
        tls = (line.version() or "") if isinstance(line, ssl.SSLSocket) else ""
        return Reached(f"{server.host}:{server.port}", tls, bool(server.user))
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.quit()
        client.close()
