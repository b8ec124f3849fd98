"""Sending where the account or a domain is limited: who waits, who passes, and who gives back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import Sum

from mailape.campaigns import dispatch
from mailape.core import clock
from mailape.delivery import claim, leases, send
from mailape.delivery.leases import Lease
from mailape.delivery.letters import Letters
from mailape.delivery.models import DeliveryBatch, Pace, PaceMinute, SubscriberMessage
from mailape.delivery.render import CannotRender
from mailape.delivery.tests.conftest import Hand, counted, near
from mailape.delivery.tests.ways import Way, at, go, in_hand
from mailape.delivery.transports.base import Fate, Outcome
from mailape.lists import subscribe
from mailape.lists.models import Method, Subscriber
from mailape.senders.models import TransportAccount

pytestmark = pytest.mark.django_db(transaction=True)


def slow(account: TransportAccount, per_second: int, every: int = 1) -> list[int]:
    """Every so many'th mail goes to a domain that takes so few a second; their keys."""
    Pace.objects.create(account=account, domain="slow.example", per_second=per_second)
    keys = list(SubscriberMessage.objects.order_by("pk").values_list("pk", flat=True))[::every]
    for key in keys:
        SubscriberMessage.objects.filter(pk=key).update(to_address=f"r{key}@slow.example")
    return keys


def timed(hand: Hand, account: TransportAccount) -> tuple[Way, list[float]]:
    """A way out, and when it took each mail, in seconds from now."""
    began, times = hand.monotonic, []
    return Way(lambda _: times.append(hand.monotonic - began), account_id=account.pk), times


# --- the account ---------------------------------------------------------------------------------


def test_the_hour_s_limit_stops_the_sending_which_says_why_and_gives_back_for_a_minute(
    account, sent_off, hand
):
    TransportAccount.objects.update(per_hour=2)
    message = sent_off(5)
    way, times = timed(hand, account)
    assert go(way) is False
    assert times == [0, 0]
    message.refresh_from_db()
    assert message.reason == "Waits: the limit of 2 mails an hour is reached"
    batch = DeliveryBatch.objects.get()
    assert near(batch.not_before, hand.now + timedelta(seconds=60))
    assert counted(message) == {"sent": 2, "queued": 3}


def test_who_is_not_to_be_mailed_any_more_takes_nothing_of_the_hours_limit(
    account, sent_off, hand, monkeypatch
):
    TransportAccount.objects.update(per_hour=6)
    monkeypatch.setattr(send, "LOOK", 0.0)
    message = sent_off(10)
    go(Way(at(1, lambda: dispatch.pause(message)), account_id=account.pk))
    assert counted(message) == {"sent": 1, "queued": 9}
    assert PaceMinute.objects.aggregate(Sum("count"))["count__sum"] == 1


def test_for_a_short_while_it_is_given_back_only_as_long_as_it_takes(account, sent_off, hand):
    sent_off(2)
    sending, _ = in_hand(Way(account_id=account.pk))
    sending.held_for = 7.0
    sending.end()
    assert DeliveryBatch.objects.get().not_before == hand.now + timedelta(seconds=7)


def test_for_its_turn_within_two_seconds_it_waits(account, sent_off, hand):
    TransportAccount.objects.update(per_second=20)
    message = sent_off(15)
    way, times = timed(hand, account)
    assert go(way) is True
    assert counted(message) == {"sent": 15}
    assert times == pytest.approx([n / 20 for n in range(15)], abs=0.045)


@pytest.mark.parametrize("moment", ["_turn", "_meanwhile"])
def test_two_seconds_are_waited_for_and_what_takes_longer_is_not(
    account, sent_off, hand, monkeypatch, moment
):
    TransportAccount.objects.update(per_second=1)
    message = sent_off(2)
    sending, _ = in_hand(Way(account_id=account.pk))
    monkeypatch.setattr(sending._pacer, "wait", lambda: 2.0)
    assert next(getattr(sending, moment)()) is None
    assert sending.held_for == 0.0
    monkeypatch.setattr(sending._pacer, "wait", lambda: 2.25)
    list(getattr(sending, moment)())
    assert sending.held_for == 2.25
    assert not sending._goes_on()
    sending.end()
    assert counted(message) == {"queued": 2}


# --- a domain ------------------------------------------------------------------------------------


