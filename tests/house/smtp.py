"""A real SMTP server with a script of answers and a ledger of what it took.

    with SmtpServer() as smtp:
        smtp.answer("451 4.7.1 Try later", to="*@slow.example", times=2)   # at RCPT, per recipient
        smtp.drop(at=Stage.DOT, times=1)                                   # took it, never said so
        ...
        letters = smtp.wait_for(3)

Each letter is in the ledger before the server answers 250. As a command, in a process of its own:

    python -m tests.house.smtp --port 2525 --ledger taken.jsonl --later 0.1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import fnmatch
import json
import logging
import os
import signal
import ssl
import threading
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.house.certificate import make_certificate
from tests.house.ledger import Letter

# Two lines for each command would be most of a test's log.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class Stage(StrEnum):
    """Where in a session something happens."""

    CONNECT = "CONNECT"  # instead of the greeting
    EHLO = "EHLO"  # and HELO
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"  # an answer instead of 354; a drop in the middle of the content
    DOT = "DOT"  # an answer refuses the letter; a drop took it and never said so
    DONE = "DONE"  # after 250


@dataclasses.dataclass
class Rule:
    """What happens at a stage, to whom, and how often to each of them.

    `to` is a pattern as in file names for the recipient (the sender at MAIL, nobody before that).
    `share` picks that part of all addresses, the same ones each time.
    """

    stage: Stage
    answer: str = ""
    drop: bool = False
    seconds: float = 0.0
    deed: Callable[[_Session], None] | None = None
    to: str = "*"
    times: int | None = None
    share: float = 1.0
    used: Counter[str] = dataclasses.field(default_factory=Counter)

    def applies(self, who: str) -> bool:
        """Whether it is this one's turn; counts it."""
        who = who.lower()
        fits = fnmatch.fnmatchcase(who, self.to.lower()) and (
            zlib.crc32(who.encode()) % 10_000 < self.share * 10_000
        )
        if not fits or (self.times is not None and self.used[who] >= self.times):
            return False
        self.used[who] += 1
        return True


