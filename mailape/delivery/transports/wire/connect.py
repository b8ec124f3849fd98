"""Opens a connection up to the point where mail can go: greeting, EHLO, STARTTLS, EHLO, AUTH.

aiosmtplib does it, and then its protocol is taken off the transport and ours put on. What goes
wrong here concerns the route and nobody's address (`RouteFault`):

  route down     no line, no answer in time, a 4xx, or no SMTP: it may work in a while
  route broken   a 5xx, a login that is refused, TLS missing or with a bad certificate: a person
                 has to mend it
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from collections.abc import Iterator
from functools import lru_cache

import aiosmtplib

from mailape.delivery.transports.base import Fate, Outcome, enhanced, one_line
from mailape.delivery.transports.wire.envelope import Offer
from mailape.delivery.transports.wire.server import Limits, Server, Tls

_READY = re.compile(rb"^220(?: [^\n]*)?\r?\n", re.MULTILINE)
_MOST_SEEN = 1 << 16  # octets; aiosmtplib gives up at half of that


class RouteFault(Exception):
    """The route cannot be used. `fate` says whether by itself or by a person it gets well."""

    def __init__(self, fate: Fate, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.fate, self.text, self.code = fate, text, code

    def outcome(self, delivery_id: int) -> Outcome:
        """What it means for a mail that waits: it was not tried."""
        return Outcome(delivery_id, self.fate, self.code, enhanced(self.text), self.text)


async def connect(
    server: Server, limits: Limits, context: ssl.SSLContext
) -> tuple[asyncio.Transport, Offer]:
    """A transport that is ready for MAIL, and what the server offers. Raises RouteFault."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls is Tls.FROM_THE_START,
        start_tls=False,
        tls_context=context,
        timeout=limits.greeting,
        local_hostname=server.helo or await asyncio.to_thread(_own_name),
    )
    try:
        await client.connect()
        await _greet(client, server)
        if server.user:
            if not client.server_auth_methods:
                raise RouteFault(Fate.ROUTE_BROKEN, f"{server.name} offers no way to log in")
            await client.login(server.user, server.password)
        transport = client.transport
        if not isinstance(transport, asyncio.Transport) or transport.is_closing():
            raise RouteFault(Fate.ROUTE_DOWN, f"{server.name} closed the line at once")
    except BaseException as fault:
        client.close()
        if isinstance(fault, (OSError, aiosmtplib.SMTPException)):
            raise _route_fault(server, fault) from fault
        raise
    return transport, Offer.read(client.esmtp_extensions)


async def _greet(client: aiosmtplib.SMTP, server: Server) -> None:
    """EHLO, and where it is called for STARTTLS and EHLO again, because what was said in clear
    does not count (RFC 3207 4.2)."""
    if server.tls is Tls.FROM_THE_START:
        return await _hello(client)
    watch = _Watch(client)
    await _hello(client)
    if client.supports_extension("starttls"):
        await client.starttls()
        if watch.too_much:
            raise RouteFault(Fate.ROUTE_BROKEN, f"{server.name}: text was put in before TLS")
        return await _hello(client)
    if server.tls is Tls.DEMANDED:
        raise RouteFault(Fate.ROUTE_BROKEN, f"{server.name} does not offer STARTTLS")
    return None


async def _hello(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as fault:
        if fault.code not in (500, 502):  # EHLO is unknown there: a server from before 1995
            raise
        await client.helo()


class _Watch(asyncio.Protocol):
    """Stands between the transport and aiosmtplib until TLS begins, and looks for text that nobody
    asked for. aiosmtplib throws such text away; we go further and do not trust the line at all.
    """

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        inner, transport = client.protocol, client.transport
        if inner is None or not isinstance(transport, asyncio.Transport):
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._inner = inner
        self._seen = b""
        transport.set_protocol(self)

    @property
    def too_much(self) -> bool:
        """Whether anything came between the answer to STARTTLS and TLS."""
        ready = _READY.search(self._seen)
        return ready is not None and ready.end() < len(self._seen)

    def data_received(self, data: bytes) -> None:
        if len(self._seen) < _MOST_SEEN:
            self._seen += data
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def _route_fault(server: Server, fault: Exception) -> RouteFault:
    """What went wrong, in words for the owner, and whether it mends itself."""
    if isinstance(fault, aiosmtplib.SMTPResponseException):
        if fault.code < 0:  # what came was no SMTP
            return RouteFault(Fate.ROUTE_DOWN, one_line(f"{server.name}: {fault.message}"))
        fate = Fate.ROUTE_DOWN if 400 <= fault.code < 500 else Fate.ROUTE_BROKEN
        return RouteFault(fate, one_line(fault.message), fault.code)
    return RouteFault(_fate_of(fault), one_line(f"{server.name}: {_words(fault)}"))


def _fate_of(fault: Exception) -> Fate:
    """TLS that does not come about and extensions that miss need a person; lines come back."""
    if any(
        isinstance(one, ssl.SSLError)
        and not isinstance(one, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
        for one in _causes(fault)
    ):
        return Fate.ROUTE_BROKEN
    if isinstance(fault, (OSError, aiosmtplib.SMTPTimeoutError)):
        return Fate.ROUTE_DOWN
    return Fate.ROUTE_BROKEN


def _words(fault: Exception) -> str:
    for one in _causes(fault):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"the certificate is not good: {one.verify_message}"
        if isinstance(one, ssl.SSLError):
            return f"TLS failed: {one.reason}"
        if isinstance(one, OSError) and one.errno:  # below 0: the resolver's own numbers
            return os.strerror(one.errno) if one.errno > 0 else str(one.strerror)
    return str(fault) or type(fault).__name__


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """The fault and what led to it."""
    found: BaseException | None = fault
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


@lru_cache(maxsize=1)
def _own_name() -> str:
    """This host's full name, asked once: a slow resolver must not cost seconds per connection."""
    name = socket.getfqdn()
    return name if name.isascii() and "." in name else "[127.0.0.1]"
