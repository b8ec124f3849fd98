"""Where a route leads, how it is protected, and how long anything there may take."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote, urlsplit

from mailape.delivery.transports.wire.core import Stage


class Tls(Enum):
    """When the line is encrypted, by the scheme of SMTP_URL."""

    WHEN_OFFERED = "smtp"  # STARTTLS when the server offers it, with whatever certificate it has
    DEMANDED = "smtp+starttls"  # nothing but EHLO and STARTTLS goes out in clear
    FROM_THE_START = "smtps"


_PORTS = {Tls.WHEN_OFFERED: 25, Tls.DEMANDED: 587, Tls.FROM_THE_START: 465}


@dataclass(frozen=True, slots=True)
class Server:
    """One mail server and the login there."""

    host: str
    port: int
    tls: Tls = Tls.WHEN_OFFERED
    user: str = ""
    password: str = field(default="", repr=False)
    helo: str = ""  # what we call ourselves; this host's full name unless set
    certificates: str = ""  # a file of certificates to trust; the system's unless set

    @classmethod
    def from_url(cls, url: str, helo: str = "") -> Server:
        """From SMTP_URL, which was checked at the start."""
        parts = urlsplit(url)
        tls = Tls(parts.scheme.lower())
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or _PORTS[tls],
            tls=tls,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            helo=helo,
        )

    @property
    def name(self) -> str:
        """Host and port, without secrets: for logs and reasons."""
        return f"{self.host}:{self.port}"

    def context(self) -> ssl.SSLContext:
        """What TLS has to be. Where it is demanded, certificate and name are verified.

        Where it is only taken when offered, somebody on the line could take the offer away, so
        asking for a good certificate would protect nothing and break servers with their own.
        """
        if self.tls is not Tls.WHEN_OFFERED:
            return ssl.create_default_context(cafile=self.certificates or None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds: each less than what RFC 5321 4.5.3.2 asks of a mail server.

    A newsletter's route is a relay that is near or ours. Waiting longer would hold up the rest;
    what is given up too early costs one mail in doubt at most.
    """

    greeting: float = 30.0  # the line, the greeting, EHLO, STARTTLS, AUTH: each (RFC: 300)
    command: float = 60.0  # RSET, MAIL, RCPT (RFC: 300), QUIT
    data: float = 60.0  # 354 (RFC: 120)
    block: float = 60.0  # while content goes out: without any progress (RFC: 180)
    content: float = 180.0  # after the dot (RFC: 600)
    idle: float = 30.0  # a connection without work is kept open this long

    def of(self, stage: Stage) -> float:
        """How long the answer to this may take."""
        if stage is Stage.CONTENT:
            return self.content
        return self.data if stage is Stage.DATA else self.command
