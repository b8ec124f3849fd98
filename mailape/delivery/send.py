"""Sending what one lease holds: rows become mails, mails go out, outcomes become states.

    claim ─▶ look ─▶ render ─▶ transport ─▶ decide ─▶ write
              ▲                                         │
              └─────── once a second, while there is more ┘

No mail starts unless lease, message and the reader's wish to get it were looked at within the last
five seconds. Results are written once a second, or for each hundred mails, in one transaction under
the lease's fence. A database that is away is waited for: what went out must become known.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from mailape.campaigns.models import Message, MessageRevision, Status
from mailape.core import clock, failpoints
from mailape.delivery import leases, notices, progress, render, retry, status, watch
from mailape.delivery.leases import BatchLease, Lease, LeaseLost, Row
from mailape.delivery.render import CannotRender, Person
from mailape.delivery.retry import Result
from mailape.delivery.transports.base import ROUTE_FATES, Fate, Mail, Outcome, Transport
from mailape.lists.models import Subscriber

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two looks, and at most between two writes
WRITE = 100  # outcomes at most between two writes
STUBBORN = 60.0  # seconds that a database is waited for with outcomes in hand
_AWAY = (OperationalError, InterfaceError)


def run(lease: Lease, transport: Transport, deadline: float) -> bool:
    """Sends what the lease holds until it is done or the monotonic clock passes `deadline`.

    Says whether the route works: after False there is no use in claiming more at once.
    """
    sending = _Sending(lease, transport, deadline)
    try:
        sending.go()
    finally:
        sending.end()
    return not sending.faults


class _Sending:
    """One lease on its way through the transport."""

    def __init__(self, lease: Lease, transport: Transport, deadline: float) -> None:
        self.faults: dict[int, Outcome] = {}  # by message: what the route said
        self._lease, self._transport, self._deadline = lease, transport, deadline
        self._ahead = dict(lease.open)
        self._going: dict[int, Row] = {}
        self._results: list[Result] = []
        self._newsletters = {row.message_id for row in self._ahead.values() if row.counted}
        self._reasons: dict[int, str] = {}  # by message: why it did not get on so far
        self._looked = -leases.STALE
        self._stopped = self._lost = False

    def go(self) -> None:
        """Sends; returns when nothing is on its way any more."""
        failpoints.reach("claimed")
        self._people = _people(self._ahead.values())
        self._compiled = _compiled(self._ahead.values())
        for outcome in self._transport.send(self._mails()):
            if outcome is not None:
                self._take(outcome)
            if clock.monotonic() - self._looked >= LOOK:
                self._look()
            elif len(self._results) >= WRITE:
                self._write()

    def end(self) -> None:
        """Writes what is known, gives the rest back as far as it is ours, says what is over."""
        self._write()
        if self._lost:
            log.warning("a lease was lost; %s mails were on their way", len(self._going))
        try:
            status.give_back(self._lease)
            self._tell()
            for message_id in self._newsletters:
                progress.finish(message_id)
        except _AWAY as fault:
            log.warning("a lease was not given back (%s); it will end", type(fault).__name__)

    # --- what goes out ---

    def _mails(self) -> Iterator[Mail]:
        """The mails one by one, each made when it can go at once."""
        for row in list(self._ahead.values()):
            if clock.monotonic() >= self._deadline:
                return
            if clock.monotonic() - self._looked >= LOOK:
                self._look()
            if self._stopped:
                return
            if self._ahead.pop(row.id, None) is None:
                continue  # a look took it out
            mail = self._made(row)
            if mail is not None:
                self._going[row.id] = row
                failpoints.reach("before-mail")
                yield mail

    def _made(self, row: Row) -> Mail | None:
        person = self._people.get(row.subscriber_id or 0, Person())
        compiled = self._compiled.get(row.revision_id)
        try:
            if compiled is None:
                raise CannotRender("Nothing was compiled for it")
            return render.mail(row, person, compiled, clock.now(), self._may_go)
        except CannotRender as wrong:
            reason = str(wrong)
            log.warning("delivery %s cannot be rendered: %s", row.id, reason)
        except Exception as wrong:  # a fault of ours in one mail must not hold up the others
            log.exception("delivery %s could not be rendered", row.id)
            reason = f"It could not be rendered ({type(wrong).__name__})"
        self._results.append(retry.failed(row, clock.now(), reason))
        return None

    def _may_go(self) -> bool:
        """Asked by the transport right before the envelope and right before the last dot."""
        return not self._lost and clock.monotonic() - self._looked < leases.STALE

    def _take(self, outcome: Outcome) -> None:
        failpoints.reach("after-answer")
        row = self._going.pop(outcome.delivery_id)
        if outcome.fate in ROUTE_FATES:
            self.faults[row.message_id] = outcome
        if outcome.fate is Fate.IN_DOUBT:
            log.warning("delivery %s is in doubt: %s", row.id, outcome.text)
        result = retry.decide(
            row,
            outcome,
            clock.now(),
            single=not isinstance(self._lease, BatchLease),
            account_id=self._transport.account_id,
        )
        if result is not None:
            self._results.append(result)

    # --- what changed meanwhile ---

    def _look(self) -> None:
        """Writes, renews, and takes out of what is ahead whatever must not be sent any more."""
        try:
            self._write()
            if self._lease.left < leases.length().total_seconds() * 2 / 3:
                status.renew(self._lease)
            elif not self._stopped:
                status.check(self._lease)
            self._heed(watch.messages(self._lease.message_ids))
            self._skip(watch.unwanted(self._ahead.values()))
        except LeaseLost:
            self._stopped = self._lost = True
        except _AWAY as fault:
            log.warning("sending stops: the database is away (%s)", type(fault).__name__)
            self._stopped = True
        else:
            self._looked = clock.monotonic()

    def _heed(self, messages: dict[int, tuple[str, str]]) -> None:
        """Paused messages wait, cancelled ones are wound up by the builder."""
        self._reasons = {pk: reason for pk, (_, reason) in messages.items()}
        for row in list(self._ahead.values()):
            if messages.get(row.message_id, ("", ""))[0] != Status.SENDING:
                del self._ahead[row.id]

    def _skip(self, unwanted: dict[int, str]) -> None:
        now = clock.now()
        for pk, reason in unwanted.items():
            self._results.append(retry.skipped(self._ahead.pop(pk), now, reason))

    # --- what is written ---

    def _write(self) -> None:
        results, self._results = self._results, []
        if not results or self._lost:
            return
        failpoints.reach("before-commit")
        try:
            _stubbornly(lambda: status.write(self._lease, results), results)
            failpoints.reach("after-commit")
        except LeaseLost:
            self._stopped = self._lost = True

    def _tell(self) -> None:
        """Says on the message what its route does."""
        for message_id in self._newsletters:
            fault = self.faults.get(message_id)
            if fault is None:
                if self._reasons.get(message_id):
                    progress.note(message_id, "")
            elif fault.fate is Fate.ROUTE_DOWN:
                progress.note(message_id, f"Waits for the mail server. {fault.answer}")
            elif progress.pause(message_id, f"The mail server refuses us: {fault.answer}"):
                notices.route_broken(Message.objects.get(pk=message_id), fault.answer)


def _stubbornly(write: Callable[[], None], results: list[Result]) -> None:
    """Writes; while the database is away, tries again for a minute.

    A connection that is cut behind COMMIT leaves open whether it was done, so that is looked up.
    """
    end = clock.monotonic() + STUBBORN
    tried = False
    while True:
        try:
            if not (tried and status.is_written(results[0])):
                write()
        except _AWAY as fault:
            log.warning("outcomes wait for the database (%s)", type(fault).__name__)
            tried = True
            if clock.monotonic() > end:
                raise
            connection.close()
            time.sleep(0.5)
        else:
            return


def _people(rows: Iterable[Row]) -> dict[int, Person]:
    keys = {row.subscriber_id for row in rows if row.subscriber_id}
    found = Subscriber.objects.filter(pk__in=keys).values_list(
        "pk", "name", "first_name", "email", "fields"
    )
    return {pk: Person(*values) for pk, *values in found}


def _compiled(rows: Iterable[Row]) -> dict[int, dict[str, Any]]:
    keys = {row.revision_id for row in rows}
    return dict(MessageRevision.objects.filter(pk__in=keys).values_list("pk", "compiled"))
