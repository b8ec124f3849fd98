"""Building: one delivery for each person who should get it, in steps that resume."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery import build, leases, tally, tasks
from mailape.delivery.leases import LeaseLost
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.tests.conftest import add_readers
from mailape.lists import manage, suppress
from mailape.lists.models import MailingList, Status, Subscriber

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(build, "STEP", 40)
    monkeypatch.setattr(build, "BATCH", 10)


@pytest.fixture
def second(alice) -> MailingList:
    return MailingList.objects.create(workspace=alice.workspace, name="Second")


def rows(message) -> list[tuple[int, int]]:
    return list(
        SubscriberMessage.objects.filter(message=message)
        .order_by("pk")
        .values_list("subscriber_id", "batch")
    )


def test_each_confirmed_reader_gets_one_delivery_in_batches_that_name_their_range(write, a_list):
    readers = add_readers(a_list, 95)
    message = dispatch.send(write([a_list]))
    tasks.build()
    message.refresh_from_db()
    assert [reader for reader, _ in rows(message)] == [reader.pk for reader in readers]
    assert message.built_at
    assert message.status == "sending"
    found = list(DeliveryBatch.objects.filter(message=message).order_by("number"))
    assert [one.number for one in found] == list(range(1, 11))
    assert [one.size for one in found] == [10, 10, 10, 10, 10, 10, 10, 10, 10, 5]
    for one in found:
        mine = SubscriberMessage.objects.filter(batch=one.number)
        assert mine.count() == one.size
        assert mine.order_by("pk").first().pk == one.first_id
        assert mine.order_by("pk").last().pk == one.last_id
    assert tally.counts(message)["queued"] == 95


def test_a_reader_on_two_lists_gets_one_and_it_names_the_first(write, a_list, second):
    add_readers(a_list, 60)
    add_readers(second, 90)
    message = dispatch.send(write([second, a_list]))
    tasks.build()
    assert len(rows(message)) == len({reader for reader, _ in rows(message)}) == 90
    assert set(message.deliveries.values_list("list_id", flat=True)) == {second.pk}
    other = dispatch.send(write([a_list, second]))
    tasks.build()
    found = list(other.deliveries.values_list("list_id", flat=True))
    assert (found.count(a_list.pk), found.count(second.pk)) == (60, 30)


def test_only_the_confirmed_and_not_suppressed_of_this_workspace(write, a_list, alice, charlie):
    add_readers(a_list, 8)
    strangers = MailingList.objects.create(workspace=charlie.workspace, name="Charlie's")
    add_readers(strangers, 3)
    keys = list(Subscriber.objects.filter(workspace=alice.workspace).values_list("pk", flat=True))
    on = a_list.subscriptions
    on.filter(subscriber_id=keys[0]).update(status=Status.UNCONFIRMED)
    on.filter(subscriber_id=keys[1]).update(status=Status.UNSUBSCRIBED)
    suppress.suppress(alice.workspace, "reader2@example.org")
    Subscriber.objects.filter(pk=keys[3]).update(domain="gone.example")
    suppress.suppress(alice.workspace, "gone.example")
    suppress.suppress(charlie.workspace, "reader4@example.org")  # not Alice's word
    message = write([a_list])
    Message.objects.filter(pk=message.pk).update(audience={"lists": [a_list.pk, strangers.pk]})
    message = dispatch.send(message)
    tasks.build()
    assert [reader for reader, _ in rows(message)] == keys[4:]


def test_a_list_archived_after_sending_off_gets_nothing(write, a_list):
    add_readers(a_list, 3)
    message = dispatch.send(write([a_list]))
    manage.archive(a_list)
    tasks.build()
    message.refresh_from_db()
    assert rows(message) == []
    assert message.status == "sent"


def test_a_message_to_nobody_is_sent(write, a_list):
    message = dispatch.send(write([a_list]))
    tasks.build()
    message.refresh_from_db()
    assert message.status == "sent"
    assert message.finished_at


def test_a_half_built_message_resumes_where_it_was_killed(write, a_list, monkeypatch):
    add_readers(a_list, 95)
    message = dispatch.send(write([a_list]))
    right, steps = build._insert_batches, []

    def dies_in_the_second(*args):
        steps.append(args)
        if len(steps) == 2:
            raise SystemExit
        right(*args)

    monkeypatch.setattr(build, "_insert_batches", dies_in_the_second)
    with pytest.raises(SystemExit):
        build.one(clock.monotonic() + 5)
    assert len(rows(message)) == 40
    assert not build.one(clock.monotonic() + 5)  # leased by the dead one
    monkeypatch.setattr(build, "_insert_batches", right)
    with clock.moved(leases.length() * 1.1):
        assert build.one(clock.monotonic() + 5)
    assert len(rows(message)) == len({reader for reader, _ in rows(message)}) == 95
    assert sum(DeliveryBatch.objects.values_list("size", flat=True)) == 95


def test_a_builder_that_lost_its_lease_builds_nothing(write, a_list):
    add_readers(a_list, 95)
    message = dispatch.send(write([a_list]))
    late = build.claim()
    with clock.moved(leases.length() * 1.1):
        new = build.claim()
        build._ready(new)
        build.step(new, [a_list.pk])
    with pytest.raises(LeaseLost):
        build.step(late, [a_list.pk])
    assert len(rows(message)) == 40


def test_a_lease_of_a_clock_that_was_an_hour_ahead_holds_nothing_once_it_is_right(write, a_list):
    """The simulator's: such a claim broke off behind its COMMIT, and the clock was set back."""
    add_readers(a_list, 3)
    message = dispatch.send(write([a_list]))
    with clock.moved(timedelta(hours=1)):
        build.claim()
        assert build.claim() is None, "somebody works on it"
    assert build.one(clock.monotonic() + 5)
    assert len(rows(message)) == 3


