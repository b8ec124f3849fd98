"""Sending what leases hold: rows become mails, mails go out, outcomes become states.

    claim ─▶ look ─▶ render ─▶ transport ─▶ decide ─▶ write
      ▲       ▲                    │                    │
      │       │                 journal                 │
      │       └──────── once a second ──────────────────┤
      └────────────── while there is more ──────────────┘

The mails of several leases follow each other through one transport, so that the wire never waits
for a claim or a write. No mail starts, and none ends, unless lease, message and the reader's wish
to get it were looked at within the last five seconds. What cannot be taken back is in the journal
before it happens; results are written when a lease is done, or once a second, in one transaction
under the lease's fence. A database that is away is waited for: what went out must become known.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import connection

from mailape.campaigns.models import Status
from mailape.core import clock, failpoints
from mailape.core.errors import DATABASE_AWAY
from mailape.delivery import journal, leases, progress, retry, status, watch
from mailape.delivery.halt import halt
from mailape.delivery.journal import Journal, JournalBroken
from mailape.delivery.leases import BatchLease, Lease, LeaseLost, Row, SinglesLease
from mailape.delivery.letters import Letters
from mailape.delivery.oversize import Oversize
from mailape.delivery.pace import Pacer
from mailape.delivery.retry import Result
from mailape.delivery.signing import Ring
from mailape.delivery.transports.base import ROUTE_FATES, Fate, Letter, Mail, Outcome, Transport
from mailape.delivery.turns import Turns, Work

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two looks, and at most between two writes
WRITE = 1000  # outcomes at most between two writes of a lease
PATIENCE = 2.0  # seconds that an account's limit is waited for with leases in hand
LONGEST_HELD = 60.0  # seconds that they are given back for at the most
GRACE = 2.0  # seconds beyond the deadline, for those that have a moment of their own already
MOMENT = 0.25  # seconds between two claims while some wait for their moment
STUBBORN = 60.0  # seconds that a database is waited for with outcomes in hand


def run(
    claims: Iterable[Lease | None], transport: Transport, deadline: float, *, machine: bool = False
) -> bool:
    """Sends what the claims hold until there is none or the monotonic clock passes `deadline`.

    `claims` is asked for the next lease when the mails of the last one have been taken; None says
    that there is none at the moment. Says whether the way is open: after False there is no use in
    claiming more at once.
    """
    sending = _Sending(iter(claims), transport, deadline, Pacer(transport.account_id, machine))
    try:
        sending.go()
    finally:
        sending.end()
    return not sending.faults and not sending.broken and not sending.held_for


class _Sending:
    """Leases on their way through the transport. It is the transport's witness, too."""

    def __init__(
        self,
        claims: Iterator[Lease | None],
        transport: Transport,
        deadline: float,
        pacer: Pacer | None = None,
    ) -> None:
        self.held_for = 0.0  # seconds that the account lets nothing go
        self._pacer = pacer or Pacer(transport.account_id)
        self._paced = self._pacer.active
        self._turns = Turns(self._pacer)
        self._ring = Ring(transport.account_id)
        self._oversize = Oversize()
        self.faults: dict[int, Outcome] = {}  # by message: what the route said
        self.broken: JournalBroken | None = None
        self._claims, self._transport, self._deadline = claims, transport, deadline
        self._journal: Journal | None = None
        self._works: list[Work] = []
        self._going: dict[int, tuple[Row, Work]] = {}
        self._out: set[int] = set()  # of these: last dot out, no answer yet
        self._barred: frozenset[int] = frozenset()  # of these: to be kept back as far as that goes
        self._newsletters: set[int] = set()
        self._reasons: dict[int, str] = {}  # by message: why it did not get on so far
        self._looked = 0.0
        self._time = (0.0, clock.now())
        self._stopped = False
        self._fault: Exception | None = None

    def go(self) -> None:
        """Sends; returns, or raises what went wrong, when nothing is on its way any more.

        Whatever goes wrong here meanwhile keeps back the mails that have not begun, and those only:
        the ones on the wire get an outcome, and nobody may send them before it is known.
        """
        try:
            for outcome in self._transport.send(self._mails(), self):
                self._heard(outcome)
            if self._fault is not None:
                raise self._fault
        except JournalBroken as fault:
            log.exception("sending stops: what goes out could not be recorded")
            self.broken = fault

    def _heard(self, outcome: Outcome | None) -> None:
        try:
            if outcome is not None:
                self._take(outcome)
            if clock.monotonic() - self._looked >= LOOK:
                self._look()
        except Exception as fault:
            self._stop(fault)

    def _stop(self, fault: Exception) -> None:
        self._stopped = True
        self._fault = self._fault or fault

    def end(self) -> None:
        """Writes what is known, gives the rest back as far as it is ours, says what is over."""
        for work in list(self._works):
            self._close(work)
        try:
            self._pacer.end()
            self._tell()
            for message_id in self._newsletters:
                progress.finish(message_id)
        except DATABASE_AWAY as fault:
            log.warning("the end of a message was not noted (%s)", type(fault).__name__)

    # --- what goes out ---

    def _mails(self) -> Iterator[Letter | None]:
        """The mails one by one, each when it can go soon; none after a fault."""
        try:
            yield from self._of_leases()
        except Exception as fault:
            self._stop(fault)

    def _of_leases(self) -> Iterator[Letter | None]:
        for lease in self._claims:
            if lease is not None:
                work = self._take_up(lease)
                yield from self._of(work)
                if isinstance(lease, SinglesLease) and lease.alone:
                    yield from self._until_over(work)
            elif self._turns or self._turns.expected_before(self._deadline):
                yield from self._meanwhile()
            else:
                break
            if not self._goes_on():
                break
        # Moments that were handed out for them would be lost to everybody.
        while self._turns and self._goes_on(GRACE):
            yield from self._meanwhile(GRACE)

    def _until_over(self, work: Work) -> Iterator[Letter | None]:
        """Nothing besides it: should we die of it, no other is to blame."""
        while not work.is_over and self._goes_on():
            yield from self._timely()
            yield None

    def _of(self, work: Work) -> Iterator[Letter | None]:
        rows = [row for row in work.ahead.values() if row.id not in work.timed]
        for row, letter in work.letters.ahead(rows, work.may_go):
            if self._paced and row.id in work.ahead:  # else a look took it out: its turn is free
                yield from self._turn()
            if not self._goes_on():
                return
            if (taken := self._taken(row, work, letter)) is not None:
                yield taken
        if work.is_over and work in self._works:  # nothing of it was to be sent
            self._close(work)

    def _taken(self, row: Row, work: Work, letter: Letter | Outcome) -> Letter | None:
        """The letter, on its way from now on; None where it is not to be sent."""
        if work.ahead.pop(row.id, None) is None:
            return None  # a look took it out
        if isinstance(letter, Outcome):
            self._unmade(row, work, letter)
            return None
        self._going[row.id] = row, work
        work.going += 1
        failpoints.reach("before-mail")
        return letter

    # --- at which pace: see `pace` ---

    def _turn(self) -> Iterator[Letter | None]:
        """Waits until the account lets the next mail go; meanwhile those go whose time it is."""
        while self._goes_on():
            yield from self._timely()
            wait = self._pacer.wait()
            if wait <= 0:
                self._pacer.use()
                return
            if wait > PATIENCE:
                self.held_for, self._stopped = wait, True
                return
            yield None

    def _meanwhile(self, grace: float = 0.0) -> Iterator[Letter | None]:
        """For a moment: those whose time it is, and else nothing."""
        end = clock.monotonic() + MOMENT
        while self._goes_on(grace) and clock.monotonic() < end:
            yield from self._timely()
            if self._paced and (wait := self._pacer.wait()) > PATIENCE:
                self.held_for, self._stopped = wait, True
            yield None

    def _timely(self) -> Iterator[Letter]:
        for row, work in self._turns.come():
            letter = self._taken(row, work, work.letters.letter(row, work.may_go))
            if letter is not None:
                yield letter
            elif work.is_over and work in self._works:
                self._close(work)

    def _goes_on(self, grace: float = 0.0) -> bool:
        now = clock.monotonic()
        if now - self._looked >= LOOK:
            self._look()
        return not self._stopped and now < self._deadline + grace

    def _take_up(self, lease: Lease) -> Work:
        """Notes the claim in the journal, before anything of it goes out, and looks at it."""
        failpoints.reach("claimed")
        self._journal = self._journal or journal.mine()
        work = Work(lease, Letters(lease.open.values(), self._ring), {})
        self._works.append(work)
        work.numbers = lease.noted_in(self._journal, self._transport.account_id)
        self._newsletters |= {row.message_id for row in work.ahead.values() if row.counted}
        self._look_at([work])
        if self._paced:
            fresh = isinstance(lease, BatchLease)
            self._turns.arrange(work, work.ahead.values(), fresh=fresh)
        return work

    def _unmade(self, row: Row, work: Work, outcome: Outcome) -> None:
        """Without a mail. Where it cannot be signed, or read, it is as if the way out was broken:
        the message pauses, single mail waits, nobody is blamed."""
        if outcome.fate in ROUTE_FATES:
            log.error("message %s cannot go out: %s", row.message_id, outcome.text)
            if row.message_id not in self.faults:  # now, or its batch is claimed again at once
                halt(row.message_id, _why(outcome), outcome.answer)
            self.faults[row.message_id] = outcome
        result = self._decided(row, work, outcome)
        if result is None:
            work.ahead.clear()
        else:
            work.results.append(result)

    # --- what the transport tells at once, in its own thread: see `transports.base.Witness` ---

    def before_dot(self, mail: Mail) -> bool:
        """The journal has a line before the bytes with the last dot go out."""
        found = self._going.get(mail.delivery_id)
        if found is None or self._journal is None or not mail.may_go():
            return False
        if mail.delivery_id in self._barred:
            return False
        failpoints.reach("before-dot")
        self._journal.dots(found[1].numbers[mail.delivery_id], (mail.delivery_id,))
        self._out.add(mail.delivery_id)
        return True

    def answered(self, outcome: Outcome) -> None:
        """And a line when the answer has come."""
        failpoints.reach("after-answer")
        row, work = self._going[outcome.delivery_id]
        if self._journal is not None:
            self._journal.heard(work.numbers[row.id], row.id, retry.noted(outcome))

    def told(self) -> None:
        """Those lines are in the journal."""
        if self._journal is not None:
            self._journal.keep()
        failpoints.reach("after-journal")

    # --- what became of it ---

    def _take(self, outcome: Outcome) -> None:
        row, work = self._going.pop(outcome.delivery_id)
        self._out.discard(outcome.delivery_id)
        work.going -= 1
        if self._paced or outcome.fate is not Fate.SENT:
            self._pacer.heard(row, outcome)
        if outcome.fate in ROUTE_FATES:
            self.faults[row.message_id] = outcome
        if outcome.fate is Fate.IN_DOUBT:
            log.warning("delivery %s is in doubt: %s", row.id, outcome.text)
        if outcome.fate is Fate.TOO_LARGE:
            outcome = self._too_large(row, work, outcome)
        elif self._oversize.seen and outcome.fate is Fate.SENT:
            self._oversize.fitted(row.message_id)
        result = self._decided(row, work, outcome)
        if result is not None:
            work.results.append(result)
        if work.is_over:
            self._close(work)
        elif len(work.results) >= WRITE:
            self._write(work)

    def _too_large(self, row: Row, work: Work, outcome: Outcome) -> Outcome:
        results = work.results if isinstance(work.lease, BatchLease) else ()
        try:
            return self._oversize.judged(row, outcome, results, last=work.is_over)
        except DATABASE_AWAY as fault:
            log.warning("sending stops: the database is away (%s)", type(fault).__name__)
            self._stopped = True
            return outcome._replace(fate=Fate.NOT_BEGUN)

    def _decided(self, row: Row, work: Work, outcome: Outcome) -> Result | None:
        single = not isinstance(work.lease, BatchLease)
        account = self._transport.account_id
        return retry.decide(row, outcome, self._now(), single=single, account_id=account)

    def _now(self) -> datetime:
        """The time, to a hundredth of a second: what came together is recorded together."""
        read, _ = self._time
        if clock.monotonic() - read > 0.01:
            self._time = clock.monotonic(), clock.now()
        return self._time[1]

    def _close(self, work: Work) -> None:
        """The lease is done, or we are: its results are written, what is left is given back."""
        self._works.remove(work)
        if work.lost:
            log.warning("a lease was lost; %s mails were on their way", work.going)
        try:
            self._write(work)
            if work.going:  # the way out broke down under them: the journal will tell
                log.error("nobody said what became of %s mails", work.going)
                return
            if work.lease.open:
                wait = timedelta(seconds=min(self.held_for, LONGEST_HELD))
                status.give_back(work.lease, wait)
            if self._journal is not None:
                self._journal.written(work.numbers.values())
        except DATABASE_AWAY as fault:  # the lease stays ours, the journal has what is unwritten
            log.warning("a lease was not given back (%s)", type(fault).__name__)
            self._stopped = True
        except JournalBroken as fault:  # replayed once more than needed, which changes nothing
            self.broken = self.broken or fault

    # --- what changed meanwhile ---

    def _look(self) -> None:
        self._look_at(list(self._works))
        self._ring.forget()
        try:
            self._pacer.look()
            self._paced = self._pacer.active
        except DATABASE_AWAY as fault:
            log.warning("limits were not read (%s)", type(fault).__name__)
        if self._journal is not None:
            self._journal.sync()

    def _look_at(self, works: list[Work]) -> None:
        """Writes, renews, and takes out of what is ahead whatever must not be sent any more."""
        # A look is as old as its beginning: the database may be slow, or this process stopped
        # between reading what has changed by now and saying that it was read.
        began = self._looked = clock.monotonic()
        try:
            for work in works:
                self._write(work)
                self._hold(work)
            held = [work for work in works if not work.lost]
            statuses = watch.messages({row for work in held for row in work.lease.message_ids})
            for work in held:
                self._heed(work, statuses)
                taken = [row for row, of in list(self._going.values()) if of is work]
                unwanted = watch.unwanted([*work.ahead.values(), *taken])
                self._skip(work, unwanted)
                work.looked = began
                self._bar(work, [row for row in taken if _is_over(row, unwanted, statuses)])
        except DATABASE_AWAY as fault:
            log.warning("sending stops: the database is away (%s)", type(fault).__name__)
            self._stopped = True

    def _hold(self, work: Work) -> None:
        try:
            if work.lease.left < leases.length().total_seconds() * 2 / 3:
                status.renew(work.lease)
            else:
                status.check(work.lease)
        except LeaseLost:
            self._lose(work)

    def _lose(self, work: Work) -> None:
        """A batch is lost as a whole. Of singles some are somebody else's now; the rest is ours,
        and what went out of it must become known."""
        if isinstance(work.lease, BatchLease):
            work.lost = True
            work.ahead.clear()
            return
        for pk in work.ahead.keys() - work.lease.open.keys():
            del work.ahead[pk]
        going = {pk for pk, (_, of) in list(self._going.items()) if of is work}
        self._barred |= going - work.lease.open.keys()

    def _heed(self, work: Work, messages: dict[int, tuple[str, str]]) -> None:
        """Paused messages wait, cancelled ones are wound up by the builder."""
        self._reasons |= {pk: reason for pk, (_, reason) in messages.items()}
        for row in list(work.ahead.values()):
            if messages.get(row.message_id, ("", ""))[0] != Status.SENDING:
                del work.ahead[row.id]

    def _skip(self, work: Work, unwanted: dict[int, str]) -> None:
        now = clock.now()
        for pk in unwanted.keys() & work.ahead.keys():
            work.results.append(retry.skipped(work.ahead.pop(pk), now, unwanted[pk]))

    def _bar(self, work: Work, rows: list[Row]) -> None:
        """Keeps these back, which the transport has already. It may hold them for long, where a
        server lets it wait, and cannot be asked for single ones: so nothing of this lease begins
        before all of them have come back or are out. What comes back is claimed anew."""
        if rows:
            self._barred = self._barred.intersection(self._going) | {row.id for row in rows}
            if not self._barred <= self._out:
                work.looked = -leases.STALE

    # --- what is written ---

    def _write(self, work: Work) -> None:
        """Writes what is new. Raises what says that the database is away; nothing is forgotten."""
        if work.unsure and not work.lost:
            self._write_lot(work, tried=True)
        work.unsure, work.results = work.results, []
        if work.unsure and not work.lost:
            self._write_lot(work, tried=False)

    def _write_lot(self, work: Work, *, tried: bool) -> None:
        failpoints.reach("before-commit")
        lot = work.unsure
        try:
            _stubbornly(work.lease, lot, tried=tried)
        except LeaseLost:
            self._lose(work)
        # Also where it turned out to be written before, by a COMMIT whose answer was lost.
        for result in lot:
            work.lease.open.pop(result.id, None)
        work.unsure = []
        failpoints.reach("after-commit")

    def _tell(self) -> None:
        """Says on the message what its route does."""
        for message_id in self._newsletters:
            fault = self.faults.get(message_id)
            if self.broken is not None:
                progress.note(message_id, f"Nothing is sent now. {self.broken}")
            elif fault is None and self.held_for:
                progress.note(message_id, self._pacer.why)
            elif fault is None:
                if self._reasons.get(message_id):
                    progress.note(message_id, "")
            elif fault.fate is Fate.ROUTE_DOWN:
                progress.note(message_id, f"Waits for the mail server. {fault.answer}")
            else:
                halt(message_id, _why(fault), fault.answer)


def _is_over(row: Row, unwanted: dict[int, str], messages: dict[int, tuple[str, str]]) -> bool:
    """Whether this mail is not to be sent any more."""
    return row.id in unwanted or messages.get(row.message_id, ("", ""))[0] != Status.SENDING


def _why(fault: Outcome) -> str:
    # What has no code was not said by a server: it cannot be signed, read, or connected to.
    return f"The mail server refuses us: {fault.answer}" if fault.code else fault.answer


def _stubbornly(lease: Lease, results: list[Result], *, tried: bool) -> None:
    """Writes; while the database is away, tries again for a minute.

    A connection that is cut behind COMMIT leaves open whether it was done, so that is looked up.
    """
    end = clock.monotonic() + STUBBORN
    while True:
        try:
            if not (tried and status.is_written(lease, results)):
                status.write(lease, results)
        except DATABASE_AWAY as fault:
            log.warning("outcomes wait for the database (%s)", type(fault).__name__)
            tried = True
            if clock.monotonic() > end:
                raise
            connection.close()
            time.sleep(0.5)
        else:
            return
