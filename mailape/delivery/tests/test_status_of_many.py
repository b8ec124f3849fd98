"""States that are written of many at once, under no lease: on a person's word, or at an end."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from mailape.core import clock
from mailape.delivery import claim, leases, status
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.delivery.tests.conftest import counted, deferred, near, really, result, row

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


# --- held back for a domain ----------------------------------------------------------------------


@pytest.fixture
def held_back(sent_off):
    """Four who wait for an hour, the first two at slow.example and held back there."""
    message = sent_off(4)
    hour = clock.now() + timedelta(hours=1)
    SubscriberMessage.objects.update(state=State.DEFERRED, not_before=hour, reason="Waits: a limit")
    keys = list(message.deliveries.order_by("pk").values_list("pk", flat=True))
    for pk in keys[:2]:
        SubscriberMessage.objects.filter(pk=pk).update(to_address=f"r{pk}@Slow.example")
    return keys


def due() -> list[int]:
    now = SubscriberMessage.objects.filter(not_before__lte=clock.now())
    return list(now.order_by("pk").values_list("pk", flat=True))


def test_what_is_held_back_for_a_domain_can_be_made_due(held_back):
    assert status.hasten("slow.example", "Waits", 100) == 2
    assert due() == held_back[:2]
    assert status.hasten("slow.example", "Waits", 100) == 0


def test_no_more_is_made_due_than_was_asked_for_the_oldest_first(held_back):
    assert status.hasten("slow.example", "Waits", 1) == 1
    assert due() == held_back[:1]


@pytest.mark.parametrize(
    "change",
    [{"state": State.SENDING}, {"reason": "Try later"}, {"priority": leases.MACHINE}],
)
def test_only_what_is_held_back_for_this_is_made_due(held_back, change):
    SubscriberMessage.objects.filter(pk=held_back[0]).update(**change)
    assert status.hasten("slow.example", "Waits", 100) == 1
    assert due() == held_back[1:2]


# --- what a person decides -----------------------------------------------------------------------


def test_what_is_sent_again_is_due_now_under_a_new_fence_and_its_old_answer_forgotten(sent_off):
    message = sent_off(2)
    lease = claim.batch()
    doubtful, gone = lease.open
    status.write(lease, [result(doubtful, "unknown", answer="cut off"), result(gone)])
    fence = row(doubtful).fence
    assert status.send_again(message.pk) == 1
    one = row(doubtful)
    assert (one.state, one.reason, one.answer) == ("queued", status.SENT_AGAIN, "")
    assert one.fence == fence + 1
    assert near(one.not_before, clock.now())
    assert row(gone).state == "sent"
    assert counted(message) == really(message) == {"queued": 1, "sent": 1}


def test_what_is_tried_again_begins_as_if_for_the_first_time(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    again, other, gone = lease.open
    failures = [result(pk, "failed", answer="550 no", died=True) for pk in (again, other)]
    status.write(lease, [*failures, result(gone)])
    assert (row(again).attempts, row(again).deaths) == (1, 1)
    fence = row(again).fence
    assert status.try_again(message.pk, [again, gone]) == 1
    one = row(again)
    assert (one.state, one.reason, one.answer) == ("queued", status.TRIED_AGAIN, "")
    assert (one.attempts, one.deaths, one.fence) == (0, 0, fence + 1)
    assert near(one.not_before, clock.now())
    assert (row(other).state, row(gone).state) == ("failed", "sent")
    assert counted(message) == really(message) == {"queued": 1, "failed": 1, "sent": 1}


@pytest.mark.parametrize(("state", "asked"), [("unknown", "undecided"), ("failed", "failed")])
def test_what_came_after_a_page_was_seen_is_not_asked_about(sent_off, state, asked):
    message = sent_off(2)
    lease = claim.batch()
    early, late = lease.open
    now = clock.now()
    moments = {early: now, late: now + SECOND}
    status.write(lease, [result(pk, state)._replace(at=at) for pk, at in moments.items()])
    found = getattr(status, asked)
    assert {one.pk for one in found(message.pk)} == {early, late}
    assert [one.pk for one in found(message.pk, now)] == [early]


# --- winding up ----------------------------------------------------------------------------------


def test_what_nobody_holds_is_skipped_with_the_reason_and_its_batch_closed(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    first, second, last = lease.open
    status.write(lease, [result(first), deferred(second)])
    status.give_back(lease)
    fence = DeliveryBatch.objects.get().fence
    assert status.skip_waiting(message.pk, "x" * 130) is True
    batch = DeliveryBatch.objects.get()
    assert (batch.done, batch.owner, batch.lease_until) == (True, "", None)
    assert (batch.skipped, batch.fence) == (1, fence + 1)
    assert {row(pk).reason for pk in (second, last)} == {"x" * 120}
    assert row(second).not_before is None
    assert counted(message) == really(message) == {"sent": 1, "skipped": 2}


def test_a_batch_that_a_worker_holds_is_left_to_it(sent_off):
    message = sent_off(2)
    lease = claim.batch()
    before = DeliveryBatch.objects.values().get()
    assert status.skip_waiting(message.pk, "cancelled") is False
    assert DeliveryBatch.objects.values().get() == before
    status.write(lease, [result(pk) for pk in lease.open])
    assert status.skip_waiting(message.pk, "cancelled") is True
    assert counted(message) == {"sent": 2}


def test_more_singles_than_are_taken_at_once_are_skipped_but_none_that_is_out(
    held_singles, monkeypatch
):
    monkeypatch.setattr(status, "_ROWS_AT_ONCE", 2)
    message, lease = held_singles(5)
    out, *rest = lease.open
    status.write(lease, [deferred(pk) for pk in rest])
    assert status.skip_waiting(message.pk, "cancelled") is False
    assert row(out).state == "sending"
    assert counted(message) == really(message) == {"sending": 1, "skipped": 4}


def test_what_somebody_writes_at_this_moment_is_passed_over(held_singles):
    """A build that waited for one row would hold up all other messages."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock for all who write")
    message, lease = held_singles(3)
    status.give_back(lease)
    first = next(message.deliveries.order_by("pk").iterator())
    locked, over = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            SubscriberMessage.objects.select_for_update().get(pk=first.pk)
            locked.set()
            over.wait(10)
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert locked.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
    assert status.skip_waiting(message.pk, "cancelled") is False
    over.set()
    thread.join()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    assert counted(message) == really(message) == {"deferred": 1, "skipped": 2}
    assert status.skip_waiting(message.pk, "cancelled") is True


def test_what_is_skipped_is_of_this_message_only(held_singles, sent_off):
    other, lease = held_singles(2)
    status.give_back(lease)
    assert status.skip_waiting(other.pk + 1, "cancelled") is True
    assert counted(other) == really(other) == {"deferred": 2}
