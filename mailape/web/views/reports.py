"""What became of a message, in numbers: shared by the overview, the index and its own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message, Status
from mailape.delivery import tally
from mailape.delivery.models import OPEN_STATES, State
from mailape.delivery.status import ENDED_EARLY

# What began so much after its time was not in time.
LATE = timedelta(minutes=1)
SHORTEST = 1.0  # seconds between two looks that tell a pace
AT_WORK = (Status.QUEUED, Status.SENDING, Status.PAUSED)


@dataclass(frozen=True)
class Report:
    """A message with its deliveries by state."""

    message: Message
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Deliveries made so far; once built, as many as there are people."""
        return sum(self.counts.values())

    @property
    def people(self) -> int:
        """How many the message goes to: what was frozen at sending until all are built."""
        frozen = (self.message.audience_frozen or {}).get("people", 0)
        return self.total if self.message.built_at else max(self.total, int(frozen))

    @property
    def ended(self) -> int:
        """Deliveries with nothing left to do."""
        return self.total - sum(self.counts[state] for state in OPEN_STATES)

    @property
    def at_work(self) -> bool:
        """Whether there is anything to watch."""
        return self.message.status in AT_WORK

    @property
    def is_stopping(self) -> bool:
        """Whether it was cancelled, or has failed, and what was left of it is being skipped."""
        return self.message.status in ENDED_EARLY and self.message.finished_at is None

    @property
    def is_watched(self) -> bool:
        """Whether its numbers change by themselves."""
        return self.at_work or self.is_stopping

    @property
    def is_planned(self) -> bool:
        """Whether it waits for a time that somebody chose."""
        return bool(self.message.zone) and dispatch.is_waiting(self.message)

    @property
    def open(self) -> int:
        """Those that are to go out still: not those that are put off until later."""
        return max(self.people - self.total, 0) + self.counts[State.QUEUED] + self.counts["sending"]

    @property
    def not_out(self) -> int:
        """Those that would never go out if it were cancelled now."""
        return self.open + self.counts[State.DEFERRED]

    @property
    def late(self) -> timedelta | None:
        """How much later than it was meant to it began; None where it was in time, or not meant."""
        meant, began = self.message.not_before, self.message.started_at
        if not self.message.zone or meant is None or began is None or began - meant < LATE:
            return None
        return began - meant

    @property
    def states(self) -> list[tuple[str, str, int]]:
        """The states worth showing: sent, queued while it goes out, others where they occur."""
        shown = [State.SENT, *(state for state in State if state != State.SENT)]
        always = (State.SENT, State.QUEUED) if self.at_work else (State.SENT,)
        return [
            (state.value, self._label(state), self.counts[state])
            for state in shown
            if self.counts[state] or state in always
        ]

    def _label(self, state: State) -> str:
        return _("Stopping") if state == State.SENDING and self.is_stopping else str(state.label)

    @property
    def outcome(self) -> str:
        """One line for an index: "1,204 sent, 3 failed"."""
        parts = [
            _("%(number)s %(state)s") % {"number": f"{n:,}", "state": label.lower()}
            for value, label, n in self.states
            if n
        ]
        return ", ".join(parts)


@dataclass(frozen=True)
class Look:
    """What an earlier look saw: when, and how many deliveries were over."""

    at: datetime
    ended: int


@dataclass(frozen=True)
class Pace:
    """How fast it goes: mails a second, and how long the rest takes at that."""

    per_second: float
    left: timedelta | None

    @property
    def shown(self) -> str:
        """The rate with as many digits as say something."""
        return f"{self.per_second:,.0f}" if self.per_second >= 9.95 else f"{self.per_second:.1f}"

    @property
    def left_shown(self) -> str:
        """How long the rest takes, in words."""
        return in_words(self.left) if self.left else ""


def in_words(span: timedelta) -> str:
    """A span as one says it: its largest unit, rounded."""
    seconds = round(span.total_seconds())
    if seconds < 90:
        return ngettext("%d second", "%d seconds", seconds) % seconds
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("%d minute", "%d minutes", minutes) % minutes
    hours = round(minutes / 60)
    return ngettext("%d hour", "%d hours", hours) % hours


def pace(numbers: Report, before: Look | None, now: datetime) -> Pace | None:
    """The pace between a look before and now, or since the start; None where nothing moves."""
    message = numbers.message
    if message.status != Status.SENDING or message.started_at is None:
        return None
    if before is None or (now - before.at).total_seconds() < SHORTEST:
        before = Look(message.started_at, 0)
    seconds = max((now - before.at).total_seconds(), SHORTEST)
    rate = (numbers.ended - before.ended) / seconds
    if rate <= 0:
        return None
    return Pace(rate, timedelta(seconds=numbers.open / rate) if numbers.open else None)


def report(message: Message) -> Report:
    """The message with its numbers as they are now."""
    return Report(message, tally.counts(message))


def with_counts(messages: list[Message]) -> list[Report]:
    """Each newsletter with its numbers, from one query; drafts have none and ask for none."""
    empty = dict.fromkeys(State.values, 0)
    counts = tally.of_newsletters([one for one in messages if one.status != Status.DRAFT])
    return [Report(one, counts.get(one.pk) or dict(empty)) for one in messages]
