"""Asking a stranger's web server, without being led to anything of our own.

Whoever writes a message names any address he likes, and this machine may stand where much can be
reached that the world cannot. So: only public addresses, and the one that was vetted is the one
connected to (a name may say another thing the next moment); only http and https on their own
ports; each redirect is vetted anew; nothing of the answer is read beyond its head; and all of it
ends in time, however slowly the other side speaks.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from urllib.parse import SplitResult, urljoin, urlsplit

import dns.exception
import dns.resolver

PATIENCE = 5.0  # seconds for one address, redirects included
HOPS = 4
PORTS = {"http": 80, "https": 443}
_AGENT = "MailApe (looks whether links work)"
_ADDRESSES = 8


class NotAsked(Exception):
    """The address is none that may be asked: not public, not of the web. Its text says why."""


class NoAnswer(Exception):
    """There was no answer, or none in time. Its text says why."""


def status(url: str, patience: float = PATIENCE) -> int:
    """The HTTP status that `url` ends with, redirects followed. Raises NotAsked, NoAnswer."""
    with _Deadline(patience) as deadline:
        for _hop in range(HOPS):
            code, onwards = _ask(url, deadline)
            if not onwards:
                return code
            url = urljoin(url, onwards)
    raise NoAnswer("it leads on and on")


class _Deadline:
    """Ends the sockets it was given once the time is over: a slow line resets every time-out."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self.over = False

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, line: socket.socket) -> None:
        self._socket = line
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _ask(url: str, deadline: _Deadline) -> tuple[int, str]:
    """Status and, for a redirect, where it leads. HEAD first; GET where a server knows no HEAD."""
    parts = _vetted(url)
    address = _address(parts.hostname or "", deadline.seconds)
    code, onwards = _request("HEAD", parts, address, deadline)
    if code in {403, 404, 405, 501}:
        code, onwards = _request("GET", parts, address, deadline)
    return code, onwards if 300 <= code < 400 else ""


def _vetted(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAsked("this is no address of the web") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise NotAsked("this is no address of the web")
    if port not in (None, PORTS[parts.scheme]) or parts.username or parts.password:
        raise NotAsked("it has a port or a name of its own")
    return parts


def _address(host: str, patience: float) -> str:
    """An address of this host, all of which must be public. Raises NotAsked, NoAnswer."""
    try:
        found = [str(ipaddress.ip_address(host))]
    except ValueError:
        found = _looked_up(host, patience)
    if not all(is_public(one) for one in found):
        raise NotAsked("its address is not public")
    return found[0]


def _looked_up(host: str, patience: float) -> list[str]:
    # By the DNS alone: what stands in this machine's own files is nobody else's address.
    found: list[str] = []
    try:
        resolver = dns.resolver.Resolver()
        for kind in ("A", "AAAA"):
            with suppress(dns.resolver.NoAnswer):
                answer = resolver.resolve(f"{host}.", kind, lifetime=patience)
                found += [str(row) for row in answer][:_ADDRESSES]
    except dns.resolver.NXDOMAIN:
        raise NoAnswer("there is no such domain") from None
    except (dns.exception.DNSException, OSError, UnicodeError):
        raise NoAnswer("the DNS does not answer") from None
    if not found:
        raise NoAnswer("the domain has no address")
    return found


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet, also where it hides another one."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is not None and not is_public(str(inner)):
            return False
        # NAT64 (RFC 6052): the last four octets are an IPv4 address.
        if found in ipaddress.IPv6Network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


def _request(method: str, parts: SplitResult, address: str, deadline: _Deadline) -> tuple[int, str]:
    line = _Line(parts, address, deadline)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        line.request(method, path.encode("ascii", "replace").decode(), headers={
            "Host": _host(parts), "User-Agent": _AGENT, "Accept": "*/*", "Range": "bytes=0-0",
            "Connection": "close",
        })  # fmt: skip
        answer = line.getresponse()
    except ssl.SSLCertVerificationError:
        raise NoAnswer("its certificate is not good") from None
    except (OSError, http.client.HTTPException, ValueError) as fault:
        why = "it took too long" if deadline.over else _why(fault)
        raise NoAnswer(why) from None
    finally:
        line.close()
    return answer.status, answer.getheader("Location") or ""


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


def _why(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "it took too long"
    return "it takes no connection" if isinstance(fault, OSError) else "its answer is not HTTP"


class _Line(http.client.HTTPConnection):
    """A connection to an address that was vetted, in the name of its host."""

    def __init__(self, parts: SplitResult, address: str, deadline: _Deadline) -> None:
        self._address, self._deadline = address, deadline
        self._tls = parts.scheme == "https"
        super().__init__(parts.hostname or "", PORTS[parts.scheme], timeout=deadline.seconds)

    def connect(self) -> None:
        line = socket.create_connection((self._address, self.port), self.timeout)
        self._deadline.watch(line)
        if self._tls:
            line = ssl.create_default_context().wrap_socket(line, server_hostname=self.host)
            self._deadline.watch(line)
        self.sock = line
