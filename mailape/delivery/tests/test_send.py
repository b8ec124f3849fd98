"""One lease on its way: looks, writes, and what happens when lease or database go away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, InternalError, OperationalError
from django.db.models import F

from mailape.campaigns import dispatch
from mailape.campaigns.models import MessageRevision
from mailape.core import clock
from mailape.delivery import claim, journal, leases, send, status, tally, tasks
from mailape.delivery.journal import JournalBroken
from mailape.delivery.leases import Lease
from mailape.delivery.letters import Letters
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.tests.conftest import counted, deferred, really, result
from mailape.delivery.tests.ways import Way, Wide, at, go, in_hand
from mailape.lists import subscribe
from mailape.lists.models import Method, Subscriber

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def always_looking(monkeypatch):
    """Looks before each mail instead of once a second."""
    monkeypatch.setattr(send, "LOOK", 0.0)


def test_an_unsubscribe_in_mid_batch_takes_effect(sent_off, always_looking):
    message = sent_off(10)
    last = Subscriber.objects.order_by("pk").last()
    leave = lambda: subscribe.unsubscribe(last.pk, None, subscribe.Origin(Method.LINK))  # noqa: E731
    way = Way(at(3, leave))
    go(way)
    assert last.email not in [mail.recipient for mail in way.taken]
    assert tally.counts(message) | {"sent": 9, "skipped": 1} == tally.counts(message)


@pytest.mark.parametrize(
    ("deed", "rest"), [(dispatch.pause, "queued"), (dispatch.cancel, "skipped")]
)
def test_pause_and_cancel_in_mid_batch_take_effect(sent_off, always_looking, deed, rest):
    message = sent_off(10)
    way = Way(at(3, lambda: deed(message)))
    go(way)
    tasks.build()
    assert len(way.taken) == 3
    assert tally.counts(message) | {"sent": 3, rest: 7} == tally.counts(message)


def test_a_lease_that_somebody_took_ends_the_sending_without_a_write(sent_off, always_looking):
    message = sent_off(10)

    def somebody_takes_it() -> None:
        DeliveryBatch.objects.update(fence=F("fence") + 1)

    way = Way(at(4, somebody_takes_it))
    go(way)
    # Three were written by the looks before; the fourth was on its way when the lease was lost.
    assert len(way.taken) == 4
    assert tally.counts(message)["sent"] == 3


def test_nothing_begins_on_a_look_that_is_too_old(sent_off, monkeypatch):
    """A process that was stopped and goes on must look before it sends."""
    sent_off(3)
    sending = send._Sending(iter([]), Way(), clock.monotonic() + 60)
    work = sending._take_up(claim.batch())
    assert work.may_go()
    real = clock.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: real() + leases.STALE + 0.1)
    assert not work.may_go()
    sending._look()
    assert work.may_go()


@pytest.mark.parametrize("fault", [OperationalError, InterfaceError, InternalError])
def test_a_database_that_is_away_for_a_moment_loses_no_outcome(sent_off, monkeypatch, fault):
    """InternalError is what PostgreSQL says where it takes no writes for a while."""
    message = sent_off(5)
    right, faults = status.write, [fault("gone"), fault("still")]

    def away(lease, results):
        if faults:
            raise faults.pop()
        right(lease, results)

    monkeypatch.setattr(status, "write", away)
    monkeypatch.setattr(send.time, "sleep", lambda _: None)
    go(Way())
    assert tally.counts(message)["sent"] == 5


def test_a_commit_whose_answer_was_lost_is_not_written_twice(sent_off, monkeypatch):
    message = sent_off(5)
    right, lost = status.write, [OperationalError("cut behind COMMIT")]

    def cut_behind_commit(lease, results):
        right(lease, results)
        if lost:
            raise lost.pop()

    monkeypatch.setattr(status, "write", cut_behind_commit)
    monkeypatch.setattr(send.time, "sleep", lambda _: None)
    go(Way())
    assert {s: n for s, n in tally.counts(message).items() if n} == {"sent": 5}


def test_a_lot_whose_commit_had_no_answer_is_known_though_another_went_on_with_it(
    sent_off, monkeypatch
):
    """What was put off had gone out by another's hands before the answer was missed: written once
    more it was counted twice, put off again and sent again."""
    message = sent_off(3)
    sending, work = in_hand()
    write, cuts = status.write, [OperationalError("cut behind COMMIT")]

    def cut_behind_commit(lease: Lease, results: list[Any]) -> None:
        held = dict(lease.open)
        write(lease, results)
        if cuts:
            lease.open = held  # as it is when the COMMIT itself fails
            other = claim.singles(leases.NEWSLETTER)
            with clock.moved(timedelta(seconds=1)):
                write(other, [result(pk) for pk in other.open])
            raise cuts.pop()

    monkeypatch.setattr(status, "write", cut_behind_commit)
    monkeypatch.setattr(send, "STUBBORN", -1.0)
    work.results = [deferred(work.ahead.pop(next(iter(work.ahead))).id)]
    sending._look()
    sending.end()
    assert counted(message) == really(message) == {"sent": 1, "queued": 2}


def test_when_the_database_goes_away_nothing_more_is_sent(sent_off, always_looking, monkeypatch):
    sent_off(10)
    way = Way()

    def goes_away(count: int) -> None:
        if count == 4:
            monkeypatch.setattr(status, "check", breaks)

    def breaks(lease):
        raise OperationalError("gone")

    way._told = goes_away
    go(way)
    assert len(way.taken) == 4


def test_time_over_gives_back_what_is_left(sent_off):
    message = sent_off(10)
    way = Way()
    send.run([claim.batch()], way, clock.monotonic() - 1)
    assert not way.taken
    assert tally.counts(message)["queued"] == 10
    assert len(claim.batch().open) == 10


def test_one_mail_that_cannot_be_rendered_fails_alone(sent_off):
    message = sent_off(3, body="{% for i in (1..subscriber.fields.n) %}x{% endfor %}")
    bad, *good = Subscriber.objects.order_by("pk")
    for one in good:
        one.fields = {"n": 1}
        one.save()
    bad.fields = {"n": 5001}
    bad.save()
    go(Way())
    states = dict(SubscriberMessage.objects.values_list("subscriber_id", "state"))
    assert states == {bad.pk: "failed", **{one.pk: "sent" for one in good}}
    row = SubscriberMessage.objects.get(state="failed")
    assert "5000 numbers" in row.reason
    message.refresh_from_db()
    assert message.status == "sent"


def test_a_fault_of_ours_in_one_mail_does_not_hold_up_the_others(sent_off, monkeypatch):
    message = sent_off(3)
    right = Letters.mail

    def breaks(letters, row, *args):
        if row.id == min(SubscriberMessage.objects.values_list("pk", flat=True)):
            raise KeyError("a fault")
        return right(letters, row, *args)

    monkeypatch.setattr(Letters, "mail", breaks)
    go(Way())
    assert tally.counts(message) | {"sent": 2, "failed": 1} == tally.counts(message)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"compiler": "mime-0", "digest": "unknown"}, "compiled by a version that is not known"),
        ({"link_key": 77, "digest": "of a key that is gone"}, "The key of this message’s links"),
    ],
)
def test_a_message_that_cannot_be_read_pauses_and_holds_up_no_other(
    write, a_list, sent_off, spoil, why
):
    """Its batch is the oldest: every worker would stumble over it first, and for ever."""
    bad = sent_off(3)
    compiled = bad.revision.compiled
    compiled["program"] |= spoil
    MessageRevision.objects.filter(pk=bad.revision_id).update(compiled=compiled)
    good = dispatch.send(write([a_list]))
    tasks.build()
    way = Way()
    go(way)
    go(way)
    assert (len(way.taken), counted(good), counted(bad)) == (3, {"sent": 3}, {"queued": 3})
    bad.refresh_from_db()
    assert bad.status == "paused"
    assert why in bad.reason
    assert journal.mine().is_clear


def test_a_sender_whose_journal_was_taken_away_stops_and_begins_a_new_one(
    small, sent_off, always_looking
):
    message = sent_off(4)

    def tidies_up() -> None:
        for one in journal.folder().glob("*.journal"):
            one.unlink()

    way = Way(at(1, tidies_up))
    assert send.run(iter(claim.batch, None), way, clock.monotonic() + 60) is False
    assert len(way.taken) == 1
    assert DeliveryBatch.objects.filter(lease_until__isnull=False).count() == 0
    tasks.send()
    assert counted(message) == really(message) == {"sent": 4}


def test_a_long_batch_renews_its_lease(sent_off, always_looking, monkeypatch):
    sent_off(10)
    renewed: list[float] = []
    right = status.write
    monkeypatch.setattr(
        status, "write", lambda lease, results: (right(lease, results), renewed.append(lease.left))
    )
    go(Way())
    assert len(renewed) >= 9
    assert min(renewed) > leases.length().total_seconds() - 5


def test_an_erased_person_gets_nothing_and_is_no_error(sent_off):
    message = sent_off(2)
    gone = Subscriber.objects.order_by("pk")[0].pk
    SubscriberMessage.objects.filter(subscriber_id=gone).update(to_address="")
    Subscriber.objects.filter(pk=gone).delete()
    go(Way())
    row = SubscriberMessage.objects.get(subscriber_id=gone)
    assert (row.state, row.reason) == ("skipped", "unsubscribed")
    assert tally.counts(message)["sent"] == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_while_the_journal_cannot_be_written_nothing_goes_out(sent_off):
    message = sent_off(5)
    way = Way(at(3, lambda: fill_up(journal.mine())))
    assert not go(way)
    assert len(way.taken) == 3
    assert tally.counts(message) | {"sent": 2, "queued": 3} == tally.counts(message)
    message.refresh_from_db()
    assert "journal cannot be written" in message.reason
    journal._mine.journal = None  # space is back
    assert go(Way())
    assert tally.counts(message)["sent"] == 5


def fill_up(kept: journal.Journal) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), kept._file)


@pytest.mark.parametrize("fault", [OperationalError("gone"), JournalBroken("full"), KeyError(1)])
def test_a_fault_in_claiming_forgets_no_mail_that_is_on_its_way(sent_off, fault):
    """They are on the wire: whoever is given them back sends them a second time."""
    message = sent_off(5)

    def claims() -> Iterator[leases.Lease]:
        yield claim.batch()
        raise fault

    way = Wide()
    with pytest.raises(type(fault)) if not isinstance(fault, JournalBroken) else nullcontext():
        send.run(claims(), way, clock.monotonic() + 60)
    assert len(way.taken) == 5
    assert tally.counts(message)["sent"] == 5


def test_a_fault_in_looking_forgets_no_mail_that_is_on_its_way(
    sent_off, always_looking, monkeypatch
):
    message = sent_off(5)
    faults = [JournalBroken("full")]

    def sync(kept: journal.Journal) -> None:
        if len(way.taken) == 5 and faults:
            raise faults.pop()

    monkeypatch.setattr(journal.Journal, "sync", sync)
    way = Wide()
    assert not go(way)
    assert tally.counts(message)["sent"] == 5


def test_what_a_way_out_that_breaks_down_did_not_say_is_asked_of_the_journal(sent_off):
    message = sent_off(5)
    with pytest.raises(ZeroDivisionError):
        go(Wide(answers=2))
    assert claim.batch() is None
    tasks._tidy_up()
    assert tally.counts(message) | {"sent": 2, "unknown": 3} == tally.counts(message)


def test_a_database_that_is_away_for_long_loses_no_outcome(sent_off, monkeypatch):
    """Not even when it comes back at the very moment in which the sender gives up."""
    message = sent_off(5)
    right, faults = status.write, [OperationalError("cut behind COMMIT"), OperationalError("gone")]

    def away(lease, results):
        if not faults:
            return right(lease, results)
        if len(faults) == 1:
            right(lease, results)
        raise faults.pop()

    monkeypatch.setattr(status, "write", away)
    monkeypatch.setattr(send, "STUBBORN", 0.0)
    monkeypatch.setattr(send, "WRITE", 3)
    way = Wide()
    with pytest.raises(OperationalError):
        go(way)
    tasks._tidy_up()
    assert tally.counts(message) | {"sent": 5, "queued": 0} == tally.counts(message)
    assert len(way.taken) == 5
