"""What becomes of a delivery after an outcome: decided here by pure functions, written by status.

Temporary failures wait 1 min, 5 min, 15 min, 1 h and then 4 h each time; after 22 attempts, which
is close to three days (RFC 5321 4.5.4.1 asks for four to five of a mail server; a newsletter that
late is of no use), the delivery has failed. What concerns the route blames nobody: attempts stay.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from mailape.campaigns.models import Kind
from mailape.delivery.leases import Row
from mailape.delivery.models import State
from mailape.delivery.transports.base import ROUTE_FATES, Fate, Outcome, enhanced

_SENT_FATE = Fate.SENT
_SENT = State.SENT
BACKOFF = (60, 300, 900, 3600, 14400)
ATTEMPTS = 22
# Single mail waits for its route this long at a time, in seconds; machine mail, which is of no use
# to anybody then, gives up after this long.
ROUTE_WAIT = {Fate.ROUTE_DOWN: 10, Fate.ROUTE_BROKEN: 60}
ROUTE_GIVES_UP = timedelta(days=3)


class Result(NamedTuple):
    """The state that a delivery goes into, and what is recorded with it."""

    id: int
    state: State
    at: datetime
    attempts: int
    reason: str = ""
    answer: str = ""
    not_before: datetime | None = None
    account_id: int | None = None
    service_id: str = ""
    tried: bool = True
    died: bool = False  # its sender died on it


def decide(
    row: Row, outcome: Outcome, now: datetime, *, single: bool, account_id: int | None
) -> Result | None:
    """The result for `row`; None where it stays as it was, because it was not tried.

    In a batch the route's fates change nothing; a single one is set to wait for its route.
    """
    fate = outcome.fate
    if fate is _SENT_FATE:  # nearly all are: they are asked nothing else
        said, service_id = _without_address(outcome.answer, row.to_address), outcome.service_id
        return Result(
            row.id, _SENT, now, row.attempts + 1, "", said, None, account_id, service_id[:200]
        )
    if fate in ROUTE_FATES:
        return _wait_for_route(row, outcome, now) if single else None
    if fate is Fate.NOT_BEGUN:
        return None
    if fate is Fate.NOT_MADE:
        # On one line: what a database cannot keep would keep back the whole lot with it.
        return Result(row.id, State.FAILED, now, row.attempts + 1, outcome.answer[:120])
    return _tried(row, outcome, now, account_id)


def skipped(row: Row, now: datetime, reason: str) -> Result:
    """The result for a delivery that is not wanted any more."""
    return Result(row.id, State.SKIPPED, now, row.attempts, reason[:120], tried=False)


def held(row: Row, now: datetime, until: datetime, reason: str) -> Result:
    """The result for a delivery that was not tried because its domain takes no more at a time."""
    return Result(
        row.id, State.DEFERRED, now, row.attempts, reason[:120], not_before=until, tried=False
    )


def backoff(attempts: int) -> timedelta:
    """How long to wait after the attempt with this number, which begins at 1."""
    return timedelta(seconds=BACKOFF[min(attempts, len(BACKOFF)) - 1])


def _tried(row: Row, outcome: Outcome, now: datetime, account_id: int | None) -> Result:
    said = _without_address(outcome.answer, row.to_address)
    state, reason, wait = _after(row, outcome.fate, said)
    return Result(
        id=row.id,
        state=state,
        at=now,
        attempts=row.attempts + 1,
        reason=reason[:120],
        answer=said,
        not_before=None if wait is None else now + wait,
        account_id=account_id,
        service_id=outcome.service_id[:200],
    )


def _after(row: Row, fate: Fate, said: str) -> tuple[State, str, timedelta | None]:
    match fate:
        case Fate.REFUSED:
            return State.FAILED, f"Refused: {said}", None
        case Fate.IN_DOUBT if row.kind == Kind.NEWSLETTER:
            # Twice is worse than perhaps never: a person decides.
            return State.UNKNOWN, "The line dropped before the server answered", None
    attempts = row.attempts + 1
    if attempts >= ATTEMPTS:
        return State.FAILED, f"Given up after {attempts} attempts: {said}", None
    return State.DEFERRED, f"Try later: {said}", backoff(attempts)


def _without_address(answer: str, address: str) -> str:
    """The answer without her address, which servers like to repeat: it is erased with her, and
    nobody would look for it here."""
    if "@" not in answer or not address or address.casefold() not in answer.casefold():
        return answer
    return re.sub(re.escape(address), "…", answer, flags=re.IGNORECASE)


def _wait_for_route(row: Row, outcome: Outcome, now: datetime) -> Result:
    reason = f"Waits for the mail server: {outcome.answer}"
    # A newsletter may have been paused for a week: it waits until its route is well again.
    if row.kind != Kind.NEWSLETTER and now - row.created_at > ROUTE_GIVES_UP:
        reason = f"Given up after 3 days: {outcome.answer}"
        return Result(row.id, State.FAILED, now, row.attempts, reason[:120], outcome.answer)
    return Result(
        id=row.id,
        state=State.DEFERRED,
        at=now,
        attempts=row.attempts,
        reason=reason[:120],
        answer=outcome.answer,
        not_before=now + timedelta(seconds=ROUTE_WAIT[outcome.fate]),
    )


# --- outcomes in the journal ---------------------------------------------------------------------


def noted(outcome: Outcome) -> str:
    """An outcome as the journal keeps it, on one line."""
    return f"{outcome.fate.name} {outcome.code} {outcome.service_id or '-'} {outcome.answer_text}"


def read_note(delivery_id: int, note: str) -> Outcome:
    """The outcome that `noted` wrote."""
    fate, code, service_id, text = note.split(" ", 3)
    return Outcome(
        delivery_id,
        Fate[fate],
        int(code),
        enhanced(text),
        text,
        "" if service_id == "-" else service_id,
    )
