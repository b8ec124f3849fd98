"""Mail servers that write down what they take before they answer, and the line to them."""

from __future__ import annotations

import asyncio
from typing import Any

from chaos.simulator.machine import Machine, Process
from chaos.simulator.record import Record
from mailape.delivery.transports.base import Fate
from mailape.delivery.transports.wire.connect import RouteFault
from mailape.delivery.transports.wire.core import Stage
from mailape.delivery.transports.wire.envelope import Offer
from mailape.delivery.transports.wire.tests.simulated import CONSENTS, Does, StrictServer

OFFERS = [
    Offer(pipelining=True, sized=True),
    Offer(),
    Offer(pipelining=True, chunking=True),
    Offer(chunking=True),
]
WINDOW = 4
_DOES = {
    Stage.MAIL: [
        Does(b"451 4.3.0 Not now\r\n"),
        Does(b"421 4.3.2 Closing\r\n", closes=True),
        Does(closes=True),
        Does(b"550 5.7.1 Not you\r\n"),
        Does(mute=True),
    ],
    Stage.RCPT: [
        Does(b"450 4.2.1 Greylisted\r\n"),
        Does(b"550 5.1.1 No such mailbox\r\n"),
        Does(b"452 4.5.3 Too many\r\n"),
        Does(b"421 4.3.2 Closing\r\n", closes=True),
        Does(closes=True),
        Does(b"???\r\n"),
    ],
    Stage.DATA: [
        Does(b"451 4.3.0 Not now\r\n"),
        Does(b"554 5.7.1 No\r\n"),
        Does(b"421 4.3.2 Closing\r\n", closes=True),
        Does(closes=True),
        Does(mute=True),
    ],
    Stage.CONTENT: [
        Does(takes=True, closes=True),
        Does(b"451 4.3.0 Not now\r\n"),
        Does(b"554 5.7.1 Spam\r\n"),
        Does(closes=True),
        Does(b"25", takes=True, closes=True),
        Does(b"250 2.0.0 Ok\r\n", takes=True, closes=True),
        Does(takes=True, mute=True),
        Does(b"421 4.3.2 Closing\r\n", closes=True),
        Does(b"what?\r\n", takes=True),
    ],
    Stage.RSET: [Does(closes=True), Does(b"421 4.3.2 Closing\r\n", closes=True)],
    Stage.QUIT: [Does(closes=True)],
}


class Servers:
    """What is on the other side: one server, as moody as the schedule wants it."""

    def __init__(self, machine: Machine, record: Record) -> None:
        self.machine, self.record = machine, record
        self.offer = OFFERS[0]
        self.moody = 0.0  # how likely it does something else than consent
        self.refuses = 0.0  # how likely a connection does not come about
        self.broken = 0.0  # how likely bytes are cut, late, or lost with the line
        self.latency = 0.05

    @property
    def bound(self) -> int:
        """How many mails of a connection may be unanswered at once."""
        return WINDOW if self.offer.chunking and self.offer.pipelining else 1

    async def connect(self, *_: object) -> tuple[Any, Offer]:
        """In place of `wire.connect.connect`."""
        process = self.machine.current
        assert process is not None
        await asyncio.sleep(self.latency)
        if self.machine.chance(self.refuses):
            self.machine.say("no connection")
            if self.machine.choices.below(4) == 3:
                raise RouteFault(Fate.ROUTE_BROKEN, "5.7.1 Not you", 554)
            raise RouteFault(Fate.ROUTE_DOWN, "Connection refused")
        return Line(self, process), self.offer

    def script(self, stage: Stage, recipient: str) -> Does:
        """What the server does at a command."""
        if not self.machine.chance(self.moody):
            return CONSENTS
        does = self.machine.choices.one_of(_DOES[stage])
        words = does.answer.decode("ascii", "replace").strip() or "no answer"
        rest = [name for name in ("takes", "closes", "mute") if getattr(does, name)]
        self.machine.say(f"server, at {stage.name} {recipient}: {words} {' '.join(rest)}")
        return does


