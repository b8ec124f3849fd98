"""What dead senders left: their journals say what was sent, what was not, and what is in doubt.

Claims never take what is leased, however old the lease is; it is set free here and nowhere else:

    the owner lives (its journal is locked)    nothing: it may be stopped, and go on
    the owner is gone, its journal is here     replayed; then what never went out is free again
    the owner is a stranger (its journal lies  after a while all of it is in doubt: what it sent,
    on another host)                           only its journal could say

In doubt goes by the policy of its kind: machine mail is sent again, a newsletter is `unknown` until
a person decides.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from mailape.core import clock, failpoints
from mailape.delivery import claim, journal, leases, retry, status
from mailape.delivery.claim import Held
from mailape.delivery.journal import Left
from mailape.delivery.leases import BatchLease, Lease, LeaseLost
from mailape.delivery.retry import Result
from mailape.delivery.transports.base import Fate, Outcome

log = logging.getLogger(__name__)

# How long after the end of its lease a stranger may still come back and speak for itself.
STRANGER = timedelta(minutes=1)
_UNREADABLE = "Its sender is gone, and so is its journal"


def look() -> int:
    """Settles what dead senders left; returns how many of them there were."""
    folder = journal.folder()
    found = sum(_bury_if_readable(folder, name) for name in journal.names(folder))
    _bury_the_nameless(folder)
    _settle_strangers(folder)
    return found


def own() -> None:
    """Settles what this very process could not write before. It must hold nothing now."""
    mine = journal.mine()
    for left in mine.left():
        _settle(left, died=False)
    status.release(mine.owner, died=False)
    mine.forget()


def _bury_if_readable(folder: Path, name: str) -> bool:
    """One that cannot be opened, as what another user of this host left, or not understood, as what
    another version left, holds up no other: what its sender held waits until it can be."""
    try:
        return _bury(folder, name)
    except OSError as fault:
        log.warning("the journal %s cannot be settled: %s", name, fault)
    except (ValueError, KeyError, IndexError):
        log.exception("the journal %s is not understood", name)
    return False


def _bury(folder: Path, name: str) -> bool:
    with journal.orphan(folder, name) as lefts:
        if lefts is None:
            return False
        for left in lefts:
            _settle(left, died=True)
        failpoints.reach("in-replay")
        status.release(journal.owner_of(folder, name), died=True)
    log.warning("a sender died; its journal had %s open claims", len(lefts))
    return True


def _settle(left: Left, *, died: bool) -> None:
    """Writes the outcomes that only the journal knows, under the dead owner's own fence.

    A death counts against what is in doubt: machine mail is sent again, and one on which sender
    after sender dies would be sent again and again.
    """
    lease = claim.again(left.claim.kind, left.claim.key, left.claim.fence)
    if lease is None:
        return  # it is over, or somebody else's by now
    outcomes = [retry.read_note(key, what) for key, what in left.answers.items()]
    outcomes += [Outcome(key, Fate.IN_DOUBT, text="The sender died") for key in left.doubtful]
    results = _results(lease, outcomes, left.claim.account_id or None)
    results = [one._replace(died=died and one.id in left.doubtful) for one in results]
    if results:
        log.warning(
            "%s outcomes from a journal, %s of them in doubt", len(results), len(left.doubtful)
        )
        with suppress(LeaseLost):  # while this process was stopped, a stranger settled it
            status.write(lease, results)


def _results(lease: Lease, outcomes: list[Outcome], account_id: int | None) -> list[Result]:
    now = clock.now()
    single = not isinstance(lease, BatchLease)
    decided = [
        retry.decide(
            lease.open[outcome.delivery_id], outcome, now, single=single, account_id=account_id
        )
        for outcome in outcomes
        if outcome.delivery_id in lease.open
    ]
    return [result for result in decided if result is not None]


def _bury_the_nameless(folder: Path) -> None:
    """Owners of this folder who ended well, but could not give their leases back."""
    owners = claim.owners()
    # Only now: a sender that begins meanwhile has its journal before it has a lease.
    names = set(journal.names(folder))
    for owner in owners:
        if journal.is_ours(folder, owner) and owner.partition(":")[2] not in names:
            status.release(owner, died=False)


def _settle_strangers(folder: Path) -> None:
    for held in _given_up(folder):
        lease = claim.take_over(held)
        if lease is not None:
            _settle_stranger(lease)


def _given_up(folder: Path) -> list[Held]:
    """Strangers' leases that ended a while ago, and that this process has seen as they are for as
    long as a lease lasts: who lives renews his in less. The wall clock alone would not do. A host
    whose clock is ahead would take every other's leases, and each mail of theirs would be in doubt.
    """
    now = clock.monotonic()
    over = claim.long_over(clock.now() - STRANGER)
    strange = {
        held: _seen.get(held, now) for held in over if not journal.is_ours(folder, held.owner)
    }
    _seen.clear()
    _seen.update(strange)
    patience = leases.length().total_seconds()
    return [held for held, since in strange.items() if now - since >= patience]


_seen: dict[Held, float] = {}  # since when, by this process's own clock


def _settle_stranger(lease: Lease) -> None:
    log.error("a lease of another host ended %s ago: its mails are in doubt", STRANGER)
    doubts = [Outcome(key, Fate.IN_DOUBT, text=_UNREADABLE) for key in lease.open]
    results = [one._replace(died=True) for one in _results(lease, doubts, None)]
    with suppress(LeaseLost):  # while this process was stopped, another settled it
        status.write(lease, results)
