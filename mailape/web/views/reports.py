"""What became of a message, in numbers: shared by the overview, the index and its own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.delivery import tally
from mailape.delivery.models import OPEN_STATES, State

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
    def per_second(self) -> str:
        """Mails sent a second since the start, on average; empty before there is one."""
        started, sent = self.message.started_at, self.counts[State.SENT]
        if started is None or not sent:
            return ""
        rate = sent / max((self._until() - started).total_seconds(), 0.5)
        return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"

    @property
    def states(self) -> list[tuple[str, str, int]]:
        """The states worth showing: sent and queued always, the rest where they occur."""
        shown = [State.SENT, *(state for state in State if state != State.SENT)]
        return [
            (state.value, str(state.label), self.counts[state])
            for state in shown
            if self.counts[state] or state in (State.SENT, State.QUEUED)
        ]

    @property
    def outcome(self) -> str:
        """One line for an index: "1,204 sent, 3 failed"."""
        parts = [
            _("%(number)s %(state)s") % {"number": f"{n:,}", "state": label.lower()}
            for value, label, n in self.states
            if n
        ]
        return ", ".join(parts)

    def _until(self) -> datetime:
        return self.message.finished_at or clock.now()


def report(message: Message) -> Report:
    """The message with its numbers as they are now."""
    return Report(message, tally.counts(message))


def with_counts(messages: list[Message]) -> list[Report]:
    """Each message with its numbers; drafts have none and ask for none."""
    empty = dict.fromkeys(State.values, 0)
    return [
        Report(one, dict(empty)) if one.status == Status.DRAFT else report(one) for one in messages
    ]