class Line(asyncio.Transport):
    """The client's end of a connection; bytes take their time, in order, and may get lost."""

    def __init__(self, servers: Servers, process: Process) -> None:
        super().__init__()
        self._servers, self._process = servers, process
        self._machine = servers.machine
        self._server = StrictServer(servers.script)
        self._protocol: Any = None
        self._up = self._down = 0.0  # when the last bytes arrive
        self._on_way: list[bytes] = []
        self._over = self._closing = False
        process.lines.add(self)
        process.lines_ever += 1
        self.number = process.lines_ever

    # --- what the session does ---

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        """Bytes on their way to the server."""
        self._process.check()
        if self._over:
            return
        for piece in self._pieces(bytes(data)):
            self._on_way.append(piece)
            self._up = max(self._up, self._machine.now + self._time())
            self._machine.after(self._up - self._machine.now, self._arrive)

    def close(self) -> None:
        """Everything that was written still arrives."""
        self._end()

    def abort(self) -> None:
        """Of what was written some may still arrive."""
        self._lose_some()
        self._end()

    # --- what happens to it ---

    def dies(self) -> None:
        """Its process is dead: what the kernel has still goes out, or some of it."""
        self._lose_some()
        self._closing = True
        self._process.lines.discard(self)

    def cut(self) -> None:
        """The line drops: what is on its way, both ways, is lost."""
        if self._over:
            return
        self._over = True
        self._lose_some()
        self._machine.say(f"a line of {self._process} drops")
        self._machine.after(self._time(), lambda: self._tell_lost(ConnectionResetError("reset")))

    # --- inside ---

    def _time(self) -> float:
        if self._machine.chance(self._servers.broken / 4):
            return 1.0
        return self._servers.latency

    def _pieces(self, data: bytes) -> list[bytes]:
        if len(data) > 1 and self._machine.chance(self._servers.broken):
            at = 1 + self._machine.choices.below(len(data) - 1)
            return [data[:at], data[at:]]
        return [data]

    def _lose_some(self) -> None:
        """Of the pieces on their way all arrive, or none, or the first in part."""
        if not self._on_way or self._machine.healing:
            return
        how = self._machine.choices.below(3)
        if how == 1:
            self._on_way[:] = [b""] * len(self._on_way)
        elif how == 2:
            first = self._on_way[0]
            part = first[: self._machine.choices.below(len(first) + 1)]
            self._on_way[:] = [part, *[b""] * (len(self._on_way) - 1)]

    def _arrive(self) -> None:
        if not self._on_way:
            return
        data = self._on_way.pop(0)
        server = self._server
        if server.closed or not data:
            return
        before = len(server.taken)
        answers = server.receive(data)
        for recipient, content in server.taken[before:]:
            self._servers.record.took(recipient, content)
        if server.closed and self._machine.chance(self._servers.broken):
            answers = answers[: self._machine.choices.below(len(answers) + 1)]
        for piece in self._pieces(answers) if answers else []:
            self._down = max(self._down, self._machine.now + self._time())
            self._machine.after(self._down - self._machine.now, lambda data=piece: self._back(data))
        if server.closed:
            self._down = max(self._down, self._machine.now + self._time())
            self._machine.after(self._down - self._machine.now, lambda: self._tell_lost(None))

    def _back(self, data: bytes) -> None:
        if not self._over and self._process.alive:
            self._process.loop.call_soon(self._hand_over, data)

    def _hand_over(self, data: bytes) -> None:
        while data and not self._over and not self._closing:
            buffer = self._protocol.get_buffer(-1)
            part, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(part)] = part
            self._protocol.buffer_updated(len(part))

    def _tell_lost(self, fault: Exception | None) -> None:
        self._over = True
        if self._process.alive:
            self._process.loop.call_soon(self._lost, fault)

    def _lost(self, fault: Exception | None) -> None:
        if not self._closing:
            self._end()
            if fault is None:
                self._protocol.eof_received()
            else:
                self._protocol.connection_lost(fault)

    def _end(self) -> None:
        self._closing = True
        self._process.lines.discard(self)
        if self._process.alive and self._protocol is not None:
            self._process.loop.call_soon(self._protocol.connection_lost, None)
