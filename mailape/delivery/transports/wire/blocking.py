"""The transport contract for a caller without an event loop: `send` blocks, the wire does not.

A pool lives in a loop in a thread of the worker process, between tasks too. Mails go over to it and
outcomes come back in lots, because each waking of the other thread costs more than a mail does. No
more mails are taken ahead than a tenth of a second of work, so that none grows old waiting, and as
many as it takes to write one lease and claim the next meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Coroutine, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from mailape.core import clock
from mailape.delivery.transports.base import NOBODY, ROUTE_FATES, Letter, Outcome, Witness
from mailape.delivery.transports.wire.feed import Feed
from mailape.delivery.transports.wire.pool import Pool
from mailape.delivery.transports.wire.server import Limits, Server

T = TypeVar("T")

# So much work, in seconds, is taken ahead of what the connections hold, and never more mails.
AHEAD = 0.1
MOST_AHEAD = 1024
# Outcomes are gathered for so long, in seconds, unless there are no more to come.
GATHER = 0.005
# The caller hears at least this often, in seconds, that we are still there.
SIGN_OF_LIFE = 0.5
# Where none may go now, the next mail is asked for after so long, in seconds.
PAUSE = 0.01


class LoopThread:
    """An event loop in a thread of its own, one per process."""

    _current: LoopThread | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self._pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="wire", daemon=True).start()

    @classmethod
    def current(cls) -> LoopThread:
        """This process's; after a fork the parent's thread does not run here."""
        with cls._lock:
            if cls._current is None or not cls._current.lives:
                cls._current = cls()
            return cls._current

    @property
    def lives(self) -> bool:
        """Whether it runs in this process; a fork leaves it behind."""
        return self._pid == os.getpid()

    def call(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Runs a coroutine there and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)


class WireTransport:
    """Pipelined SMTP behind the contract of `transports.base`.

    Letters are made and `Mail.may_go` is asked in the loop's thread. One process at a time: make
    it after a fork.
    """

    def __init__(
        self,
        server: Server,
        account_id: int,
        connections: int = 8,
        *,
        mails_per_connection: int | None = None,
        limits: Limits | None = None,
        window: int = 16,
    ) -> None:
        self.account_id = account_id
        self._thread = LoopThread.current()

        async def make() -> Pool:
            return Pool(
                server,
                connections=connections,
                mails_per_connection=mails_per_connection,
                limits=limits,
                window=window,
            )

        self._pool = self._thread.call(make())

    @property
    def connections(self) -> int:
        """The most connections that may be open; a change takes effect within a second."""
        return self._pool.connections

    @connections.setter
    def connections(self, most: int) -> None:
        self._pool.connections = most

    @property
    def open_connections(self) -> int:
        """How many connections there are or are being made."""
        return self._pool.in_use

    @property
    def mails_per_connection(self) -> int | None:
        """The most mails of a connection; a change is for connections that are opened after it."""
        return self._pool.mails_per_connection

    @mails_per_connection.setter
    def mails_per_connection(self, most: int | None) -> None:
        self._pool.mails_per_connection = most

    def send(
        self, mails: Iterable[Letter | None], witness: Witness = NOBODY
    ) -> Iterator[Outcome | None]:
        """Sends, and yields outcomes as they come; None at least once a second while it waits."""
        lane = _Lane(self._pool, self._thread.loop, witness)
        try:
            yield from lane.carry(iter(mails))
        finally:
            lane.leave()

    def close(self) -> None:
        """Says goodbye on all connections; takes at most some seconds. In a forked child it does
        nothing: they are the parent's."""
        if self._thread.lives:
            self._thread.call(self._pool.close(), timeout=10)


