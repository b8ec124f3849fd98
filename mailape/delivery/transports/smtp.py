"""Mail to an SMTP server: a plain client, one mail at a time on each of several connections.

What goes wrong is named by where it goes wrong:

    connect, greeting, EHLO, STARTTLS, AUTH, MAIL    the route: down (4xx, no line) or broken (5xx)
    RCPT, DATA, the answer to the dot                this recipient: try later (4xx), refused (5xx)
    the line drops before the last dot is out        try later; after it, until the answer: in doubt

Connections are kept between tasks and given back to the server when nobody used them for a while.
"""

from __future__ import annotations

import contextlib
import logging
import re
import smtplib
import ssl
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import unquote, urlsplit

from mailape.delivery.transports.base import ROUTE_FATES, Fate, Mail, Outcome, enhanced, one_line

log = logging.getLogger(__name__)

CONNECT = 10.0  # seconds
ANSWER = 30.0
DOT = 60.0
IDLE = 20.0
SIGN_OF_LIFE = 0.5
# What would end the address and begin a parameter or a command of its own (RFC 5321, 4.1.2).
_BREAKS_OUT = re.compile(r"[\x00-\x20\x7f<>]")
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class Server:
    """Where the route leads and how it is protected: SMTP_URL taken apart."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    helo: str = ""

    @classmethod
    def from_url(cls, url: str, helo: str = "") -> Server:
        """From a URL that the settings table has checked."""
        parts = urlsplit(url)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "localhost",
            port=parts.port or _PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            helo=helo,
        )

    def context(self) -> ssl.SSLContext:
        """Certificate and name are verified where TLS is demanded. Where it is only taken when
        offered, whoever could forge a certificate could take the offer away as well."""
        context = ssl.create_default_context()
        if self.scheme == "smtp":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class RouteFault(Exception):
    """The route cannot be used now, or not until a person mends it."""

    def __init__(self, fate: Fate, code: int, text: str) -> None:
        super().__init__(text)
        self.fate, self.code, self.text = fate, code, one_line(text)


class SmtpTransport:
    """Up to `connections` connections of this process to one server."""

    def __init__(self, server: Server, account_id: int, connections: int = 8) -> None:
        self.account_id = account_id
        self.connections = connections
        self._server = server
        self._free: list[_Connection] = []
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(max_workers=64, thread_name_prefix="smtp")
        self._works = False  # a mail has an outcome on it: more connections make sense
        self._idle: threading.Timer | None = None

    def send(self, mails: Iterable[Mail]) -> Iterator[Outcome | None]:
        """Sends over as many connections as are allowed; see the contract in `base`."""
        self._stop_timer()
        source = iter(mails)
        going: set[Future[Outcome]] = set()
        stopped = False
        while True:
            if not stopped:
                room = max(0, (self.connections if self._works else 1) - len(going))
                going |= {self._workers.submit(self._one, mail) for mail in islice(source, room)}
            if not going:
                break
            done, going = wait(going, timeout=SIGN_OF_LIFE, return_when=FIRST_COMPLETED)
            if not done:
                yield None
            for outcome in [future.result() for future in done]:
                self._works = outcome.fate not in ROUTE_FATES
                stopped = stopped or not self._works
                yield outcome
        self._start_timer()

    def close(self) -> None:
        """Says goodbye on all free connections."""
        self._stop_timer()
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            connection.close()

    def _one(self, mail: Mail) -> Outcome:
        """One mail, in a thread: on a kept connection, and on a new one if that one was gone."""
        try:
            connection = self._take()
            while True:
                outcome = connection.send(mail)
                if connection.usable:
                    with self._lock:
                        self._free.append(connection)
                if outcome is not None:
                    return outcome
                connection = _Connection(self._server)
        except RouteFault as fault:
            return Outcome(
                mail.delivery_id, fault.fate, fault.code, enhanced(fault.text), fault.text
            )

    def _take(self) -> _Connection:
        with self._lock:
            kept = self._free.pop() if self._free else None
        return kept or _Connection(self._server)

    def _start_timer(self) -> None:
        self._idle = threading.Timer(IDLE, self.close)
        self._idle.daemon = True
        self._idle.start()

    def _stop_timer(self) -> None:
        if self._idle is not None:
            self._idle.cancel()


class _Connection:
    """One connection past AUTH. `usable` says whether another mail may go over it."""

    def __init__(self, server: Server) -> None:
        """Raises RouteFault."""
        self.used = False
        self._smtp = _opened(server)

    @property
    def usable(self) -> bool:
        return self._smtp.sock is not None

    def send(self, mail: Mail) -> Outcome | None:
        """The mail's outcome; None when a kept connection turned out to be gone. Raises RouteFault.

        A server may close between two mails; nothing of this one was said then.
        """
        kept, self.used = self.used, True
        if not mail.may_go():
            return Outcome(mail.delivery_id, Fate.NOT_BEGUN)
        try:
            return self._envelope(mail) or self._content(mail)
        except RouteFault as fault:
            self.close()
            if kept and fault.fate is Fate.ROUTE_DOWN:
                return None
            raise

    def close(self) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            if self._smtp.sock is not None:
                self._smtp.sock.settimeout(1.0)
                self._smtp.quit()
        self._smtp.close()

    def _envelope(self, mail: Mail) -> Outcome | None:
        """MAIL and RCPT; an outcome if it ends there. Before RCPT all is the route's."""
        if _BREAKS_OUT.search(mail.recipient):
            text = "5.1.3 The address cannot stand in a command"
            return Outcome(mail.delivery_id, Fate.REFUSED, 0, "5.1.3", text)
        if mail.needs_utf8 and not self._smtp.has_extn("smtputf8"):
            text = "5.6.7 The mail server cannot take addresses with letters beyond ASCII"
            return Outcome(mail.delivery_id, Fate.REFUSED, 0, "5.6.7", text)
        options = ["SMTPUTF8", "BODY=8BITMIME"] if mail.needs_utf8 else []
        if self._smtp.has_extn("size"):
            options.append(f"SIZE={len(mail.content)}")
        try:
            code, words = self._say(" ".join([f"MAIL FROM:<{mail.sender}>", *options]))
        except (OSError, smtplib.SMTPException) as fault:
            raise RouteFault(Fate.ROUTE_DOWN, 0, _lost(fault)) from fault
        if code // 100 != 2:
            raise RouteFault(_route_fate(code), code, words)
        try:
            code, words = self._say(f"RCPT TO:<{mail.recipient}>")
            if code // 100 == 2:
                code, words = self._say("DATA")
                if code == 354:
                    return None
        except (OSError, smtplib.SMTPException) as fault:
            return self._dropped(mail, Fate.TRY_LATER, fault)
        return self._not_taken(mail, code, words)

    def _content(self, mail: Mail) -> Outcome:
        """The content and its last dot, in one write: if that fails the dot was not out."""
        if not mail.may_go():
            self._smtp.close()  # after 354 only a cut keeps the mail back
            return Outcome(mail.delivery_id, Fate.NOT_BEGUN)
        stuffed = mail.content.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        try:
            self._smtp.send(stuffed + b".\r\n")
        except (OSError, smtplib.SMTPException) as fault:
            return self._dropped(mail, Fate.TRY_LATER, fault)
        try:
            self._patience(DOT)
            code, words = self._answer()
            self._patience(ANSWER)
        except (OSError, smtplib.SMTPException) as fault:
            return self._dropped(mail, Fate.IN_DOUBT, fault)
        if code // 100 == 2:
            return Outcome(mail.delivery_id, Fate.SENT, code, enhanced(words), words)
        if code // 100 not in {4, 5}:
            garbage = smtplib.SMTPException(f"no answer but {words[:60]}")
            return self._dropped(mail, Fate.IN_DOUBT, garbage)
        return self._not_taken(mail, code, words)

    def _not_taken(self, mail: Mail, code: int, words: str) -> Outcome:
        """4xx or 5xx that concerns this recipient. RSET makes the connection fit for the next."""
        fate = Fate.REFUSED if code // 100 == 5 else Fate.TRY_LATER
        try:
            if code == 421 or self._say("RSET")[0] // 100 != 2:
                self._smtp.close()
        except (OSError, smtplib.SMTPException):
            self._smtp.close()
        return Outcome(mail.delivery_id, fate, code, enhanced(words), words)

    def _dropped(self, mail: Mail, fate: Fate, fault: Exception) -> Outcome:
        self._smtp.close()
        return Outcome(mail.delivery_id, fate, 0, "", _lost(fault))

    def _say(self, command: str) -> tuple[int, str]:
        self._smtp.send(f"{command}\r\n".encode())
        return self._answer()

    def _answer(self) -> tuple[int, str]:
        code, words = self._smtp.getreply()
        return code, one_line(words.decode("utf-8", "replace"))

    def _patience(self, seconds: float) -> None:
        if self._smtp.sock is not None:
            self._smtp.sock.settimeout(seconds)


