"""What a worker holds: rows of deliveries, leased for a while, with a fence on every write.

A lease ends by itself unless it is renewed, so a worker that dies loses nothing but that while. A
fence is a number that grows with each claim: a worker that was stopped and goes on writes with an
old one and is refused (`LeaseLost`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings

from mailape.campaigns.models import Kind
from mailape.core import clock, processes
from mailape.delivery import journal
from mailape.delivery.journal import Claim, Journal

# Priorities of deliveries: machine mail (confirmations, account mail, tests) overtakes newsletters.
NEWSLETTER = 0
MACHINE = 10
PRIORITIES = (MACHINE, NEWSLETTER)
# A delivery, or a batch that made no progress, is set aside after this many dead workers.
DEATHS = 3
# No mail starts on a look at lease, pause and unsubscribes that is older than this, in seconds.
STALE = 5.0


class LeaseLost(Exception):
    """Somebody else holds this now: write nothing more, start nothing more."""


def length() -> timedelta:
    """How long a lease lasts unless it is renewed: 30 s, shorter under test."""
    return timedelta(seconds=float(getattr(settings, "DELIVERY_LEASE_SECONDS", 30)))


def owner() -> str:
    """This sender, as the owner of leases: its journal tells others whether it lives.

    Raises JournalBroken.
    """
    return journal.mine().owner


def builder() -> str:
    """This process, as the owner of builds. They leave nothing that a journal would have to say."""
    return processes.identity()


class Row(NamedTuple):
    """One delivery as the worker needs it, without the model's weight: a tuple, because thousands
    are made per second."""

    id: int
    message_id: int
    kind: str
    workspace_id: int | None
    subscriber_id: int | None
    list_id: int | None
    to_address: str
    revision_id: int
    occasion: int
    attempts: int
    fence: int
    created_at: datetime
    context: dict[str, Any] | None

    @property
    def counted(self) -> bool:
        """Whether the message shows counts: those of machine mail are never shown."""
        return self.kind == Kind.NEWSLETTER


@dataclass(slots=True)
class Lease:
    """What every lease has: its rows that have no outcome yet, and when it ends.

    `until` is of this process's monotonic clock, which no moved wall clock touches.
    """

    owner: str
    until: float
    open: dict[int, Row] = field(default_factory=dict)

    def extended(self) -> None:
        """Notes that the lease was renewed just now."""
        self.until = clock.monotonic() + length().total_seconds()

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return self.until - clock.monotonic()

    def noted_in(self, kept: Journal, account_id: int) -> dict[int, int]:
        """Notes the claim; returns the journal's number for each delivery. Raises JournalBroken."""
        keys = list(self.open)
        claims = [Claim("single", key, self.open[key].fence, account_id) for key in keys]
        return dict(zip(keys, kept.claim(claims), strict=True))

    @property
    def message_ids(self) -> set[int]:
        return {row.message_id for row in self.open.values()}


@dataclass(slots=True)
class BatchLease(Lease):
    """A batch: one row in `DeliveryBatch` carries owner, end and fence for all of it."""

    batch_id: int = 0
    message_id: int = 0
    fence: int = 0

    def noted_in(self, kept: Journal, account_id: int) -> dict[int, int]:
        """One claim for all of it."""
        (number,) = kept.claim([Claim("batch", self.batch_id, self.fence, account_id)])
        return dict.fromkeys(self.open, number)


@dataclass(slots=True)
class SinglesLease(Lease):
    """Single deliveries, of any messages: each carries owner, end and fence itself."""

    # One more death, and its only delivery is quarantined: this process holds nothing besides.
    alone: bool = False