class SmtpServer:
    """A server on a loopback port; `url` is what SMTP_URL takes.

    With `user` it wants AUTH (in clear too: aiosmtpd would demand TLS), with `starttls` it offers
    that, with `tls` the whole connection is encrypted. `certificate` is the file to trust, by the
    variable SSL_CERT_FILE; it names 127.0.0.1 and localhost, or, with `wrong_name`, another host.
    """

    session_type: type[_Session]

    def __init__(
        self,
        *,
        port: int = 0,
        user: str = "",
        password: str = "",
        starttls: bool = False,
        tls: bool = False,
        smtputf8: bool = False,
        wrong_name: bool = False,
        size: int = 33_554_432,
        extensions: tuple[str, ...] = (),
        ledger: Path | None = None,
    ) -> None:
        self.port, self.user, self.password = port, user, password
        self.extensions = extensions  # what EHLO offers besides: PIPELINING (it is always taken)
        self.withheld: tuple[str, ...] = ()  # what it does not offer: 8BITMIME
        self.starttls, self.tls, self.smtputf8, self.size = starttls, tls, smtputf8, size
        self.certificate: Path | None = None
        self._context: ssl.SSLContext | None = None
        if starttls or tls:
            names = ["elsewhere.example"] if wrong_name else ["localhost", "127.0.0.1"]
            self.certificate, self._context = make_certificate(names)
        self._file = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if ledger else None
        self._rules: list[Rule] = []
        self._changed = threading.Condition()
        self._open: set[_Session] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.letters: list[Letter] = []
        self.refusals: list[tuple[Stage, str, str]] = []  # stage, who, answer or "dropped"
        self.connections = 0  # so far
        self.most_at_once = 0

    # --- the script ---

    def answer(
        self, answer: str, *, at: Stage = Stage.RCPT, to: str = "*", times: int | None = None,
        share: float = 1.0,
    ) -> Rule:  # fmt: skip
        """Answers so instead of accepting; 421 closes the connection too."""
        return self._rule(Rule(at, answer=answer, to=to, times=times, share=share))

    def drop(self, *, at: Stage, to: str = "*", times: int | None = None) -> Rule:
        """Cuts the connection there without a word."""
        return self._rule(Rule(at, drop=True, to=to, times=times))

    def delay(self, seconds: float, *, at: Stage, to: str = "*", times: int | None = None) -> Rule:
        """Waits there before going on."""
        return self._rule(Rule(at, seconds=seconds, to=to, times=times))

    def call(
        self, deed: Callable[[_Session], None], *, at: Stage, to: str = "*",
        times: int | None = None,
    ) -> Rule:  # fmt: skip
        """Calls `deed` with the session there, after the delays; at DATA this cuts it as well."""
        return self._rule(Rule(at, deed=deed, drop=at == Stage.DATA, to=to, times=times))

    def follow(self, rule: Rule) -> Rule:
        """A rule of a kind of its own."""
        return self._rule(rule)

    def forget(self, rule: Rule) -> None:
        """Takes one rule back; does nothing where it is gone already."""
        with contextlib.suppress(ValueError):
            self._rules.remove(rule)

    def behave(self) -> None:
        """Forgets the script: from now on everything is accepted."""
        self._rules.clear()

    def _rule(self, rule: Rule) -> Rule:
        self._rules.append(rule)
        return rule

    def what_happens(self, stage: Stage, who: str) -> Rule:
        """The first rule whose turn it is, with the delays of all; an empty one lets it pass."""
        happens = Rule(stage)
        for rule in list(self._rules):
            if rule.stage != stage or (happens.answer or happens.drop) or not rule.applies(who):
                continue
            happens.seconds += rule.seconds
            happens.deed = rule.deed or happens.deed
            happens.answer, happens.drop = rule.answer, rule.drop
        if happens.answer or happens.drop:
            self.refusals.append((stage, who, happens.answer or "dropped"))
        return happens

    # --- the ledger ---

    def take(self, letter: Letter) -> None:
        """Writes the letter down. Comes before the answer 250."""
        if self._file is not None:
            os.write(self._file, letter.as_line().encode())
        with self._changed:
            self.letters.append(letter)
            self._changed.notify_all()

    def wait_for(self, count: int, within: float = 15.0) -> list[Letter]:
        """The letters once there are `count`; AssertionError when that takes over `within` s."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.letters) >= count, within)
            assert len(self.letters) >= count, (
                f"{len(self.letters)} of {count} letters after {within} s; "
                f"refused: {self.refusals[-5:]}"
            )
            return list(self.letters)

    def to(self, address: str) -> list[Letter]:
        """The letters that went to this address."""
        return [x for x in list(self.letters) if address.lower() in map(str.lower, x.recipients)]

    # --- running ---

    @property
    def url(self) -> str:
        """What SMTP_URL takes."""
        scheme = "smtps" if self.tls else "smtp+starttls" if self.starttls else "smtp"
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listens; again on the same port after a stop."""
        loop = self._loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="smtp", daemon=True).start()
        self._server = self._in_loop(
            loop.create_server(
                lambda: self.session_type(self, loop),
                "127.0.0.1",
                self.port,
                ssl=self._context if self.tls else None,
                backlog=1000,
            )
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Closes the port and cuts every connection."""
        if self._loop is None:
            return
        self._in_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop = None

    async def _close(self) -> None:
        self._server.close()
        for session in list(self._open):
            session.cut()
        await asyncio.sleep(0)

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- called by the sessions, in the loop's thread ---

    def opened(self, session: _Session) -> None:
        self.connections += 1
        self._open.add(session)
        self.most_at_once = max(self.most_at_once, len(self._open))

    def closed(self, session: _Session) -> None:
        self._open.discard(session)


class _Session(SMTP):
    """One connection: aiosmtpd's protocol, stopped at each stage to see what the script says."""

    offered: frozenset[str] = frozenset()  # keywords of the last answer to EHLO

    def __init__(self, house: SmtpServer, loop: asyncio.AbstractEventLoop) -> None:
        warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
        super().__init__(
            _Hooks(house),
            data_size_limit=house.size,
            enable_SMTPUTF8=house.smtputf8,
            hostname="sink.example",
            ident="MailApe's test server",
            tls_context=house._context if house.starttls else None,
            authenticator=self._login,
            auth_required=bool(house.user),
            auth_require_tls=False,
            loop=loop,
        )
        self._house = house

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self._house.opened(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._house.closed(self)
        super().connection_lost(error)

    def cut(self) -> None:
        """Ends the connection without a word."""
        if self.transport is not None:
            # A TLS transport that is half closed has nothing left to abort, and says so by this.
            with contextlib.suppress(AttributeError):
                self.transport.abort()

    def cut_gently(self) -> None:
        """Ends the connection once what was said has gone out."""
        if self.transport is not None:
            self.transport.close()

    async def stage(self, stage: Stage, who: str = "") -> Rule:
        """Waits and cuts as the script says at this stage; returns what else it says."""
        happens = self._house.what_happens(stage, who)
        await asyncio.sleep(happens.seconds)
        if happens.deed and stage is not Stage.DATA:
            happens.deed(self)
        if happens.drop and stage not in {Stage.DATA, Stage.DOT}:
            self.cut_here()
        return happens

    def cut_here(self) -> None:
        self.cut()
        raise asyncio.CancelledError  # aiosmtpd's word for a connection that is gone

    async def push(self, status: str | bytes) -> None:
        await super().push(status)
        if status[:3] in {"421", b"421"}:
            self.cut_gently()

    async def _handle_client(self) -> None:
        answer = (await self.stage(Stage.CONNECT)).answer
        if not answer:
            await super()._handle_client()
        else:
            await self.push(answer)
            self.cut_gently()

    async def smtp_EHLO(self, hostname: str) -> None:
        answer = (await self.stage(Stage.EHLO)).answer
        await (self.push(answer) if answer else super().smtp_EHLO(hostname))

    async def smtp_HELO(self, hostname: str) -> None:
        answer = (await self.stage(Stage.EHLO)).answer
        await (self.push(answer) if answer else super().smtp_HELO(hostname))

    async def smtp_AUTH(self, arg: str) -> None:
        answer = (await self.stage(Stage.AUTH)).answer
        await (self.push(answer) if answer else super().smtp_AUTH(arg))

    def _login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        known = (self._house.user.encode(), self._house.password.encode())
        right = isinstance(data, LoginPassword) and (data.login, data.password) == known
        return AuthResult(success=right, handled=False)

    async def smtp_DATA(self, arg: str) -> None:
        who = (self.envelope.rcpt_tos or [""])[0]
        happens = await self.stage(Stage.DATA, who) if who else Rule(Stage.DATA)
        if happens.drop:
            await self.push("354 Go on")
            await self._reader.read(64)
            if happens.deed:
                happens.deed(self)
            self.cut_here()
        if happens.answer:
            self._set_post_data_state()
            await self.push(happens.answer)
        else:
            await super().smtp_DATA(arg)
            await self.stage(Stage.DONE, who)


SmtpServer.session_type = _Session


class _Hooks:
    """What aiosmtpd asks of a handler. `server` is the session."""

    def __init__(self, house: SmtpServer) -> None:
        self._house = house

    async def handle_EHLO(
        self, server: _Session, session: Session, _: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        session.host_name = hostname
        offered = [line for line in lines[:-1] if not line[4:].startswith(self._house.withheld)]
        offered += [f"250-{word}" for word in self._house.extensions]
        server.offered = frozenset(line[4:].partition(" ")[0] for line in offered)
        return [*offered, lines[-1]]

    async def handle_MAIL(
        self, server: _Session, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := (await server.stage(Stage.MAIL, address)).answer:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender ok"

    async def handle_RCPT(
        self, server: _Session, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := (await server.stage(Stage.RCPT, address)).answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(self, server: _Session, session: Session, envelope: Envelope) -> str:
        happens = await server.stage(Stage.DOT, envelope.rcpt_tos[0])
        if happens.answer:
            return happens.answer
        self._house.take(
            Letter(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                content=envelope.original_content or b"",
                at=time.time(),
                tls=session.ssl is not None or self._house.tls,
                user=self._house.user if session.authenticated else "",
                options=tuple(envelope.mail_options),
            )
        )
        if happens.drop:
            server.cut_here()
        return f"250 2.0.0 Taken as {len(self._house.letters)}"


def main() -> None:
    """Runs a server until a signal ends it, then prints one JSON object of counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.smtp", description=__doc__)
    parser.add_argument("--port", type=int, default=2525, help="0 takes a free one")
    parser.add_argument("--ledger", type=Path, help="a file that gets one JSON line per letter")
    parser.add_argument("--user", default="", help="wants AUTH as this user")
    parser.add_argument("--password", default="")
    parser.add_argument("--starttls", action="store_true")
    later = "the part of all recipients that is answered 451 at first: 0.1"
    parser.add_argument("--later", type=float, default=0, metavar="SHARE", help=later)
    parser.add_argument("--times", type=int, default=1, help="how often each of those is")
    given = parser.parse_args()
    server = SmtpServer(
        port=given.port, ledger=given.ledger, user=given.user, password=given.password,
        starttls=given.starttls,
    )  # fmt: skip
    if given.later:
        server.answer("451 4.7.1 Try again later", share=given.later, times=given.times)
    with server:
        print(
            json.dumps({"url": server.url, "certificate": str(server.certificate or "")}),
            flush=True,
        )
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    recipients = Counter(to.lower() for letter in server.letters for to in letter.recipients)
    print(json.dumps({
        "letters": len(server.letters), "recipients": len(recipients),
        "twice": sum(1 for n in recipients.values() if n > 1),
        "refusals": len(server.refusals), "connections": server.connections,
        "most_at_once": server.most_at_once,
    }))  # fmt: skip


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
