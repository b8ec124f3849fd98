"""The connections of one route: opened when there is work, as many as help, closed when idle.

Everything here runs in one event loop. What goes wrong is weighed here, because a single connection
cannot tell a bad moment from a bad route:

  no connection comes about     and none is alive: the route's fate for all that wait; else no more
                                connections for a while
  connections end fruitlessly   three in a row, or one that fell silent: route down
  two drops while pipelined     one mail at a time for ten minutes: some servers, and things that
                                stand before them, offer PIPELINING and cannot do it
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from mailape.delivery.transports.base import Fate
from mailape.delivery.transports.wire.connect import RouteFault, connect
from mailape.delivery.transports.wire.core import End
from mailape.delivery.transports.wire.feed import Feed
from mailape.delivery.transports.wire.server import Limits, Server
from mailape.delivery.transports.wire.session import Session

log = logging.getLogger(__name__)

TICK = 0.25
# With other callers waiting a connection turns to the next one after so many seconds.
TURN = 0.5
# Connections in a row that ended before any mail of theirs had an outcome.
MOST_FRUITLESS = 3
# Drops while pipelined, within so many seconds, after which a route goes one by one.
MOST_DROPS = 2
DROPS_COUNT_FOR = 600.0
# How long no further connection is tried where the last one was refused.
GROW_AGAIN_AFTER = 30.0

_DROPS = frozenset({End.LOST, End.SLOW, End.GARBAGE})


class Pool:
    """Up to `connections` connections to one server."""

    def __init__(
        self,
        server: Server,
        *,
        connections: int = 8,
        mails_per_connection: int | None = None,
        limits: Limits | None = None,
        window: int = 16,
    ) -> None:
        """`window`: how many mails may be unanswered on a connection where the server offers
        CHUNKING; 1 keeps it at one."""
        self.server = server
        self.connections = connections  # may be changed at any time
        self.mails_per_connection = mails_per_connection
        self._limits = limits or Limits()
        self._window = window
        self._loop = asyncio.get_running_loop()
        self._context = server.context()
        self._feeds: deque[Feed] = deque()
        self._sessions: frozenset[Session] = frozenset()  # replaced, so any thread may read it
        self._resting: set[Session] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._matching: asyncio.Handle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._fruitless = 0
        self._drops: deque[float] = deque(maxlen=MOST_DROPS)
        self._grow_from = 0.0
        self._closed = False

    # --- what callers do ---

    async def run(self, feed: Feed) -> None:
        """Carries the feed's mails until it is closed and every mail has its outcome.

        Raises what a hook of the feed raised. Cancelled, it begins no further mail; those under way
        still get their outcome.
        """
        if self._closed:
            feed.stop(RouteFault(Fate.ROUTE_DOWN, "The transport was closed"))
        self._feeds.append(feed)
        self.wake()
        try:
            await feed.finished.wait()
        finally:
            self._feeds.remove(feed)
            feed.stop()
        if feed.fault is not None:
            raise feed.fault

    def wake(self) -> None:
        """There may be mail in a feed whose source had none."""
        self._matching = self._matching or self._loop.call_soon(self._match)

    async def close(self, grace: float = 5.0) -> None:
        """Says goodbye on every connection, after the mails under way, and cuts what takes longer
        than `grace` seconds."""
        self._closed = True
        for feed in self._feeds:
            feed.stop()
        for task in self._connecting:
            task.cancel()
        for session in self._sessions:
            session.quit()
        until = self._loop.time() + grace
        while self._sessions and self._loop.time() < until:
            await asyncio.sleep(0.01)
        for session in self._sessions:
            log.info("%s: cut while it waits for %s", self.server.name, session.core.awaiting)
            session.cut("The transport was closed")

    @property
    def open_connections(self) -> int:
        """How many connections there are."""
        return len(self._sessions)

    @property
    def in_use(self) -> int:
        """How many connections there are or are being made."""
        return len(self._sessions) + len(self._connecting)

    @property
    def appetite(self) -> int:
        """How many mails can be under way now, and one more where a connection may open for it; a
        single one until the route works."""
        sessions = self._sessions
        if not any(one.core.welcome for one in sessions):
            return 1
        return (len(sessions) < self.connections) + sum(one.core.depth for one in sessions)

    @property
    def one_by_one(self) -> bool:
        """Whether this route is kept from pipelining, because it dropped twice while it did."""
        return len(self._drops) == MOST_DROPS and (
            self._loop.time() - self._drops[0] < DROPS_COUNT_FOR
        )

    # --- what sessions tell ---

    def rests(self, session: Session) -> None:
        """A session has nothing under way."""
        self._resting.add(session)
        self.wake()

    def ended(self, session: Session) -> None:
        """A session is over."""
        self._sessions = self._sessions - {session}
        self._resting.discard(session)
        core = session.core
        if core.ended in _DROPS and core.interrupted:  # servers do close idle connections
            self._note_drop(session)
        if core.finished:
            self._fruitless = 0
        elif core.ended in _DROPS or core.ended is End.CLOSING:
            self._fruitless += MOST_FRUITLESS if core.ended is End.SLOW else 1
        if self._fruitless >= MOST_FRUITLESS:
            self._fruitless = 0
            self._stop_all(self._fault_of(session))
        self.wake()

    def _fault_of(self, session: Session) -> RouteFault:
        if session.core.ended is End.CLOSING:
            return RouteFault(Fate.ROUTE_DOWN, session.core.why, 421)
        return RouteFault(Fate.ROUTE_DOWN, f"{self.server.name}: {session.core.why}")

    def _note_drop(self, session: Session) -> None:
        """Connections that dropped at the same moment count once: that was the server's restart."""
        log.info("%s: connection over: %s", self.server.name, session.core.why)
        last = self._drops[-1] if self._drops else 0.0
        if session.core.pipelined and session.opened_at > last:
            self._drops.append(self._loop.time())

    # --- inside ---

    def _match(self) -> None:
        """Brings callers with mail and connections without work together."""
        self._matching = None
        for session in self._sessions - self._resting:
            session.wake()
        while self._resting and (feed := self._next_feed()):
            self._resting.pop().serve(feed)
        if self._may_grow() and self._next_feed():
            self._grow()

    def _next_feed(self) -> Feed | None:
        """The next caller that has mail, in turn."""
        for _ in range(len(self._feeds)):
            feed = self._feeds[0]
            self._feeds.rotate(-1)
            if feed.peek():
                return feed
        return None

    def _may_grow(self) -> bool:
        """One connection, and a mail on it, prove the way before another is tried."""
        tried, alive = len(self._connecting), len(self._sessions)
        if self._closed or alive + tried >= self.connections or tried >= max(1, alive):
            return False
        works = any(one.core.welcome for one in self._sessions)
        return not alive or (works and self._loop.time() >= self._grow_from)

    def _grow(self) -> None:
        task = self._loop.create_task(self._open_one())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _open_one(self) -> None:
        try:
            transport, offer = await connect(self.server, self._limits, self._context)
        except RouteFault as fault:
            return self._not_connected(fault)
        except Exception as fault:
            log.exception("%s: no connection", self.server.name)
            return self._not_connected(RouteFault(Fate.ROUTE_DOWN, type(fault).__name__))
        finally:
            self._connecting.discard(asyncio.current_task())
        session = Session(
            self,
            transport,
            offer.step_by_step() if self.one_by_one else offer,
            self._limits,
            window=self._window,
            most_mails=self.mails_per_connection,
        )
        self._sessions = self._sessions | {session}
        self.rests(session)
        self._tick()
        if self._closed:  # wait_for of Python 3.11 may swallow the cancelling of this task
            session.quit()
        return None

    def _not_connected(self, fault: RouteFault) -> None:
        log.warning("%s: no connection: %s %s", self.server.name, fault.code or "", fault.text)
        self._grow_from = self._loop.time() + GROW_AGAIN_AFTER
        if not self._sessions:
            self._stop_all(fault)

    def _stop_all(self, fault: RouteFault) -> None:
        for feed in self._feeds:
            feed.stop(fault)

    def _tick(self) -> None:
        """While there are connections: ends those that let us wait and those long idle."""
        if self._ticking is None and self._sessions:
            self._ticking = self._loop.call_later(TICK, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._ticking = None
        now = self._loop.time()
        too_many = len(self._sessions) - self.connections
        for session in self._sessions:
            session.look_at_clock(now)
            if len(self._feeds) > 1 and now - session.serves_since > TURN:
                session.yield_turn()
            too_long = now - session.idle_since > self._limits.idle
            if session in self._resting and (too_many > 0 or too_long):
                too_many -= 1
                self._resting.discard(session)
                session.quit()
        self._tick()
