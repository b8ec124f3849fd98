"""One connection on asyncio: hands bytes between the transport and the core, and minds the time.

`BufferedProtocol` with a small buffer, because a plain `Protocol` has asyncio allocate 256 KiB for
each read. Time limits cost nothing per mail but one look at the clock: the pool's tick compares.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

from mailape.delivery.transports.wire.core import Core, End, Stage
from mailape.delivery.transports.wire.envelope import Offer
from mailape.delivery.transports.wire.feed import Feed
from mailape.delivery.transports.wire.server import Limits

BUFFER = 4096


class Minder(Protocol):
    """What a session tells the pool that it belongs to."""

    def wake(self) -> None:
        """The route works: more connections make sense."""
        ...

    def rests(self, session: Session) -> None:
        """Nothing is under way here any more."""
        ...

    def ended(self, session: Session) -> None:
        """The connection is over; every mail has its outcome or was given back."""
        ...


class Session(asyncio.BufferedProtocol):
    """A connection that is past EHLO and AUTH."""

    def __init__(
        self,
        minder: Minder,
        transport: asyncio.Transport,
        offer: Offer,
        limits: Limits,
        *,
        window: int = 16,
        most_mails: int | None = None,
    ) -> None:
        self.core = Core(offer, window=window, most_mails=most_mails)
        self.over = False
        self._minder = minder
        self._transport = transport
        self._block = limits.block
        self._limits = [limits.of(stage) for stage in Stage]
        self._time = asyncio.get_running_loop().time
        self.opened_at = self.idle_since = self.serves_since = self._time()
        self._deadline = inf
        self._seen = 0  # answers at the last look
        self._proven = False  # the pool knows that the route works
        self._buffer = memoryview(bytearray(BUFFER))
        self._paused = False
        self._unsent = 0
        transport.set_protocol(self)

    # --- what the pool does ---

    def serve(self, feed: Feed) -> None:
        """Works for this caller from now on; only when nothing is under way."""
        self.core.asks, self.core.hold = feed, False
        self.serves_since = self._time()
        self.wake()

    def yield_turn(self) -> None:
        """Takes no new mail until it rests, so that another caller gets its turn."""
        self.core.hold = True

    def wake(self) -> None:
        """There may be mail again."""
        if not self.over:
            self.core.fill()
            self._forward()

    def quit(self) -> None:
        """Takes no new mail, and says goodbye after those under way."""
        if not self.over:
            self.core.quit()
            self._forward()

    def cut(self, why: str, end: End = End.LOST) -> None:
        """Ends the connection here and now.

        While writing is paused more than a whole group is still in this process, so the end of the
        last content has not left it: that mail is not in doubt. (Under TLS asyncio does not tell
        so soon, and such a mail counts as in doubt: the safe side.)
        """
        if not self.over:
            self.core.break_off(end, why, unsent=self._paused)
            self._finish()

    def look_at_clock(self, now: float) -> None:
        """Ends the connection when the server lets us wait for too long."""
        if now < self._deadline or self.over:
            return
        unsent = self._transport.get_write_buffer_size()
        if self._paused and unsent < self._unsent:  # slow, but it reads
            self._unsent, self._deadline = unsent, now + self._block
            return
        stage = self.core.awaiting
        what = "the end of the content" if stage is Stage.CONTENT else stage.name if stage else ""
        self.cut(f"The server did not answer {what} in time", End.SLOW)

    # --- what asyncio calls ---

    def get_buffer(self, sizehint: int) -> memoryview:
        """The same one each time."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """The server sent something."""
        if not self.over:
            self.core.receive(bytes(self._buffer[:nbytes]))
            self._forward()

    def pause_writing(self) -> None:
        """The server reads more slowly than we write: nothing new until it has caught up."""
        self._paused = self.core.hold = True
        self._unsent = self._transport.get_write_buffer_size()
        self._deadline = self._time() + self._block

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = self.core.hold = False
        self._deadline = inf
        self.wake()

    def eof_received(self) -> bool:
        """The server will say no more."""
        self.cut("The server closed the line")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone."""
        self.cut("The line dropped" + (f": {exc}" if exc else ""))

    # --- inside ---

    def _forward(self) -> None:
        """After anything happened: bytes out, and what it means for the clock and the pool."""
        core = self.core
        if data := core.take():
            self._transport.write(data)
        if core.welcome is not self._proven:
            self._proven = True
            self._minder.wake()
        stage = core.awaiting
        if core.ended is not None:
            self._finish()
        elif stage is None:
            self._rest()
        elif (core.answers != self._seen or self._deadline == inf) and not self._paused:
            self._seen = core.answers
            self._deadline = self._time() + self._limits[stage]

    def _rest(self) -> None:
        self._deadline = inf
        if self.core.asks is not None:
            self.core.asks = None
            self.idle_since = self._time()
            self._minder.rests(self)

    def _finish(self) -> None:
        if self.over:
            return
        self.over = True
        if self.core.ended is End.QUIT:
            self._transport.close()
        else:
            self._transport.abort()
        self._minder.ended(self)
