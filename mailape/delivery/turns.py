"""Leases in hand, and when each of their mails may go: what `pace` gives, kept in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from mailape.core import clock
from mailape.delivery import leases, pace, retry
from mailape.delivery.leases import Lease, Row
from mailape.delivery.letters import Letters
from mailape.delivery.pace import Pacer
from mailape.delivery.retry import Result

# Seconds after which what was put off is claimed, here or elsewhere: it is asked for once a second.
CLAIMED = 1.0


class Work:
    """One lease in hand."""

    def __init__(self, lease: Lease, letters: Letters, numbers: dict[int, int]) -> None:
        self.lease, self.letters = lease, letters
        self.numbers = numbers  # of the journal, by delivery
        self.ahead = dict(lease.open)
        self.timed: set[int] = set()  # those ahead that have a moment of their own
        self.going = 0
        self.results: list[Result] = []
        self.unsure: list[Result] = []  # those that may be in the database already
        self.looked = -leases.STALE
        self.lost = False

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is ahead or on its way."""
        return not self.ahead and not self.going

    def may_go(self) -> bool:
        """Asked by the transport right before the envelope and right before the last dot."""
        return not self.lost and clock.monotonic() - self.looked < leases.STALE


class Turns:
    """The moments of mails whose domain is limited, over all works of one sender."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._timed: list[tuple[float, int, Row, Work]] = []  # a heap: when each may go
        self._due: list[float] = []  # a heap: when those put off are due

    def __bool__(self) -> bool:
        """Whether any mail in hand waits for its moment."""
        return bool(self._timed)

    def expected_before(self, end: float) -> bool:
        """Whether one that was put off is due before then, by the monotonic clock."""
        while self._due and self._due[0] < clock.monotonic() - CLAIMED:
            heappop(self._due)
        return bool(self._due) and self._due[0] < end

    def arrange(self, work: Work, rows: Iterable[Row], *, fresh: bool) -> None:
        """Gives those whose domain is limited their moment, or puts them off."""
        plan = self._pacer.plan(rows, fresh=fresh)
        for at, row in plan.timed:
            heappush(self._timed, (at, row.id, row, work))
            work.timed.add(row.id)
        now, instant = clock.now(), clock.monotonic()
        for row, until, reason in plan.held:
            work.results.append(retry.held(work.ahead.pop(row.id), now, until, reason))
            heappush(self._due, instant + (until - now).total_seconds())

    def come(self) -> Iterator[tuple[Row, Work]]:
        """Those whose moment has come, and the account's turn. Who missed it asks for another."""
        late: dict[Work, list[Row]] = {}
        while self._timed and self._timed[0][0] <= clock.monotonic() and self._pacer.wait() <= 0:
            at, _, row, work = heappop(self._timed)
            work.timed.discard(row.id)
            if clock.monotonic() - at > pace.LATE:
                late.setdefault(work, []).append(row)
            else:
                self._pacer.use()
                yield row, work
        for work, rows in late.items():
            self.arrange(work, [row for row in rows if row.id in work.ahead], fresh=False)