def _opened(server: Server) -> smtplib.SMTP:
    try:
        return _handshake(server, clear=False)
    except RouteFault:
        raise
    except ssl.SSLCertVerificationError as fault:
        text = f"The certificate of {server.host} is not good: {fault.verify_message}"
        raise RouteFault(Fate.ROUTE_BROKEN, 0, text) from fault
    except ssl.SSLEOFError as fault:
        raise RouteFault(Fate.ROUTE_DOWN, 0, _unreachable(server, fault)) from fault
    except ssl.SSLError as fault:
        if server.scheme == "smtp":
            # It offers TLS and cannot do it; where TLS was not demanded, mail goes without.
            log.warning("%s offers TLS and fails at it; going on without", server.host)
            return _in_clear(server)
        raise RouteFault(Fate.ROUTE_BROKEN, 0, f"TLS failed: {fault.reason}") from fault
    except (OSError, smtplib.SMTPException) as fault:
        raise RouteFault(Fate.ROUTE_DOWN, 0, _unreachable(server, fault)) from fault


def _in_clear(server: Server) -> smtplib.SMTP:
    try:
        return _handshake(server, clear=True)
    except (OSError, smtplib.SMTPException) as fault:
        raise RouteFault(Fate.ROUTE_DOWN, 0, _unreachable(server, fault)) from fault


