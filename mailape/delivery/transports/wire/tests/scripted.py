"""The strict server on a real socket, with everything that may be wrong with a mail server.

    async with ScriptedServer(script=..., answer_delay=0.1) as server:
        ... Server("127.0.0.1", server.port) ...
        server.taken

It runs in the loop that started it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from mailape.delivery.transports.wire.core import Stage
from mailape.delivery.transports.wire.tests.simulated import CONSENTS, Does, StrictServer

Script = Callable[[Stage, str], Does]


@dataclass
class ScriptedServer:
    """`script` is made anew for each connection, by its number from 1."""

    script: Callable[[int], Script] = lambda number: lambda stage, recipient: CONSENTS
    offers: tuple[str, ...] = ("PIPELINING", "SIZE 33554432")
    offers_under_tls: tuple[str, ...] | None = None  # the same unless set
    greeting: bytes = b"220 scripted ESMTP\r\n"
    ehlo: bytes = b""  # instead of consent
    starttls: ssl.SSLContext | None = None
    starttls_answer: bytes = b"220 2.0.0 Go on\r\n"
    tls: ssl.SSLContext | None = None  # from the start
    user: str = ""
    password: str = ""
    auth_answer: bytes = b""  # instead of looking at the password
    answer_delay: float = 0.0
    piece: int = 0  # answers go out in pieces of so many octets
    piece_delay: float = 0.0
    read_limit: int = 1 << 16
    read_delay: float = 0.0
    silent_from: int = 1 << 30  # the connection with this number and all later hear no answer
    lone_dots: bool = False
    close_after_greeting: bool = False
    keep: bool = True  # the ledger, which holds all contents
    # What happened.
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    in_clear: bytes = b""
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    goodbyes: int = 0
    writes_read: list[int] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self.tls, backlog=100
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def recipients(self) -> list[str]:
        """To whom mails were taken, in that order."""
        return [recipient for recipient, _ in self.taken]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await _Line(self, self.connections, reader, writer).run()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            self._tasks.discard(task)
            writer.transport.abort()


class _Line:
    """One connection."""

    def __init__(
        self,
        house: ScriptedServer,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._house, self._number = house, number
        self._reader, self._writer = reader, writer
        self._tls = house.tls is not None
        self._strict = StrictServer(house.script(number), house.lone_dots)
        self._strict.taken = house.taken  # one ledger for all connections
        self._strict.faults = house.faults

    async def run(self) -> None:
        await self._say(self._house.greeting)
        if not self._house.greeting.startswith(b"220") or self._house.close_after_greeting:
            return
        rest = b""
        while not self._strict.closed:
            data = await self._read()
            if not data:
                return
            rest += data
            while (line := rest.partition(b"\r\n"))[1] and await self._before_mail(line[0]):
                rest = line[2]
            if rest[:4] in (b"", b"EHLO", b"STAR", b"AUTH"):
                continue
            await self._say(self._strict.receive(rest))
            rest = b""
            if not self._house.keep:
                self._house.taken.clear()
                self._strict.commands.clear()
        self._house.goodbyes += b"QUIT" in self._strict.commands
        with contextlib.suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()

    async def _read(self) -> bytes:
        await asyncio.sleep(self._house.read_delay)
        data = await self._reader.read(self._house.read_limit)
        self._house.writes_read.append(len(data))
        if not self._tls and len(self._house.in_clear) < 1 << 16:
            self._house.in_clear += data
        return data

    async def _before_mail(self, line: bytes) -> bool:
        """EHLO, STARTTLS, AUTH; False for everything else."""
        verb = line[:4].upper()
        if verb == b"EHLO":
            await self._say(self._house.ehlo or self._offer())
        elif verb == b"HELO":
            await self._say(b"250 scripted\r\n")
        elif verb == b"STAR":
            await self._start_tls()
        elif verb == b"AUTH":
            await self._auth(line)
        else:
            return False
        return True

    def _offer(self) -> bytes:
        under_tls = self._house.offers_under_tls if self._tls else None
        offers = list(self._house.offers if under_tls is None else under_tls)
        if self._house.starttls and not self._tls:
            offers.append("STARTTLS")
        if self._house.user:
            offers.append("AUTH PLAIN")
        lines = ["scripted", *offers]
        return b"".join(
            b"250%b%b\r\n" % (b" " if n == len(lines) else b"-", text.encode())
            for n, text in enumerate(lines, 1)
        )

    async def _start_tls(self) -> None:
        await self._say(self._house.starttls_answer)
        if not self._house.starttls_answer.startswith(b"220"):
            return
        assert self._house.starttls is not None
        await self._writer.start_tls(self._house.starttls)
        self._tls = True

    async def _auth(self, line: bytes) -> None:
        told = f"\0{self._house.user}\0{self._house.password}".encode()
        right = line.split()[2] == base64.b64encode(told)
        verdict = b"235 2.7.0 Welcome\r\n" if right else b"535 5.7.8 Wrong password\r\n"
        await self._say(self._house.auth_answer or verdict)

    async def _say(self, answers: bytes) -> None:
        if not answers or self._number >= self._house.silent_from:
            return
        await asyncio.sleep(self._house.answer_delay)
        size = self._house.piece or len(answers)
        for at in range(0, len(answers), size):
            self._writer.write(answers[at : at + size])
            await self._writer.drain()
            if self._house.piece:
                await asyncio.sleep(self._house.piece_delay)