def test_what_such_a_clock_put_off_is_not_put_off_for_an_hour(write, a_list):
    add_readers(a_list, 3)
    message = dispatch.send(write([a_list]))
    with clock.moved(timedelta(hours=1)):
        build._put_off(build.claim())
        assert build.claim() is None
    assert build.one(clock.monotonic() + 5)
    assert len(rows(message)) == 3


def test_pausing_while_it_is_built_stops_the_build_and_resuming_ends_it(write, a_list):
    add_readers(a_list, 95)
    message = dispatch.send(write([a_list]))
    claimed = build.claim()
    build._ready(claimed)
    build.step(claimed, [a_list.pk])
    message.refresh_from_db()
    dispatch.pause(message)
    with pytest.raises(LeaseLost):
        build.step(claimed, [a_list.pk])
    build._give_back(claimed)
    assert len(rows(message)) == 40
    dispatch.resume(message)
    tasks.build()
    assert len(rows(message)) == 95


def test_sending_begins_while_the_rest_is_still_built_and_ends_after(write, a_list):
    add_readers(a_list, 95)
    message = dispatch.send(write([a_list]))
    claimed = build.claim()
    build._ready(claimed)
    build.step(claimed, [a_list.pk])
    tasks.send()
    message.refresh_from_db()
    assert tally.counts(message)["sent"] == 40
    assert message.status == "sending"
    build._give_back(claimed)
    tasks.build()
    tasks.send()
    message.refresh_from_db()
    assert tally.counts(message)["sent"] == 95
    assert message.status == "sent"


def test_what_cannot_be_compiled_fails_with_a_reason_for_the_writer(write, a_list):
    add_readers(a_list, 3)
    message = dispatch.send(write([a_list], body="Dear {{ subscriber.name"))
    tasks.build()
    message.refresh_from_db()
    assert message.status == "failed"
    assert "expected '}}'" in message.reason
    assert message.finished_at
    assert rows(message) == []


def test_a_fault_is_put_off_and_after_five_times_the_message_fails(write, a_list, monkeypatch):
    add_readers(a_list, 3)
    message = dispatch.send(write([a_list]))

    def breaks(*args):
        raise OperationalError("the disk is full")

    monkeypatch.setattr(build, "_insert_deliveries", breaks)
    ahead = leases.length()
    for attempt in range(1, build.ATTEMPTS + 1):
        with clock.moved(ahead * 10 * attempt), pytest.raises(OperationalError):
            build.one(clock.monotonic() + 5)
        with clock.moved(ahead * 10 * attempt):
            assert not build.one(clock.monotonic() + 5)  # put off
    message.refresh_from_db()
    assert message.status == "failed"
    assert message.reason == "It could not be built in 5 attempts."


def test_a_message_on_which_builders_die_fails_in_the_end(write, a_list):
    message = dispatch.send(write([a_list]))
    for death in range(build.ATTEMPTS):
        with clock.moved(leases.length() * 1.1 * death):
            assert build.claim() is not None
    with clock.moved(leases.length() * 1.1 * build.ATTEMPTS):
        assert build.claim() is None
    message.refresh_from_db()
    assert message.status == "failed"


def test_a_failed_half_built_message_leaves_nothing_open(write, a_list):
    add_readers(a_list, 95)
    message = dispatch.send(write([a_list]))
    claimed = build.claim()
    build._ready(claimed)
    build.step(claimed, [a_list.pk])
    Message.objects.filter(pk=message.pk).update(status="failed", build_lease_until=None)
    tasks.build()
    message.refresh_from_db()
    assert message.finished_at
    assert tally.counts(message)["skipped"] == 40


def test_an_edit_after_sending_off_changes_nothing_that_goes_out(write, a_list, smtp, smtp_url):
    smtp_url(smtp.url)
    add_readers(a_list, 2)
    message = dispatch.send(write([a_list], body="The first text."))
    tasks.build()
    Message.objects.filter(pk=message.pk).update(body="Another text.", subject="Other")
    manage.change(a_list, name="Renamed")
    tasks.send()
    assert {"The first text." in letter.part("plain") for letter in smtp.letters} == {True}
    assert {"Weekly letter" in letter.part("plain") for letter in smtp.letters} == {True}
