"""Reasons that are kept in English and shown in the reader's language."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import translation

from mailape.campaigns import dispatch
from mailape.campaigns.models import Kind
from mailape.core import clock
from mailape.delivery import retry, status
from mailape.delivery.leases import Row
from mailape.delivery.transports.base import Fate, Outcome
from mailape.web.reasons import REASONS, worded


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_the_same_in_english_and_another_in_german(reason: str):
    written = reason % dict.fromkeys(("why", "number", "words", "domain", "what"), "12")
    assert worded(written) == written
    with translation.override("de"):
        assert worded(written) != written
        assert ("12" in worded(written)) == ("12" in written)


def test_what_a_server_said_stays_as_it_was_said():
    with translation.override("de"):
        assert worded("Try later: 451 4.7.1 No, not now") == "Später: 451 4.7.1 No, not now"
        assert worded("Something that nobody knows") == "Something that nobody knows"


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.TRY_LATER, Fate.ROUTE_DOWN, Fate.IN_DOUBT])
@pytest.mark.parametrize("attempts", [0, retry.ATTEMPTS])
@pytest.mark.parametrize("days", [0, 9])
def test_whatever_the_sender_decides_is_known(fate: Fate, attempts: int, days: int):
    now = clock.now()
    row = Row(1, 1, Kind.NEWSLETTER, 1, 1, 1, "ida@example.org", 1, 0, attempts, 1,
              now - timedelta(days=days), None)  # fmt: skip
    said = Outcome(1, fate, 451, "4.7.1", "Not now")
    result = retry.decide(row, said, now, single=True, account_id=1)
    assert result is not None
    with translation.override("de"):
        assert worded(result.reason) != result.reason


def test_what_a_person_did_is_known():
    assert {dispatch.BY_A_PERSON, status.LEFT, status.SENT_AGAIN, status.TRIED_AGAIN} < {*REASONS}