class _Lane:
    """Between one caller's thread and the loop's."""

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop, witness: Witness) -> None:
        self._pool = pool
        self._witness = witness
        self._loop = loop
        self._back: queue.SimpleQueue[list[Outcome] | BaseException] = queue.SimpleQueue()
        # The caller's side: mails without an outcome, and outcomes per second, of which `_counted`
        # came since `_since`.
        self._waiting = 0
        self._rate = 0.0
        self._counted = 0
        self._since = 0.0
        self._route_lost = False
        # The loop's side.
        self._telling = False
        self._gathered: list[Outcome] = []
        self._left = 0
        self._feed: Feed | None = None
        self._task: asyncio.Task[None] | None = None

    # --- the caller's thread ---

    def carry(self, mails: Iterator[Letter | None]) -> Iterator[Outcome | None]:
        """Hands mails over as there is room for them, a quarter of the room at a time."""
        self._since = clock.monotonic()
        while not self._route_lost:
            lot, later = self._next(mails)
            if not lot and not later:
                break
            if lot:
                self._waiting += len(lot)
                self._loop.call_soon_threadsafe(self._take, lot)
            room = self._room()
            yield from self._a_moment() if later else self._until(room - max(room // 4, 1))
        yield from self._until(0)

    def _next(self, mails: Iterator[Letter | None]) -> tuple[list[Letter], bool]:
        """As many mails as there is room for, and whether more can go only later."""
        lot: list[Letter] = []
        for mail in islice(mails, max(self._room() - self._waiting, 1)):
            if mail is None:
                return lot, True
            lot.append(mail)
        return lot, False

    def leave(self) -> None:
        """Takes back what has not begun; called also when the caller stops listening."""
        self._loop.call_soon_threadsafe(self._end)

    def _room(self) -> int:
        """How many mails to have out at once."""
        return self._pool.appetite + min(int(self._rate * AHEAD), MOST_AHEAD)

    def _until(self, few: int) -> Iterator[Outcome | None]:
        """Outcomes, until no more than `few` mails are without one."""
        while self._waiting > few:
            yield from self._a_moment(SIGN_OF_LIFE)

    def _a_moment(self, seconds: float = PAUSE) -> Iterator[Outcome | None]:
        """The outcomes that are there, or come within so many seconds; None where none does."""
        try:
            lot = self._back.get(timeout=seconds)
        except queue.Empty:
            yield None
            return
        if isinstance(lot, BaseException):
            raise lot
        self._measure(len(lot))
        for outcome in lot:
            self._waiting -= 1
            self._route_lost |= outcome.fate in ROUTE_FATES
            yield outcome

    def _measure(self, count: int) -> None:
        self._counted += count
        passed = clock.monotonic() - self._since
        if passed > AHEAD:
            self._rate = self._counted / passed
            self._counted, self._since = 0, self._since + passed

    # --- the loop's thread ---

    def _take(self, lot: list[Letter]) -> None:
        self._left += len(lot)
        if self._feed is None:
            self._feed = Feed(self._tell, before_dot=self._witness.before_dot)
            self._task = self._loop.create_task(self._run(self._feed))
        self._feed.extend(lot)
        self._pool.wake()

    async def _run(self, feed: Feed) -> None:
        try:
            await self._pool.run(feed)
        except Exception as fault:  # of a `may_go`: it is the caller's
            self._hand_back()
            self._back.put(fault)

    def _tell(self, outcome: Outcome) -> None:
        # The witness first: what is handed back may be acted upon in the other thread at once, and
        # then be forgotten there.
        try:
            self._witness.answered(outcome)
        finally:
            self._gather(outcome)

    def _gather(self, outcome: Outcome) -> None:
        if not self._telling:
            self._telling = True
            self._loop.call_soon(self._told)
        if not self._gathered:
            self._loop.call_later(GATHER, self._hand_back)
        self._gathered.append(outcome)
        self._left -= 1
        if not self._left:
            self._hand_back()

    def _told(self) -> None:
        """At the end of the loop's round, and before outcomes are handed back."""
        if self._telling:
            self._telling = False
            try:
                self._witness.told()
            except Exception as fault:
                if self._feed is not None:
                    self._feed.fail(fault)

    def _hand_back(self) -> None:
        self._told()
        if self._gathered:
            self._back.put(self._gathered)
            self._gathered = []

    def _end(self) -> None:
        if self._feed is not None:
            self._feed.stop()
