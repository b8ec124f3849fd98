"""What becomes of a delivery after an outcome: pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.campaigns.models import Kind
from mailape.delivery import retry
from mailape.delivery.leases import Row
from mailape.delivery.models import State
from mailape.delivery.transports.base import Fate, Outcome

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MACHINE = [Kind.CONFIRMATION, Kind.ACCOUNT, Kind.TEST, Kind.TRANSACTIONAL]


def row(kind: str = Kind.NEWSLETTER, attempts: int = 0, created_at: datetime = NOW) -> Row:
    return Row(1, 2, kind, 3, 4, 5, "a@x.example", 6, 0, attempts, 7, created_at, None)


def decided(fate: Fate, of: Row, *, single: bool = False) -> retry.Result | None:
    outcome = Outcome(1, fate, 451, "4.7.1", "4.7.1 Later")
    return retry.decide(of, outcome, NOW, single=single, account_id=9)


def test_what_was_taken_is_sent_and_what_was_refused_has_failed():
    assert decided(Fate.SENT, row()).state is State.SENT
    failed = decided(Fate.REFUSED, row())
    assert (failed.state, failed.not_before) == (State.FAILED, None)
    assert failed.reason == "Refused: 451 4.7.1 Later"


def test_waits_grow_from_a_minute_to_four_hours_and_end_after_about_three_days():
    waits = []
    for attempts in range(retry.ATTEMPTS):
        result = decided(Fate.TRY_LATER, row(attempts=attempts))
        assert result.attempts == attempts + 1
        if result.state is State.FAILED:
            break
        waits.append(result.not_before - NOW)
    assert [wait.total_seconds() for wait in waits[:6]] == [60, 300, 900, 3600, 14400, 14400]
    assert len(waits) == retry.ATTEMPTS - 1
    assert timedelta(hours=60) < sum(waits, timedelta()) < timedelta(hours=72)
    assert result.reason.startswith("Given up after 22 attempts")


def test_her_address_is_kept_in_one_place_only():
    outcome = Outcome(1, Fate.REFUSED, 550, "5.1.1", "5.1.1 <A@X.example> is not known")
    result = retry.decide(row(), outcome, NOW, single=False, account_id=9)
    assert result.answer == "550 5.1.1 <…> is not known"
    assert "x.example" not in result.reason.lower()


@pytest.mark.parametrize("kind", MACHINE)
def test_machine_mail_in_doubt_is_sent_again(kind):
    assert decided(Fate.IN_DOUBT, row(kind)).state is State.DEFERRED


def test_a_newsletter_in_doubt_is_left_to_a_person():
    result = decided(Fate.IN_DOUBT, row())
    assert (result.state, result.not_before) == (State.UNKNOWN, None)


@pytest.mark.parametrize("fate", [Fate.ROUTE_DOWN, Fate.ROUTE_BROKEN])
def test_the_route_blames_nobody(fate):
    assert decided(fate, row()) is None  # in a batch nothing changes
    for kind in [Kind.NEWSLETTER, *MACHINE]:
        result = decided(fate, row(kind, attempts=3), single=True)
        assert (result.state, result.attempts) == (State.DEFERRED, 3)
        assert NOW < result.not_before <= NOW + timedelta(minutes=1)


def test_a_route_that_stays_away_ends_single_mail_after_three_days():
    old = row(Kind.ACCOUNT, created_at=NOW - timedelta(days=3, minutes=1))
    result = decided(Fate.ROUTE_DOWN, old, single=True)
    assert (result.state, result.not_before) == (State.FAILED, None)


def test_what_was_not_begun_stays_as_it_was():
    assert decided(Fate.NOT_BEGUN, row()) is None
    assert decided(Fate.NOT_BEGUN, row(), single=True) is None


@given(st.sampled_from(list(Fate)), st.sampled_from(list(Kind)), st.integers(0, 40), st.booleans(),
       st.text(max_size=2000))  # fmt: skip
def test_whatever_comes_a_result_fits_its_columns(fate, kind, attempts, single, text):
    outcome = Outcome(1, fate, 0, "", text)
    result = retry.decide(row(kind, attempts), outcome, NOW, single=single, account_id=9)
    if result is None:
        return
    assert len(result.reason) <= 120
    assert len(result.answer) <= 500
    assert len(result.answer.splitlines()) <= 1
    assert not any(ord(letter) < 32 for letter in result.answer)
    assert (result.not_before is not None) == (result.state is State.DEFERRED)
