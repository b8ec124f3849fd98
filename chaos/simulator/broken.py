"""Variants of the code that are wrong on purpose: a simulator that does not find them is worth
nothing. Each puts itself in place of the right code for the rest of the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailape.delivery import claim, journal, leases, recover, send, status, turns
from mailape.delivery.transports.wire.core import Core


def no_line_before_the_dot() -> None:
    """The journal does not hear of a dot before it goes out."""
    journal.Journal.dots = lambda *_: None  # type: ignore[method-assign, assignment]


def no_line_after_the_answer() -> None:
    """The journal does not hear of answers."""
    journal.Journal.answer = lambda *_: None  # type: ignore[method-assign, assignment]
    journal.Journal.heard = lambda *_: None  # type: ignore[method-assign, assignment]


def no_replay() -> None:
    """What a dead sender's journal says is not written."""
    recover._settle = lambda *_, **__: None  # type: ignore[assignment]


def no_fence() -> None:
    """A batch's writes do not look whose it is."""
    from mailape.delivery.models import DeliveryBatch

    status._held = lambda lease: DeliveryBatch.objects.filter(pk=lease.batch_id)  # type: ignore[assignment]
    status._COUNT_BATCH = status._COUNT_BATCH.replace("fence = %s", "%s IS NOT NULL")


def takes_what_is_leased() -> None:
    """A claim takes a batch that another holds."""
    claim._TAKE = claim._TAKE.replace(" AND b.lease_until IS NULL", "")


def no_look_at_the_age() -> None:
    """A mail goes out however long ago anybody looked."""
    # And leases.STALE stays: what is late is measured by it.
    turns.Work.may_go = lambda self: not self.lost  # type: ignore[method-assign, assignment]


def drops_what_was_piped() -> None:
    """After a drop the mail behind the one in doubt is in doubt, too."""
    real = Core.break_off

    def break_off(self: Any, *given: Any, **named: Any) -> None:
        for job in self._open:
            job.gone = True
        real(self, *given, **named)

    Core.break_off = break_off  # type: ignore[method-assign, assignment]


def doubt_is_forgotten() -> None:
    """After a drop the mail in doubt counts as untouched."""
    real = Core.break_off

    def break_off(self: Any, *given: Any, **named: Any) -> None:
        for job in self._open:
            job.gone = False
        real(self, *given, **named)

    Core.break_off = break_off  # type: ignore[method-assign, assignment]


def written_twice() -> None:
    """After a cut behind COMMIT the same outcomes are counted once more."""
    status.is_written = lambda lease, results: False  # type: ignore[assignment]


def claims_are_not_announced() -> None:
    """The journal is called clear though a claim broke off."""
    journal.Journal.taking = lambda self: None  # type: ignore[method-assign, assignment]
    journal.Journal.took_nothing = lambda self: None  # type: ignore[method-assign, assignment]


def a_look_counts_from_its_end() -> None:
    """What was read before a stop counts as read after it."""
    real = send._Sending._look_at

    def look_at(self: Any, works: Any) -> None:
        real(self, works)
        for work in works:
            if not work.lost and not self._stopped:
                work.looked = self._looked = leases.clock.monotonic()

    send._Sending._look_at = look_at  # type: ignore[method-assign, assignment]


def deaths_in_doubt_do_not_count() -> None:
    """Machine mail on which each sender dies behind the dot is sent again and again."""
    real = recover._settle
    recover._settle = lambda left, **_: real(left, died=False)  # type: ignore[assignment]


VARIANTS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        no_line_before_the_dot,
        no_line_after_the_answer,
        no_replay,
        no_fence,
        takes_what_is_leased,
        no_look_at_the_age,
        drops_what_was_piped,
        doubt_is_forgotten,
        written_twice,
        claims_are_not_announced,
        a_look_counts_from_its_end,
        deaths_in_doubt_do_not_count,
    )
}
