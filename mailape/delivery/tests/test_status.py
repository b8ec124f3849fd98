"""What each write of a state leaves in the rows: no more, and no less."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mailape.core import clock, minutes
from mailape.delivery import claim, journal, leases, notices, retry, status
from mailape.delivery.leases import LeaseLost
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.delivery.tests.conftest import counted, deferred, near, really, result, row

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


@pytest.fixture
def machine_mails(db) -> list[int]:
    """Three account mails that are due."""
    return [
        notices.account_mail(f"{name}@example.org", "password-reset", {"url": "http://x/y"}).pk
        for name in ("ann", "bob", "eve")
    ]


# --- under a lease -------------------------------------------------------------------------------


def test_what_is_written_of_a_batch_is_open_no_more_and_the_lease_begins_anew(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    first, *rest = lease.open
    lease.until -= 20
    with clock.moved(20 * SECOND):
        status.write(lease, [result(first)])
        batch = DeliveryBatch.objects.get()
        assert near(batch.lease_until, clock.now() + leases.length())
        assert lease.left > 25
    assert sorted(lease.open) == sorted(rest)
    assert (batch.done, batch.owner) == (False, leases.owner())
    assert counted(message) == {"sent": 1, "sending": 2}
    status.write(lease, [result(rest[0], "failed"), result(rest[1], "skipped")])
    batch.refresh_from_db()
    assert (batch.done, batch.owner, batch.lease_until) == (True, "", None)
    assert counted(message) == really(message) == {"sent": 1, "failed": 1, "skipped": 1}


def test_of_a_lease_that_was_lost_nothing_is_written_or_counted(sent_off, monkeypatch):
    message = sent_off(2)
    lease = claim.batch()
    told: list[Any] = []
    monkeypatch.setattr(minutes, "add", told.append)
    DeliveryBatch.objects.update(fence=99)
    with pytest.raises(LeaseLost):
        status.write(lease, [result(pk) for pk in lease.open])
    assert really(message) == {"queued": 2}
    assert told == []
    assert len(lease.open) == 2


def test_the_minutes_count_what_was_written_and_not_what_was_lost(held_singles, monkeypatch):
    _, lease = held_singles(4)
    told: list[Any] = []
    monkeypatch.setattr(minutes, "add", told.append)
    lost, first, second, last = sorted(lease.open)
    SubscriberMessage.objects.filter(pk=lost).update(fence=99)
    results = [result(lost), result(first), result(second), result(last, "failed")]
    with pytest.raises(LeaseLost):
        status.write(lease, results)
    assert told == [{"sent": 2, "failed": 1}]
    assert lease.open == {}


def test_writing_some_singles_renews_the_others_until_the_same_end(held_singles):
    _, lease = held_singles(3)
    first, *rest = lease.open
    lease.until -= 20
    with clock.moved(20 * SECOND):
        status.write(lease, [result(first)])
        end = clock.now() + leases.length()
        held = [row(pk) for pk in rest]
        assert all(near(one.lease_until, end) and near(one.not_before, end) for one in held)
        assert lease.left > 25
    assert (row(first).lease_until, row(first).not_before, row(first).owner) == (None, None, "")


def test_renewing_singles_puts_off_the_end_of_each(held_singles):
    _, lease = held_singles(2)
    lease.until -= 20
    with clock.moved(20 * SECOND):
        status.renew(lease)
        end = clock.now() + leases.length()
        held = list(SubscriberMessage.objects.all())
        assert all(near(one.lease_until, end) and near(one.not_before, end) for one in held)
        assert lease.left > 25


def test_renewing_a_batch_puts_off_its_end(sent_off):
    sent_off(1)
    lease = claim.batch()
    lease.until -= 20
    with clock.moved(20 * SECOND):
        status.renew(lease)
        assert near(DeliveryBatch.objects.get().lease_until, clock.now() + leases.length())
        assert lease.left > 25


@pytest.mark.parametrize("look", [status.renew, status.check])
@pytest.mark.parametrize("change", [{"fence": 99}, {"state": State.QUEUED}])
def test_a_look_at_singles_leaves_the_lease_with_those_still_held(held_singles, look, change):
    _, lease = held_singles(3)
    look(lease)
    assert len(lease.open) == 3
    lost, *kept = lease.open
    SubscriberMessage.objects.filter(pk=lost).update(**change)
    with clock.moved(20 * SECOND), pytest.raises(LeaseLost):
        look(lease)
    assert list(lease.open) == kept


def test_a_batch_that_is_done_is_held_by_nobody(sent_off):
    sent_off(2)
    lease = claim.batch()
    status.check(lease)
    DeliveryBatch.objects.update(done=True)
    for look in (status.check, status.renew):
        with pytest.raises(LeaseLost):
            look(lease)


def test_a_batch_given_back_is_free_at_once_and_blamed_for_nothing(sent_off):
    sent_off(2)
    lease = claim.batch()
    DeliveryBatch.objects.update(attempts=2)
    status.give_back(lease)
    batch = DeliveryBatch.objects.get()
    assert (batch.owner, batch.lease_until, batch.attempts) == ("", None, 0)
    assert batch.not_before is None
    assert lease.open == {}
    assert len(claim.batch().open) == 2


def test_a_batch_given_back_for_a_while_is_claimed_after_it(sent_off):
    sent_off(2)
    status.give_back(claim.batch(), 10 * SECOND)
    assert near(DeliveryBatch.objects.get().not_before, clock.now() + 10 * SECOND)
    assert claim.batch() is None
    with clock.moved(11 * SECOND):
        assert claim.batch() is not None


def test_singles_given_back_are_queued_or_deferred_as_before_and_owned_by_nobody(machine_mails):
    first, *_ = machine_mails
    SubscriberMessage.objects.filter(pk=first).update(state=State.DEFERRED, attempts=1)
    lease = claim.singles(leases.MACHINE)
    status.give_back(lease)
    rows = [row(pk) for pk in machine_mails]
    assert [one.state for one in rows] == ["deferred", "queued", "queued"]
    assert all((one.owner, one.lease_until) == ("", None) for one in rows)
    assert all(near(one.not_before, clock.now()) for one in rows)
    assert lease.open == {}
    assert len(claim.singles(leases.MACHINE).open) == 3


def test_what_somebody_else_holds_now_is_not_given_back(held_singles):
    message, lease = held_singles(2)
    lost, _ = lease.open
    SubscriberMessage.objects.filter(pk=lost).update(fence=99, owner="another")
    status.give_back(lease)
    assert (row(lost).state, row(lost).owner) == ("sending", "another")
    assert counted(message) == really(message) == {"sending": 1, "deferred": 1}


def test_only_account_mail_that_is_over_forgets_what_it_carried(machine_mails):
    over, again, _ = machine_mails
    lease = claim.singles(leases.MACHINE)
    status.write(lease, [result(over, "failed"), deferred(again)])
    assert row(over).context is None
    assert row(again).context["url"] == "http://x/y"


def test_a_test_mail_keeps_what_it_carried(write, a_list):
    made = notices.send_test("ann@example.org", write([a_list]))
    lease = claim.singles(leases.MACHINE)
    status.write(lease, [result(pk) for pk in lease.open])
    made.refresh_from_db()
    assert made.state == "sent"
    assert made.context["subscriber"]["first_name"] == "Ann"


def test_machine_mail_leaves_no_row_in_the_tally(machine_mails):
    first, *_ = machine_mails
    lease = claim.singles(leases.MACHINE)
    status.write(lease, [result(first)])
    status.give_back(lease)
    assert not row(first).message.tallies.exists()


def test_a_batch_in_which_nothing_waits_is_closed_with_the_size_it_has(sent_off):
    message = sent_off(4)
    lease = claim.batch()
    first, second, *rest = lease.open
    status.write(lease, [result(first), result(second, "unknown")])
    message.deliveries.filter(pk__in=rest).delete()
    status.close_empty(lease)
    batch = DeliveryBatch.objects.get()
    assert (batch.done, batch.owner, batch.lease_until, batch.size) == (True, "", None, 2)
    assert counted(message) == really(message) == {"sent": 1, "unknown": 1}


def test_what_was_never_tried_has_no_time_of_it_and_keeps_the_last_one(held_singles):
    _, lease = held_singles(2)
    first, second = lease.open
    before = row(first).tried_at
    assert before is not None
    later = clock.now() + 5 * SECOND
    waits = retry.held(lease.open[first], later, later, "Waits for its turn at example.org")
    status.write(lease, [waits, result(second)._replace(at=later)])
    assert (row(first).tried_at, row(first).sent_at) == (before, None)
    assert (row(second).tried_at, row(second).sent_at) == (later, later)


def test_what_was_written_of_a_batch_is_known_whatever_became_of_it_since(sent_off):
    message = sent_off(2)
    lease = claim.batch()
    first, second = lease.open
    lot = [deferred(first), result(second)]
    assert not status.is_written(lease, lot)
    status.write(lease, lot)
    assert status.is_written(lease, lot)
    other = claim.singles(leases.NEWSLETTER)
    assert status.is_written(lease, lot), "another sends it now"
    status.write(other, [result(first, "failed")])
    assert status.try_again(message.pk, [first]) == 1
    assert status.is_written(lease, lot), "a person had it queued again"


def test_what_was_written_of_singles_is_known_by_the_fence(held_singles):
    _, lease = held_singles(3)
    lost, first, last = sorted(lease.open)
    lot = [result(lost), result(first)]
    SubscriberMessage.objects.filter(pk=lost).update(state=State.SENT, tried_at=lot[0].at)
    assert not status.is_written(lease, lot), "what another has sent says nothing of the rest"
    assert not status.is_written(lease, [result(last)])
    with pytest.raises(LeaseLost):
        status.write(lease, [deferred(last)])
    assert claim.singles(leases.NEWSLETTER).open.keys() == {last}
    assert status.is_written(lease, [deferred(last)]), "it is open under another's fence"


# --- of owners who are gone ----------------------------------------------------------------------


@pytest.mark.parametrize(("died", "deaths"), [(True, 1), (False, 0)])
def test_what_an_owner_held_is_set_free_and_only_a_death_counts(sent_off, died, deaths):
    sent_off(2)
    claim.batch()
    made = notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/y"})
    lease = claim.singles(leases.MACHINE)
    status.release(leases.owner(), died=died)
    batch, single = DeliveryBatch.objects.get(), row(made.pk)
    assert (batch.owner, batch.lease_until, batch.attempts) == ("", None, deaths)
    assert (single.state, single.owner, single.lease_until) == ("queued", "", None)
    assert single.deaths == deaths
    assert near(single.not_before, clock.now())
    assert list(claim.singles(leases.MACHINE).open) == list(lease.open)


def test_what_others_hold_and_what_is_done_is_left_alone(sent_off, machine_mails):
    sent_off(1)
    claim.batch()
    claim.singles(leases.MACHINE)
    SubscriberMessage.objects.filter(pk__in=machine_mails).update(owner="another")
    DeliveryBatch.objects.update(done=True)
    before = list(DeliveryBatch.objects.values()), list(SubscriberMessage.objects.values())
    status.release(leases.owner(), died=True)
    assert before == (
        list(DeliveryBatch.objects.values()),
        list(SubscriberMessage.objects.values()),
    )


def test_more_singles_than_are_taken_at_once_are_set_free(machine_mails, monkeypatch):
    monkeypatch.setattr(status, "_ROWS_AT_ONCE", 2)
    claim.singles(leases.MACHINE)
    status.release(leases.owner(), died=True)
    assert {one.deaths for one in SubscriberMessage.objects.all()} == {1}
    assert {one.state for one in SubscriberMessage.objects.all()} == {"queued"}


def test_newsletter_mail_that_is_set_free_is_counted_as_what_it_was(held_singles):
    message, _ = held_singles(3)
    assert counted(message) == {"sending": 3}
    status.release(leases.owner(), died=True)
    assert counted(message) == really(message) == {"deferred": 3}


# --- what a claim writes -------------------------------------------------------------------------


def test_what_is_claimed_singly_carries_owner_end_and_a_new_fence(held_singles):
    message, lease = held_singles(2)
    end = clock.now() + leases.length()
    for pk, held in lease.open.items():
        one = row(pk)
        assert (one.state, one.owner) == ("sending", journal.mine().owner)
        assert near(one.lease_until, end)
        assert one.not_before == one.lease_until
        assert one.fence == held.fence == 1
    assert counted(message) == really(message) == {"sending": 2}


def test_what_ends_without_an_attempt_is_nobody_s_and_never_due(held_singles):
    message, lease = held_singles(2)
    status.give_back(lease)
    status.end(list(message.deliveries.select_related("message")), State.QUARANTINED, "x" * 130)
    for one in message.deliveries.all():
        assert (one.state, one.reason) == ("quarantined", "x" * 120)
        assert (one.not_before, one.owner, one.lease_until) == (None, "", None)
    assert counted(message) == really(message) == {"quarantined": 2}


def test_a_batch_that_falls_apart_is_done_and_each_of_its_mails_is_due_alone(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    first, *rest = lease.open
    status.write(lease, [result(first)])
    status.fall_apart(DeliveryBatch.objects.get())
    batch = DeliveryBatch.objects.get()
    assert (batch.done, batch.owner, batch.lease_until, batch.size) == (True, "", None, 1)
    for pk in rest:
        assert (row(pk).state, row(pk).deaths) == ("queued", 1)
        assert near(row(pk).not_before, clock.now())
    assert counted(message) == really(message) == {"sent": 1, "queued": 2}
    assert list(message.tallies.values_list("state", "change")) == [("queued", 2)]
    assert len(claim.singles(leases.NEWSLETTER).open) == 1


def test_only_what_its_first_pass_has_not_reached_waits_in_a_batch(sent_off, monkeypatch):
    monkeypatch.setattr("mailape.delivery.build.BATCH", 2)
    message = sent_off(4)
    first, second = DeliveryBatch.objects.order_by("pk")
    one, two = message.deliveries.filter(batch=first.number).order_by("pk")
    assert [row.pk for row in status.waiting(first).order_by("pk")] == [one.pk, two.pk]
    SubscriberMessage.objects.filter(pk=one.pk).update(not_before=clock.now())
    SubscriberMessage.objects.filter(pk=two.pk).update(state=State.SENT)
    assert not status.waiting(first).exists()
    assert status.waiting(second).count() == 2
