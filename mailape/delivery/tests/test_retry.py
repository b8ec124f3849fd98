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


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("kind", [Kind.NEWSLETTER, *MACHINE])
def test_what_is_too_large_is_tried_later_and_not_for_ever(kind, single):
    """Of a newsletter this is only read out of a dead sender's journal: see `oversize`."""
    assert decided(Fate.TOO_LARGE, row(kind), single=single).state is State.DEFERRED
    last = row(kind, attempts=retry.ATTEMPTS - 1)
    assert decided(Fate.TOO_LARGE, last, single=single).state is State.FAILED


def test_a_route_that_stays_away_ends_single_mail_after_three_days():
    old = row(Kind.ACCOUNT, created_at=NOW - timedelta(days=3, minutes=1))
    result = decided(Fate.ROUTE_DOWN, old, single=True)
    assert (result.state, result.not_before) == (State.FAILED, None)


@pytest.mark.parametrize("fate", [Fate.ROUTE_DOWN, Fate.ROUTE_BROKEN])
def test_a_newsletter_waits_for_its_route_however_old_it_is(fate):
    """It may have been paused for a week, or be tried once more by a person a month later."""
    old = row(attempts=1, created_at=NOW - timedelta(days=30))
    result = decided(fate, old, single=True)
    assert (result.state, result.attempts) == (State.DEFERRED, 1)


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


def test_a_result_says_by_which_way_it_went_and_what_the_service_calls_it():
    outcome = Outcome(1, Fate.SENT, 250, "2.0.0", "2.0.0 Ok", service_id="s" * 300)
    result = retry.decide(row(), outcome, NOW, single=False, account_id=9)
    assert result == retry.Result(
        id=1, state=State.SENT, at=NOW, attempts=1, answer="250 2.0.0 Ok", account_id=9,
        service_id="s" * 200,
    )  # fmt: skip
    assert (result.reason, result.tried, result.died) == ("", True, False)


def test_in_doubt_says_why_in_words():
    assert decided(Fate.IN_DOUBT, row()).reason == "The line dropped before the server answered"


LONG = "w" * 300


@pytest.mark.parametrize(
    ("fate", "single", "age"),
    [
        (Fate.REFUSED, False, 0), (Fate.NOT_MADE, False, 0), (Fate.ROUTE_DOWN, True, 0),
        (Fate.ROUTE_DOWN, True, 4),
    ],
)  # fmt: skip
def test_a_reason_fills_its_column_and_no_more(fate, single, age):
    of = row(created_at=NOW - timedelta(days=age))
    result = retry.decide(of, Outcome(1, fate, 421, "", LONG), NOW, single=single, account_id=1)
    assert len(result.reason) == 120


def test_what_others_give_as_a_reason_fills_its_column_and_no_more():
    assert len(retry.skipped(row(), NOW, LONG).reason) == 120
    assert len(retry.held(row(), NOW, NOW, LONG).reason) == 120


def test_who_is_skipped_or_held_was_not_tried():
    gone = retry.skipped(row(attempts=2), NOW, "unsubscribed")
    later = retry.held(row(attempts=2), NOW, NOW + timedelta(seconds=5), "its domain is slow")
    assert (gone.state, gone.attempts, gone.tried, gone.not_before) == (
        State.SKIPPED, 2, False, None,
    )  # fmt: skip
    assert (later.state, later.attempts, later.tried) == (State.DEFERRED, 2, False)
    assert (later.reason, later.not_before) == ("its domain is slow", NOW + timedelta(seconds=5))


def test_what_could_not_be_made_has_failed_with_its_cause():
    outcome = Outcome(1, Fate.NOT_MADE, text="A loop without an end")
    result = retry.decide(row(attempts=1), outcome, NOW, single=False, account_id=9)
    assert (result.state, result.attempts, result.reason) == (
        State.FAILED, 2, "A loop without an end",
    )  # fmt: skip


def test_the_cause_is_kept_on_one_line_that_every_database_takes():
    outcome = Outcome(1, Fate.NOT_MADE, text="A value\x00 that\ncannot \ud800be kept")
    result = retry.decide(row(), outcome, NOW, single=False, account_id=9)
    assert result.reason == "A value that cannot be kept"


def test_a_route_that_is_away_for_three_days_to_the_second_is_waited_for():
    just = row(Kind.ACCOUNT, created_at=NOW - retry.ROUTE_GIVES_UP)
    down = decided(Fate.ROUTE_DOWN, just, single=True)
    broken = decided(Fate.ROUTE_BROKEN, just, single=True)
    assert (down.state, broken.state) == (State.DEFERRED, State.DEFERRED)
    assert down.not_before == NOW + timedelta(seconds=10)
    assert broken.not_before == NOW + timedelta(seconds=60)
    assert down.reason == "Waits for the mail server: 451 4.7.1 Later"


def test_an_answer_without_an_address_to_look_for_stays_as_it_is():
    erased = row()._replace(to_address="")
    result = decided(Fate.TRY_LATER, erased)
    assert result.answer == "451 4.7.1 Later"


def test_an_outcome_on_one_line_of_the_journal_and_back():
    plain = Outcome(7, Fate.TRY_LATER, 451, "4.7.1", "4.7.1 Later")
    assert retry.noted(plain) == "TRY_LATER 451 - 4.7.1 Later"
    assert retry.read_note(7, retry.noted(plain)) == plain
    service = Outcome(7, Fate.SENT, 250, "2.0.0", "2.0.0 Ok", "id-1")
    assert retry.noted(service) == "SENT 250 id-1 2.0.0 Ok"
    assert retry.read_note(7, retry.noted(service)) == service