def test_those_who_wait_for_their_moment_let_the_others_pass(account, sent_off, hand):
    message = sent_off(8)
    keys = slow(account, 20, every=2)
    way, times = timed(hand, account)
    assert go(way) is True
    assert counted(message) == {"sent": 8}
    when = {mail.delivery_id: at for mail, at in zip(way.taken, times, strict=True)}
    assert [when.pop(key) for key in keys] == pytest.approx([0, 0.05, 0.1, 0.15], abs=0.025)
    assert set(when.values()) == {0}, "at once"


def test_who_has_a_moment_of_her_own_gets_her_mail_though_the_time_is_over(account, sent_off, hand):
    message = sent_off(6)
    slow(account, 20)
    way, times = timed(hand, account)
    go(way, seconds=0.1)
    assert counted(message) == {"sent": 6}
    assert times[-1] == pytest.approx(0.25, abs=0.025)


@pytest.mark.parametrize(
    ("seconds", "sent", "asks"),
    [(10.0, 2, 1.5), (0.3, 1, 0.0)],
    ids=["due in time, and then the task ends", "due too late"],
)
def test_who_was_put_off_is_waited_for_only_when_she_is_due_in_time(
    account, sent_off, hand, seconds, sent, asks
):
    message = sent_off(2)
    slow(account, 2)
    asked: list[float] = []

    def claims() -> Iterator[Lease | None]:
        yield claim.batch()
        while True:
            asked.append(hand.monotonic)
            yield claim.singles(leases.NEWSLETTER)

    way, times = timed(hand, account)
    send.run(claims(), way, hand.monotonic + seconds)
    assert times == pytest.approx([0, 0.5][:sent], abs=0.3)
    assert counted(message) == {1: {"sent": 1, "deferred": 1}, 2: {"sent": 2}}[sent]
    assert asked[-1] - asked[0] == pytest.approx(asks, abs=0.3)


def test_who_leaves_while_she_waits_for_her_moment_gets_nothing_and_the_lease_ends(
    account, sent_off, hand, monkeypatch
):
    monkeypatch.setattr(send, "LOOK", 0.0)
    message = sent_off(4)
    slow(account, 10)
    last = Subscriber.objects.order_by("pk").last()
    leave = lambda: subscribe.unsubscribe(last.pk, None, subscribe.Origin(Method.LINK))  # noqa: E731
    way = Way(at(1, leave), account_id=account.pk)
    go(way)
    assert len(way.taken) == 3
    assert counted(message) == {"sent": 3, "skipped": 1}
    assert DeliveryBatch.objects.get().done


def test_when_the_last_who_waited_cannot_be_made_the_lease_ends_at_once(
    account, sent_off, hand, monkeypatch
):
    def breaks(*_: object) -> None:
        raise CannotRender("No such name")

    message = sent_off(2)
    slow(account, 10)
    monkeypatch.setattr(Letters, "mail", breaks)
    sending, _ = in_hand(Way(account_id=account.pk))
    hand.on(0.05)
    assert list(sending._timely()) == []
    assert counted(message) == {"sending": 2}
    hand.on(0.1)
    assert list(sending._timely()) == []
    assert counted(message) == {"failed": 2}


def test_a_pause_holds_for_those_who_wait_for_their_moment(account, sent_off, hand, monkeypatch):
    monkeypatch.setattr(send, "LOOK", 0.0)
    message = sent_off(4)
    slow(account, 10)
    way = Way(at(2, lambda: dispatch.pause(message)), account_id=account.pk)
    go(way)
    assert len(way.taken) == 2
    assert counted(message) == {"sent": 2, "queued": 2}
    assert DeliveryBatch.objects.get().owner == ""


# --- what a domain says --------------------------------------------------------------------------


def test_refusals_by_policy_are_remembered_for_the_domain(account, sent_off):
    sent_off(3)
    go(Way(says=Outcome(0, Fate.TRY_LATER, 421, "4.7.0", "4.7.0 Too fast"), account_id=account.pk))
    (row,) = Pace.objects.all()
    assert (row.domain, row.recent) == ("example.org", "xxx")


def test_of_a_watched_domain_what_it_took_is_remembered_too(account, sent_off):
    Pace.objects.create(account=account, domain="example.org", recent="x", since=clock.now())
    sent_off(3)
    go(Way(account_id=account.pk))
    assert Pace.objects.get().recent == "x..."
