"""Sending over many leases: when it looks, writes and stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import F

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery import claim, journal, leases, notices, pace, progress, send, status, tasks
from mailape.delivery.journal import JournalBroken
from mailape.delivery.leases import Lease
from mailape.delivery.letters import Letters
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.render import CannotRender
from mailape.delivery.signing import CannotSign
from mailape.delivery.tests.conftest import counted, really, recorder, result
from mailape.delivery.tests.ways import UNSIGNED, Way, at, go, in_hand
from mailape.delivery.transports.base import Fate, Mail, Outcome
from mailape.lists import subscribe
from mailape.lists.models import Method, Subscriber
from mailape.senders import dkim
from mailape.senders.models import TransportAccount

pytestmark = pytest.mark.django_db(transaction=True)


def gone(*_: Any, **__: Any) -> None:
    raise OperationalError("gone")


# --- leases one after the other ------------------------------------------------------------------


def test_each_lease_follows_the_last_until_there_is_none(small, sent_off):
    message = sent_off(6)
    way = Way()
    assert send.run(iter(claim.batch, None), way, clock.monotonic() + 60) is True
    assert len(way.taken) == 6
    assert counted(message) == {"sent": 6}
    assert journal.mine().is_clear


def test_when_there_is_nothing_to_claim_and_nobody_waits_it_asks_no_more(small, sent_off):
    sent_off(4)
    asked: list[int] = []

    def claims() -> Iterator[Lease | None]:
        for number in range(3):
            asked.append(number)
            yield None if number == 1 else claim.batch()

    way = Way()
    send.run(claims(), way, clock.monotonic() + 60)
    assert asked == [0, 1]
    assert len(way.taken) == 2


def test_after_its_time_it_claims_nothing_more(small, sent_off, hand):
    message = sent_off(4)
    way = Way(at(2, lambda: hand.on(3)))
    send.run(iter(claim.batch, None), way, clock.monotonic() + 2)
    assert len(way.taken) == 2
    assert counted(message) == {"sent": 2, "queued": 2}
    assert DeliveryBatch.objects.filter(fence=0).count() == 1


def test_who_had_no_time_left_gives_back_at_once_and_to_the_full(sent_off, hand):
    sent_off(3)
    way = Way(at(1, lambda: hand.on(61)))
    send.run([claim.batch()], way, clock.monotonic() + 60)
    batch = DeliveryBatch.objects.get()
    assert (batch.owner, batch.lease_until, batch.not_before) == ("", None, None)
    assert journal.mine().is_clear


def test_a_batch_whose_readers_have_all_left_is_over_without_a_mail(small, sent_off):
    message = sent_off(4)
    leavers = Subscriber.objects.order_by("pk")[:2]
    for one in leavers:
        subscribe.unsubscribe(one.pk, None, subscribe.Origin(Method.LINK))
    sending, work = in_hand()
    assert list(sending._of(work)) == []
    assert DeliveryBatch.objects.order_by("pk")[0].done, "it is closed before the next is claimed"
    assert counted(message) == {"skipped": 2, "queued": 2}


def test_what_was_taken_out_by_a_look_is_not_begun(sent_off):
    sent_off(2)
    sending, work = in_hand()
    row = next(iter(work.ahead.values()))
    letter = work.letters.letter(row, work.may_go)
    del work.ahead[row.id]
    assert sending._taken(row, work, letter) is None
    assert work.going == 0


# --- what went wrong -----------------------------------------------------------------------------


def test_of_several_faults_the_first_is_told(sent_off):
    sent_off(1)
    sending, _ = in_hand()
    sending._stop(KeyError("first"))
    sending._stop(ValueError("second"))
    with pytest.raises(KeyError):
        sending.go()


def test_a_fault_in_what_came_back_begins_no_other_mail(sent_off, monkeypatch):
    sent_off(5)
    way = Way(at(2, lambda: monkeypatch.setattr(send._Sending, "_decided", breaks)))

    def breaks(*_: Any) -> None:
        raise KeyError("a fault")

    with pytest.raises(KeyError):
        go(way)
    assert len(way.taken) == 2


@pytest.mark.parametrize("where", [(progress, "finish"), (progress, "note"), (pace.Pacer, "end")])
def test_a_database_that_is_away_at_the_end_undoes_nothing(sent_off, monkeypatch, where):
    message = sent_off(2)
    Message.objects.update(reason="Waits for the mail server.")
    monkeypatch.setattr(*where, gone)
    assert go(Way()) is True
    assert counted(message) == {"sent": 2}


def test_limits_that_cannot_be_read_hold_nothing_up(sent_off, monkeypatch):
    message = sent_off(3)
    monkeypatch.setattr(send, "LOOK", 0.0)
    way = Way(at(1, lambda: monkeypatch.setattr(pace.Pacer, "look", gone)))
    go(way)
    assert counted(message) == {"sent": 3}


def test_a_lease_that_cannot_be_given_back_ends_the_sending_and_stays_ours(sent_off, monkeypatch):
    sent_off(2)
    monkeypatch.setattr(status, "give_back", gone)
    sending, work = in_hand()
    sending._close(work)
    assert not sending._goes_on()
    assert DeliveryBatch.objects.get().owner == leases.owner()
    assert not journal.mine().is_clear


def test_a_journal_that_breaks_when_all_is_written_is_told_and_nothing_is_lost(
    sent_off, monkeypatch
):
    def full(*_: Any) -> None:
        raise JournalBroken("The journal cannot be written: full.")

    message = sent_off(3)
    monkeypatch.setattr(journal.Journal, "written", full)
    assert go(Way()) is False
    assert counted(message) == {"sent": 3}


def test_outcomes_wait_a_minute_for_the_database_asking_twice_a_second(sent_off, monkeypatch, hand):
    sent_off(1)
    lease = claim.batch()
    (pk,) = lease.open
    asked: list[object] = []

    def away(*_: object) -> None:
        asked.append(connection.connection)
        raise OperationalError("gone")

    monkeypatch.setattr(status, "write", away)
    began = hand.monotonic
    with pytest.raises(OperationalError):
        send._stubbornly(lease, [result(pk)], tried=False)
    assert 60 < hand.monotonic - began <= 61
    assert len(asked) == 122
    assert len({id(one) for one in asked[1:]}) == 121, "a broken connection is not asked again"


@pytest.mark.parametrize("done", [True, False])
def test_a_lot_whose_commit_had_no_answer_is_looked_up_when_it_is_written_again(
    sent_off, monkeypatch, done
):
    """The sender had given it up for the time being; it counts once, whether it was done or not."""
    message = sent_off(3)
    sending, work = in_hand()
    write, cuts = status.write, [OperationalError("cut at COMMIT")]

    def cut_at_commit(lease: Lease, results: list[Any]) -> None:
        if done or not cuts:
            write(lease, results)
        if cuts:
            raise cuts.pop()

    monkeypatch.setattr(status, "write", cut_at_commit)
    monkeypatch.setattr(send, "STUBBORN", -1.0)
    first = next(iter(work.ahead))
    work.results = [result(work.ahead.pop(first).id)]
    sending._look()
    assert not sending._goes_on()
    sending.end()
    assert counted(message) == really(message) == {"sent": 1, "queued": 2}


# --- what cannot be made -------------------------------------------------------------------------


@pytest.fixture
def three_account_mails(db, monkeypatch) -> Callable[[Exception], Lease]:
    """The lease on three account mails, of which the first raises this when it is made."""
    made = [
        notices.account_mail(f"{name}@example.org", "password-reset", {"url": "http://x/y"}).pk
        for name in ("ann", "bob", "eve")
    ]
    mail = Letters.mail

    def lease(fault: Exception) -> Lease:
        def breaks(letters: Letters, row: leases.Row, *given: Any) -> Mail:
            if row.id == made[0]:
                raise fault
            return mail(letters, row, *given)

        monkeypatch.setattr(Letters, "mail", breaks)
        return claim.singles(leases.MACHINE)

    return lease


def test_a_mail_that_cannot_be_made_fails_and_the_others_go(three_account_mails):
    lease = three_account_mails(CannotRender("No such name"))
    way = Way()
    assert send.run([lease], way, clock.monotonic() + 60) is True
    assert len(way.taken) == 2
    rows = SubscriberMessage.objects.order_by("pk").values_list("state", "reason")
    assert list(rows) == [("failed", "No such name"), ("sent", ""), ("sent", "")]
    assert journal.mine().is_clear


def test_a_mail_that_cannot_be_signed_waits_and_the_others_go(three_account_mails):
    lease = three_account_mails(CannotSign("The key cannot be read"))
    way = Way()
    assert send.run([lease], way, clock.monotonic() + 60) is False
    assert len(way.taken) == 2
    waits, *rest = SubscriberMessage.objects.order_by("pk")
    assert (waits.state, waits.attempts) == ("deferred", 0)
    assert waits.reason == "Waits for the mail server: The key cannot be read"
    assert [one.state for one in rest] == ["sent", "sent"]


def test_of_a_newsletter_that_cannot_be_signed_nothing_more_is_begun(sent_off):
    message = sent_off(3)
    sending, work = in_hand()
    row = next(iter(work.ahead.values()))
    assert sending._taken(row, work, Outcome(row.id, *UNSIGNED[1:])) is None
    assert not work.ahead
    sending.end()
    message.refresh_from_db()
    assert (message.status, message.reason) == ("paused", UNSIGNED.text)
    assert counted(message) == {"queued": 3}


# --- once a second -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment", [lambda one: one._goes_on(), lambda one: one._heard(None)], ids=["before", "after"]
)
def test_it_looks_once_a_second(sent_off, monkeypatch, hand, moment):
    sent_off(2)
    sending, _ = in_hand()
    looks = recorder(monkeypatch, status, "check")
    hand.on(0.75)
    moment(sending)
    assert len(looks) == 0
    hand.on(0.25)
    moment(sending)
    moment(sending)
    assert len(looks) == 1


def test_a_look_flushes_the_journal_and_reads_the_limits_anew(account, sent_off, monkeypatch):
    sent_off(2)
    sending, _ = in_hand(Way(account_id=account.pk))
    assert not sending._paced
    synced = recorder(monkeypatch, journal.Journal, "sync")
    TransportAccount.objects.update(per_second=5)
    sending._look()
    assert sending._paced
    assert len(synced) == 1


def test_a_lease_that_is_done_is_looked_at_no_more(small, sent_off, monkeypatch):
    sent_off(4)
    sending, first = in_hand()
    sending._take_up(claim.batch())
    sending._close(first)
    looks = recorder(monkeypatch, status, "check")
    sending._look()
    assert len(looks) == 1


def test_a_key_that_is_switched_on_meanwhile_signs_the_next_lease(alice, small, sent_off):
    sent_off(4)
    sending, _ = in_hand()
    dkim.switch_on(dkim.make(alice.workspace, "example.org", "ed25519"))
    sending._look()
    work = sending._take_up(claim.batch())
    row = next(iter(work.ahead.values()))
    assert work.letters.letter(row, work.may_go).content.startswith(b"DKIM-Signature:")


def test_a_lease_is_renewed_when_a_third_of_it_is_over(sent_off, monkeypatch):
    sent_off(2)
    sending, work = in_hand()
    renewed = recorder(monkeypatch, status, "renew")
    work.lease.until = clock.monotonic() + 20.5
    sending._look()
    assert len(renewed) == 0
    work.lease.until = clock.monotonic() + 19.5
    sending._look()
    assert len(renewed) == 1
    assert work.lease.left > 25


def test_what_came_in_is_written_once_a_second_or_when_it_is_much(sent_off, monkeypatch):
    message = sent_off(7)
    monkeypatch.setattr(send, "WRITE", 3)
    lots = recorder(monkeypatch, status, "write")
    go(Way())
    assert [len(results) for _, results in lots] == [3, 3, 1]
    assert counted(message) == {"sent": 7}


def test_each_mail_has_its_own_time_but_those_of_one_moment_share_it(sent_off, hand):
    sent_off(3)
    go(Way(lambda count: hand.on(0.004 if count == 2 else 0.5)))
    first, second, third = SubscriberMessage.objects.order_by("pk").values_list(
        "sent_at", flat=True
    )
    assert second == first
    assert third - first == timedelta(seconds=0.504)


def test_what_is_taken_up_is_looked_at_before_anything_of_it_goes_out(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    dispatch.pause(message)
    way = Way()
    send.run([lease], way, clock.monotonic() + 60)
    assert way.taken == []
    assert counted(message) == {"queued": 3}
    assert DeliveryBatch.objects.get().owner == ""


# --- what is kept back in the way out ------------------------------------------------------------


@pytest.fixture
def on_their_way(sent_off):
    """Two that the way out has, the sending, and a deed that says whether one may go out."""
    sent_off(2)
    sending, work = in_hand()
    rows = list(work.ahead.values())
    for row in rows:
        sending._taken(row, work, work.letters.letter(row, work.may_go))

    def goes(row: leases.Row) -> bool:
        mail = Mail(row.id, "a@example.org", row.to_address, b"", may_go=work.may_go)
        return sending.before_dot(mail)

    return sending, rows, goes


def leave(row: leases.Row) -> None:
    subscribe.unsubscribe(row.subscriber_id, None, subscribe.Origin(Method.LINK))


def test_who_leaves_when_her_mail_is_out_holds_nobody_back(on_their_way):
    sending, (first, second), goes = on_their_way
    assert goes(first)
    leave(first)
    sending._look()
    assert goes(second)


def test_who_leaves_before_her_mail_is_out_holds_the_lease_back_until_it_has_come_back(
    on_their_way,
):
    sending, (first, second), goes = on_their_way
    leave(first)
    sending._look()
    assert not goes(first)
    assert not goes(second), "it cannot be told to keep back one"
    sending._take(Outcome(first.id, Fate.NOT_BEGUN))
    sending._look()
    assert goes(second)


def test_what_the_sending_does_not_know_does_not_go_out(on_their_way):
    _, (first, _), goes = on_their_way
    assert not goes(first._replace(id=first.id + 99))
    assert goes(first)


# --- leases that were lost -----------------------------------------------------------------------


def test_of_a_lost_batch_nothing_is_begun_held_or_written_any_more(sent_off, monkeypatch):
    message = sent_off(4)
    sending, work = in_hand()
    DeliveryBatch.objects.update(fence=F("fence") + 1)
    sending._look()
    assert work.lost
    assert not work.ahead
    assert not work.may_go()
    before = DeliveryBatch.objects.values().get()
    sending.end()
    assert DeliveryBatch.objects.values().get() == before
    assert counted(message) == {"sending": 4}
    tasks._tidy_up()


def test_a_lease_that_turns_out_lost_when_it_is_written_begins_nothing_more(sent_off):
    sent_off(3)
    sending, work = in_hand()
    DeliveryBatch.objects.update(fence=99)
    work.results = [result(next(iter(work.ahead)))]
    sending._write(work)
    assert not work.may_go()


def test_the_fault_of_one_lease_takes_nothing_from_the_others(small, sent_off):
    sent_off(4)
    sending = send._Sending(iter([]), Way(), clock.monotonic() + 60)
    lost, kept = sending._take_up(claim.batch()), sending._take_up(claim.batch())
    DeliveryBatch.objects.filter(pk=lost.lease.batch_id).update(fence=99)
    sending._look()
    assert (lost.lost, kept.lost) == (True, False)
    assert kept.may_go()
    assert len(kept.ahead) == 2
