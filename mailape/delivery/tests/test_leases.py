"""Leases: how long, how much of it is left, and what the journal hears of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from mailape.core import clock
from mailape.delivery import claim, journal, leases, notices, recover, status
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.delivery.retry import Result
from mailape.delivery.tests.conftest import die, look_for_long

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
        look_for_long(monkeypatch)
    ours.refresh_from_db()
    strange.refresh_from_db()
    assert not ours.done
    assert (strange.done, strange.unknown) == (True, 2)


def test_what_differs_among_those_sent_is_recorded_as_it_is(sent_off):
    sent_off(6)
    lease = claim.batch()
    now = clock.now()
    usual, later, service, another, death, failed = [
        Result(pk, State.SENT, now, 1, answer=f"250 as {n}", account_id=7)
        for n, pk in enumerate(sorted(lease.open))
    ]
    soon = now + timedelta(seconds=1)
    results = [
        usual,
        later._replace(at=soon),
        service._replace(service_id="a-1"),
        another._replace(account_id=8, attempts=2),
        death._replace(died=True),
        failed._replace(state=State.FAILED, reason="Refused", tried=False),
    ]
    status.write(lease, results)
    rows = list(SubscriberMessage.objects.order_by("pk"))
    assert [row.answer for row in rows] == [f"250 as {n}" for n in range(6)]
    assert [row.sent_at for row in rows] == [now, soon, now, now, now, None]
    assert [row.tried_at for row in rows] == [now, soon, now, now, now, None]
    assert [row.service_id for row in rows] == ["", "", "a-1", "", "", ""]
    assert [row.transport_account_id for row in rows] == [7, 7, 7, 8, 7, 7]
    assert [row.attempts for row in rows] == [1, 1, 1, 2, 1, 1]
    assert [row.deaths for row in rows] == [0, 0, 0, 0, 1, 0]
    assert [(row.state, row.reason) for row in rows[4:]] == [("sent", ""), ("failed", "Refused")]
    batch = DeliveryBatch.objects.get()
    assert (batch.sent, batch.failed, batch.done) == (5, 1, True)


def test_what_goes_well_touches_no_index_on_postgresql(sent_off):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite writes a row where it lies")
    sent_off(6)
    lease = claim.batch()
    *sent, last = [Result(pk, State.SENT, clock.now(), 1, answer="250") for pk in lease.open]
    with transaction.atomic(), connection.cursor() as cursor:
        status.write(lease, [*sent, last._replace(state=State.FAILED)])
        cursor.execute(
            "SELECT pg_stat_get_xact_tuples_hot_updated('delivery_subscribermessage'::regclass)"
        )
        assert cursor.fetchone() == (5,)