def _handshake(server: Server, *, clear: bool) -> smtplib.SMTP:
    """Greeting, EHLO, STARTTLS, AUTH. Raises RouteFault, and what sockets and TLS raise."""
    client: smtplib.SMTP
    if server.scheme == "smtps":
        client = smtplib.SMTP_SSL(
            timeout=CONNECT, local_hostname=server.helo, context=server.context()
        )
    else:
        client = smtplib.SMTP(timeout=CONNECT, local_hostname=server.helo)
    try:
        client._host = server.host  # type: ignore[attr-defined]  # the name that TLS verifies
        _expect(*client.connect(server.host, server.port))
        if client.sock is not None:
            client.sock.settimeout(ANSWER)
        _expect(*client.ehlo())
        if server.scheme != "smtps" and not clear:
            _start_tls(client, server)
        if server.user:
            _login(client, server)
    except BaseException:
        client.close()
        raise
    return client


def _start_tls(client: smtplib.SMTP, server: Server) -> None:
    if not client.has_extn("starttls"):
        if server.scheme == "smtp":
            return
        text = f"{server.host} does not offer STARTTLS, and nothing is sent in clear"
        raise RouteFault(Fate.ROUTE_BROKEN, 0, text)
    code, words = client.starttls(context=server.context())
    if code // 100 != 2 and server.scheme == "smtp":
        return
    _expect(code, words)
    _expect(*client.ehlo())


def _login(client: smtplib.SMTP, server: Server) -> None:
    try:
        client.login(server.user, server.password)
    except smtplib.SMTPAuthenticationError as fault:
        _expect(fault.smtp_code, fault.smtp_error)
    except smtplib.SMTPNotSupportedError as fault:
        text = f"{server.host} offers no way to log in"
        raise RouteFault(Fate.ROUTE_BROKEN, 0, text) from fault


def _expect(code: int, words: bytes | str) -> None:
    if code // 100 not in {2, 3}:
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        raise RouteFault(_route_fate(code), code, text)


def _route_fate(code: int) -> Fate:
    return Fate.ROUTE_BROKEN if code // 100 == 5 else Fate.ROUTE_DOWN


def _unreachable(server: Server, fault: Exception) -> str:
    return f"The mail server {server.host}:{server.port} cannot be reached: {_lost(fault)}"


def _lost(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "no answer in time"
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return one_line(str(fault)) or type(fault).__name__
