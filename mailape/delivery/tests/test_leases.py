"""Leases: how long, how much of it is left, and what the journal hears of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.core import clock
from mailape.delivery import claim, journal, leases, notices, recover
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.tests.conftest import die

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def machine_mails(db) -> list[int]:
    """Two machine mails that are due."""
    for name in ("ann", "bob"):
        notices.account_mail(f"{name}@example.org", "password-reset", {"url": "http://x/y"})
    return list(SubscriberMessage.objects.order_by("pk").values_list("pk", flat=True))


def test_a_lease_lasts_half_a_minute_unless_it_is_set_otherwise(settings):
    assert leases.length() == timedelta(seconds=30)
    settings.DELIVERY_LEASE_SECONDS = 2
    assert leases.length() == timedelta(seconds=2)


def test_a_lease_knows_how_long_it_has_left(sent_off):
    sent_off(2)
    lease = claim.batch()
    assert 25 < lease.left <= 30
    lease.until -= 40
    assert lease.left < 0


def test_singles_are_noted_one_by_one_as_what_they_are(machine_mails):
    lease = claim.singles(leases.MACHINE)
    numbers = lease.noted_in(journal.mine(), 7)
    assert sorted(numbers) == machine_mails
    noted = {left.claim.key: left.claim for left in journal.mine().left()}
    assert {key: one.kind for key, one in noted.items()} == dict.fromkeys(machine_mails, "single")
    assert {one.account_id for one in noted.values()} == {7}


def test_what_the_route_said_of_single_mail_is_heard_from_the_journal(machine_mails):
    lease = claim.singles(leases.MACHINE)
    numbers = lease.noted_in(journal.mine(), 7)
    first, second = machine_mails
    journal.mine().answer(numbers[first], first, "ROUTE_DOWN 421 - 4.3.0 Closing")
    journal.mine().dots(numbers[second], [second])
    die()
    recover.look()
    waits, again = SubscriberMessage.objects.order_by("pk")
    assert (waits.state, waits.reason) == (
        "deferred", "Waits for the mail server: 421 4.3.0 Closing",
    )  # fmt: skip
    assert (again.state, again.reason) == ("deferred", "Try later: The sender died")


def test_what_a_living_process_sets_free_itself_counts_as_no_death(sent_off):
    sent_off(2)
    claim.batch()
    recover.own()
    batch = DeliveryBatch.objects.get()
    assert (batch.attempts, batch.lease_until) == (0, None)


def test_a_lease_of_ours_keeps_no_stranger_from_being_settled(sent_off, monkeypatch):
    monkeypatch.setattr("mailape.delivery.build.BATCH", 2)
    sent_off(4)
    claim.batch()
    claim.batch()
    ours, strange = DeliveryBatch.objects.order_by("pk")
    DeliveryBatch.objects.filter(pk=strange.pk).update(owner="another:1-1")
    with clock.moved(leases.length() + recover.STRANGER + timedelta(seconds=1)):
        recover.look()
    ours.refresh_from_db()
    strange.refresh_from_db()
    assert not ours.done
    assert (strange.done, strange.unknown) == (True, 2)
