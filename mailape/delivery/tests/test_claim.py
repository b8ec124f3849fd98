"""Leases and fences: one contract, held on PostgreSQL and on SQLite alike."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from mailape.core import clock
from mailape.delivery import claim, leases, recover, status, tally, tasks
from mailape.delivery.leases import DEATHS, LeaseLost
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.delivery.retry import Result
from mailape.delivery.tests.conftest import die

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(seconds=31)


def sent(rows) -> list[Result]:
    return [Result(pk, State.SENT, clock.now(), 1, answer="250 ok") for pk in rows]


def deferred(rows, by: timedelta = timedelta(0)) -> list[Result]:
    now = clock.now()
    return [Result(pk, State.DEFERRED, now, 1, not_before=now + by) for pk in rows]


@pytest.fixture
def batches(sent_off, monkeypatch):
    """A newsletter to `count` readers in batches of ten: `batches(30)`."""
    monkeypatch.setattr("mailape.delivery.build.BATCH", 10)
    return sent_off


@pytest.fixture
def singles(sent_off):
    """A newsletter to `count` readers, all of them deferred and due: `singles(5)`."""

    def make(count: int):
        message = sent_off(count)
        lease = claim.batch()
        status.write(lease, deferred(lease.open))
        return message

    return make


def test_two_claims_never_hold_the_same(batches):
    batches(30)
    held = [claim.batch() for _ in range(4)]
    assert held[3] is None
    rows = [pk for lease in held[:3] for pk in lease.open]
    assert len(rows) == len(set(rows)) == 30


def test_a_dead_one_s_lease_goes_to_the_next_and_a_late_write_is_refused(batches):
    message = batches(10)
    first = claim.batch()
    assert claim.batch() is None
    die()
    recover.look()
    second = claim.batch()
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLost):
        status.write(first, sent(first.open))
    assert tally.counts(message)["sent"] == 0
    with pytest.raises(LeaseLost):
        status.renew(first)
    with pytest.raises(LeaseLost):
        status.check(first)
    status.give_back(first)  # takes nothing from the new holder
    status.write(second, sent(second.open))
    assert tally.counts(message)["sent"] == 10


def test_renewing_keeps_a_lease(batches):
    batches(10)
    lease = claim.batch()
    with clock.moved(timedelta(seconds=20)):
        status.renew(lease)
    with clock.moved(timedelta(seconds=40)):
        assert claim.batch() is None


def test_writing_results_renews_too_and_a_done_batch_is_over(batches):
    message = batches(10)
    lease = claim.batch()
    first, rest = list(lease.open)[:4], list(lease.open)[4:]
    with clock.moved(timedelta(seconds=20)):
        status.write(lease, sent(first))
        assert tally.counts(message) | {"sent": 4, "sending": 6} == tally.counts(message)
    with clock.moved(timedelta(seconds=40)):
        status.write(lease, sent(rest))
    assert DeliveryBatch.objects.get().done
    assert tally.counts(message)["sent"] == 10


def test_what_was_given_back_is_claimed_again_without_what_is_done(batches):
    batches(10)
    lease = claim.batch()
    done = list(lease.open)[:3]
    status.write(lease, sent(done))
    status.give_back(lease)
    again = claim.batch()
    assert len(again.open) == 7
    assert not set(done) & set(again.open)


def test_a_batch_of_a_paused_message_is_not_claimed(batches):
    message = batches(10)
    message.status = "paused"
    message.save()
    assert claim.batch() is None
    assert not claim.any_batch()


def test_a_single_one_is_leased_to_one_worker_and_free_again_when_that_one_died(singles):
    message = singles(3)
    first = claim.singles(leases.NEWSLETTER)
    assert len(first.open) == 3
    assert claim.singles(leases.NEWSLETTER) is None
    assert tally.counts(message)["sending"] == 3
    with clock.moved(LATER):
        assert claim.singles(leases.NEWSLETTER) is None  # it may be stopped, and go on
    die()
    recover.look()
    second = claim.singles(leases.NEWSLETTER)
    with pytest.raises(LeaseLost):
        status.write(first, sent(second.open))
    assert set(SubscriberMessage.objects.values_list("state", flat=True)) <= {"sending", "deferred"}


def test_what_is_still_held_of_singles_is_written_though_another_was_lost(singles):
    message = singles(3)
    lease = claim.singles(leases.NEWSLETTER)
    lost, *kept = list(lease.open)
    SubscriberMessage.objects.filter(pk=lost).update(fence=99)
    with pytest.raises(LeaseLost):
        status.write(lease, sent([lost, *kept]))
    assert dict(SubscriberMessage.objects.values_list("pk", "state")) == {
        lost: "sending",
        **dict.fromkeys(kept, "sent"),
    }
    assert tally.counts(message)["sent"] == 2


def test_singles_that_are_given_back_are_what_they_were(singles):
    message = singles(3)
    status.give_back(claim.singles(leases.NEWSLETTER), timedelta(seconds=10))
    assert tally.counts(message)["deferred"] == 3
    assert claim.singles(leases.NEWSLETTER) is None
    with clock.moved(timedelta(seconds=11)):
        assert len(claim.singles(leases.NEWSLETTER).open) == 3


def test_after_a_death_each_companion_goes_alone_and_only_the_cause_is_quarantined(singles):
    message = singles(4)
    poison = min(SubscriberMessage.objects.values_list("pk", flat=True))
    deaths = 0
    while deaths < DEATHS + 5:
        lease = claim.singles(leases.NEWSLETTER)
        if lease is None:
            break
        if poison in lease.open:
            deaths += 1
            die()
            recover.look()
        else:
            assert deaths == 0 or len(lease.open) == 1
            status.write(lease, sent(lease.open))
    assert deaths == DEATHS
    assert SubscriberMessage.objects.get(pk=poison).state == "quarantined"
    assert {s: n for s, n in tally.counts(message).items() if n} == {"sent": 3, "quarantined": 1}
    tasks.build()
    message.refresh_from_db()
    assert message.status == "sent"


def test_a_batch_on_which_workers_die_falls_apart_and_the_rest_gets_through(batches):
    message = batches(10)
    for _ in range(DEATHS):
        assert claim.batch() is not None
        die()
        recover.look()
    assert claim.batch() is None
    assert {s: n for s, n in tally.counts(message).items() if n} == {"queued": 10}
    for _ in range(10):
        lease = claim.singles(leases.NEWSLETTER)
        assert len(lease.open) == 1
        status.write(lease, sent(lease.open))
    assert {s: n for s, n in tally.counts(message).items() if n} == {"sent": 10}


def test_a_batch_that_gets_on_is_not_blamed_for_deaths(batches):
    batches(10)
    for _ in range(5):
        lease = claim.batch()
        assert lease is not None
        status.write(lease, sent(list(lease.open)[:1]))
        die()
        recover.look()
    assert DeliveryBatch.objects.get().attempts == 1


def test_many_workers_at_once_share_all_batches_and_no_row_twice(batches):
    batches(200)
    taken: list[list[int]] = []
    faults: list[BaseException] = []

    def work():
        try:
            while lease := claim.batch():
                taken.append(list(lease.open))
                status.write(lease, sent(lease.open))
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    rows = [pk for lease in taken for pk in lease]
    assert len(rows) == len(set(rows)) == 200


def test_many_workers_at_once_share_singles_and_no_row_twice(singles, monkeypatch):
    message = singles(120)
    monkeypatch.setattr(claim, "SINGLES", 7)
    taken: list[int] = []
    faults: list[BaseException] = []

    def work():
        try:
            while lease := claim.singles(leases.NEWSLETTER):
                taken.extend(lease.open)
                status.write(lease, sent(lease.open))
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    # SKIP LOCKED passes over what others look at, so a worker may stop early; nothing is lost.
    work()
    assert len(taken) == len(set(taken)) == 120
    assert tally.counts(message)["sent"] == 120


def test_folding_the_tally_changes_no_count(singles):
    message = singles(60)
    while lease := claim.singles(leases.NEWSLETTER):
        for pk in list(lease.open):
            status.write(lease, sent([pk]))
    before = tally.counts(message)
    assert message.tallies.count() > 100
    assert tally.fold() > 100
    assert message.tallies.count() <= 2
    assert tally.counts(message) == before


def plan(query) -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
        found = query.explain()
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")
    return found


def test_claims_read_only_their_indexes_among_much_that_is_done(batches):
    message = batches(10)
    DeliveryBatch.objects.bulk_create(
        DeliveryBatch(message=message, number=n, first_id=n, last_id=n, size=1, done=True)
        for n in range(100, 3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert "delivery_due" in plan(claim._due_now(0).order_by("not_before", "pk")[:50])
    assert "batch_open" in plan(claim._free_batches().order_by("pk")[:1])
