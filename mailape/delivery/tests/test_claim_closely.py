"""What a claim gives, closes, passes over and says, one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery import claim, journal, leases, status
from mailape.delivery.leases import DEATHS
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.tests.conftest import counted, recorder, result

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def batches(sent_off, monkeypatch):
    """A newsletter to `count` readers in batches of five."""
    monkeypatch.setattr("mailape.delivery.build.BATCH", 5)
    return sent_off


def test_a_lease_lasts_for_its_length_here_and_in_the_database(batches, hand):
    batches(2)
    assert claim.batch().left == leases.length().total_seconds()
    assert DeliveryBatch.objects.get().lease_until == clock.now() + leases.length()


def test_a_lease_of_singles_lasts_as_long(waiting, hand):
    waiting(2)
    assert claim.singles(leases.NEWSLETTER).left == leases.length().total_seconds()


def test_a_row_comes_with_its_moment_and_what_its_mail_is_made_of(batches):
    batches(2)
    first, second = SubscriberMessage.objects.order_by("pk")
    SubscriberMessage.objects.filter(pk=first.pk).update(context={"name": "Ann"})
    rows = claim.batch().open
    assert rows[first.pk].context == {"name": "Ann"}
    assert rows[second.pk].context is None
    assert rows[second.pk].created_at == second.created_at


@pytest.mark.parametrize("text", ["2026-01-05 12:00:00", "2026-01-05 13:00:00+01:00"])
def test_a_moment_without_a_zone_is_utc_and_one_with_a_zone_becomes_utc(text):
    moment = claim._moment(text)
    assert (moment, moment.tzinfo) == (datetime(2026, 1, 5, 12, tzinfo=UTC), UTC)


def test_a_batch_in_which_nothing_waits_is_closed_and_the_next_one_claimed(batches):
    """Its worker wrote the last states and died before it could say so."""
    batches(10)
    first, second = DeliveryBatch.objects.order_by("pk")
    over = SubscriberMessage.objects.filter(batch=first.number)
    over.update(state="sent", not_before=None)
    assert claim.batch().batch_id == second.pk
    first.refresh_from_db()
    assert (first.done, first.lease_until) == (True, None)


def test_behind_a_batch_that_fell_apart_the_next_one_is_claimed_at_once(batches):
    batches(10)
    first, second = DeliveryBatch.objects.order_by("pk")
    DeliveryBatch.objects.filter(pk=first.pk).update(attempts=DEATHS)
    assert claim.batch().batch_id == second.pk
    first.refresh_from_db()
    assert first.done


def test_behind_those_of_a_paused_message_the_due_ones_of_another_are_found(waiting, monkeypatch):
    paused, other = waiting(2), waiting(2)
    Message.objects.filter(pk=paused.pk).update(status="paused")
    monkeypatch.setattr(claim, "SINGLES", 2)
    lease = claim.singles(leases.NEWSLETTER)
    assert {row.message_id for row in lease.open.values()} == {other.pk}


def test_where_nothing_is_due_a_claim_looks_once(waiting, monkeypatch):
    message = waiting(2)
    looks = recorder(monkeypatch, claim, "_due")
    status.write(
        lease := claim.singles(leases.NEWSLETTER), [result(pk, "sent") for pk in lease.open]
    )
    assert counted(message) == {"sent": 2}
    assert claim.singles(leases.NEWSLETTER) is None
    assert len(looks) == 2


def test_one_that_must_be_alone_waits_while_its_process_holds_another_and_is_asked_once(
    waiting, monkeypatch
):
    waiting(2)
    first, last = SubscriberMessage.objects.values_list("pk", flat=True).order_by("pk")
    later = clock.now() + timedelta(hours=1)
    SubscriberMessage.objects.filter(pk=last).update(not_before=later)
    held = claim.singles(leases.NEWSLETTER)
    held.noted_in(journal.mine(), 1)
    with clock.moved(timedelta(hours=2)):
        SubscriberMessage.objects.filter(pk=last).update(deaths=DEATHS - 1)
        looks = recorder(monkeypatch, claim, "_due")
        assert claim.singles(leases.NEWSLETTER) is None
        assert len(looks) == 1
    assert list(held.open) == [first]


def test_those_of_a_cancelled_message_are_skipped_by_who_meets_them_and_no_other(waiting):
    cancelled, other = waiting(3), waiting(3)
    Message.objects.filter(pk=cancelled.pk).update(status="cancelled")
    lease = claim.singles(leases.NEWSLETTER)
    assert {row.message_id for row in lease.open.values()} == {other.pk}
    assert counted(cancelled) == {"skipped": 3}
    reasons = SubscriberMessage.objects.filter(message=cancelled).values_list("reason", flat=True)
    assert set(reasons) == {"cancelled"}


def test_a_lease_that_ended_without_a_word_is_told_as_overdue(waiting):
    waiting(1)
    assert not claim.overdue(leases.NEWSLETTER)
    claim.singles(leases.NEWSLETTER)
    assert not claim.overdue(leases.NEWSLETTER)
    with clock.moved(timedelta(seconds=31)):
        assert claim.overdue(leases.NEWSLETTER)
        assert not claim.overdue(leases.MACHINE)


def test_so_is_a_batch_and_for_newsletters_only(batches):
    batches(1)
    claim.batch()
    assert not claim.overdue(leases.NEWSLETTER)
    with clock.moved(timedelta(seconds=31)):
        assert claim.overdue(leases.NEWSLETTER)
        assert not claim.overdue(leases.MACHINE)
