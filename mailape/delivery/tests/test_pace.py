"""Pace: limits per account and domain, slices that are handed out, domains slowed by themselves."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from mailape.campaigns import dispatch
from mailape.core import clock
from mailape.delivery import housekeeping, pace, tally, tasks, transports
from mailape.delivery.models import Pace, SubscriberMessage
from mailape.delivery.pace import Gate, Limit
from mailape.delivery.tests.conftest import add_readers
from mailape.delivery.transports.base import Fate, Outcome
from mailape.lists import subscribe
from mailape.lists.models import Method, Subscriber
from mailape.senders.models import TransportAccount

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(smtp, smtp_url) -> TransportAccount:
    smtp_url(smtp.url)
    return TransportAccount.objects.get(pk=transports.current().account_id)


def limit(account: TransportAccount, domain: str = "", **fields) -> Limit:
    row, _ = Pace.objects.update_or_create(account=account, domain=domain, defaults=fields)
    return Limit(row.pk, row.rate, row.per_hour)


def set_account(account: TransportAccount, **fields) -> None:
    TransportAccount.objects.filter(pk=account.pk).update(**fields)


def most_in(times: list[float], seconds: float) -> int:
    """The most of these moments that any window of so many seconds holds."""
    times = sorted(times)
    return max(sum(start <= at < start + seconds for at in times) for start in times)


def keeps(times: list[float], rate: float) -> bool:
    """Whether this is no faster: on the whole, and in each second as a busy server saw it.

    Of the sender alone each second is looked at where the moments are handed out.
    """
    times = sorted(times)
    on_the_whole = (len(times) - 1) / (times[-1] - times[0])
    return on_the_whole <= rate * 1.1 and most_in(times, 1.0) <= rate * 1.3


def to_domain(message, domain: str, every: int = 2) -> list[int]:
    """Sends every second reader's mail to this domain instead."""
    keys = list(SubscriberMessage.objects.order_by("pk").values_list("pk", flat=True))[::every]
    for key in keys:
        SubscriberMessage.objects.filter(pk=key).update(to_address=f"r{key}@{domain}")
    return keys


def at(smtp, domain: str) -> list[float]:
    return [letter.at for letter in smtp.letters if letter.to.endswith(f"@{domain}")]


def hear(account, domain: str, marks: str, words: str) -> None:
    pace.hear(account.pk, {domain: pace.Heard(marks, words)})


# --- slices --------------------------------------------------------------------------------------


def test_two_who_ask_in_turn_never_get_the_same_moment(account):
    its = limit(account, "slow.example", per_second=20)
    its.rate = 20
    moments = []
    for _ in range(30):
        booked = pace.book(its, 3)
        moments += [booked.start + n * booked.step for n in range(booked.moments)]
        time.sleep(0.02)
    assert min(later - sooner for sooner, later in pairwise(moments)) > 0.0499
    assert most_in(moments, 0.999) <= 20


def test_no_more_than_half_a_second_is_handed_out_ahead(account):
    its = limit(account, "slow.example", per_second=20)
    assert pace.book(its, 500).moments == 10
    again = pace.book(its, 500)
    assert again.moments <= 1  # a twentieth of a second may have passed
    assert 0 < again.again < 0.5


def test_machine_mail_gets_the_moment_behind_those_half_seconds(account):
    its = limit(account, "slow.example", per_second=20)
    first = pace.book(its, 500)
    behind = pace.book(its, 1, ahead=pace.MACHINE_SLICE)
    assert behind.moments == 1
    assert behind.start == pytest.approx(first.start + 0.5, abs=0.001)


def test_what_is_held_back_gets_places_one_behind_the_other(account):
    its = limit(account, "slow.example", per_second=10)
    first = pace.book(its, 100, hold=True)
    assert first.moments == 5
    second = pace.book(its, 100, hold=True, behind=True)
    assert second.moments == 0
    assert second.held == pytest.approx(first.held + 95 * 0.1, abs=0.001)


def test_an_hours_allowance_goes_at_once_and_then_no_more(account):
    its = limit(account, "slow.example", per_hour=100)
    booked = pace.book(its, 150, hold=True)
    assert booked.moments == 100
    assert booked.held > clock.now().timestamp() + 3600
    with clock.moved(timedelta(minutes=59)):
        assert pace.book(its, 1).moments == 0
    with clock.moved(timedelta(minutes=62)):
        assert pace.book(its, 150).moments == 100


def test_a_clock_that_was_put_back_holds_nobody_up(account):
    its = limit(account, "slow.example", per_second=10)
    with clock.moved(timedelta(days=1)):
        assert pace.book(its, 5).moments == 5
    assert pace.book(its, 1).moments == 0  # what was handed out a moment ago still counts
    assert pace.book(its, 1, ahead=pace.MACHINE_SLICE + 1).moments == 1


def test_what_is_left_of_a_slice_is_given_back(account):
    its = limit(account, "slow.example", per_second=10, per_hour=100)
    gate = Gate(its, machine=False)
    gate.wait()
    gate.use()
    gate.give_back()
    assert pace.book(its, 500).moments >= 4
    assert pace._of_the_hour(its, clock.now().timestamp())[0] >= 94


def test_a_moment_that_was_missed_is_void(account):
    gate = Gate(limit(account, "slow.example", per_second=100), machine=False)
    gate.wait()
    time.sleep(0.45)
    gone = 0
    while gate.wait() <= 0:
        gate.use()
        gone += 1
    assert gone <= 100 * pace.LATE + 2


# --- limits over the wire ------------------------------------------------------------------------


def test_nothing_is_asked_where_nobody_set_a_limit(account, sent_off, django_assert_num_queries):
    pacer = pace.Pacer(account.pk)
    assert not pacer.active
    with django_assert_num_queries(0):
        assert pacer.wait() == 0.0
    with django_assert_num_queries(2):  # once a second
        pacer.look()


def test_an_accounts_limit_per_second_holds(account, sent_off, smtp):
    set_account(account, per_second=40)
    message = sent_off(100)
    began = time.monotonic()
    tasks.send()
    took = time.monotonic() - began
    assert tally.counts(message)["sent"] == 100
    assert 2.2 < took < 5
    assert keeps([letter.at for letter in smtp.letters], 40)


def test_an_accounts_limit_per_hour_holds_and_says_why(account, sent_off, smtp):
    set_account(account, per_hour=30)
    message = sent_off(50)
    tasks.send()
    tasks.send()
    message.refresh_from_db()
    assert len(smtp.letters) == 30
    assert message.reason == "Waits: the limit of 30 mails an hour is reached"
    assert tally.counts(message)["queued"] == 20
    with clock.moved(timedelta(minutes=62)):
        tasks.send()
    message.refresh_from_db()
    assert len(smtp.letters) == 50
    assert (message.status, message.reason) == ("sent", "")


def test_a_slow_domain_does_not_hold_up_the_others(account, sent_off, smtp):
    limit(account, "slow.example", per_second=10)
    message = sent_off(200)
    slow = to_domain(message, "slow.example")
    began = time.time()
    tasks.send()
    others = at(smtp, "example.org")
    assert len(others) == 100
    assert max(others) - began < 2
    assert keeps(at(smtp, "slow.example"), 10)
    waiting = SubscriberMessage.objects.filter(pk__in=slow).exclude(state="sent")
    assert waiting.count() == 100 - len(at(smtp, "slow.example"))
    first = waiting.filter(state="deferred").first()
    assert first.attempts == 0
    assert first.tried_at is None
    assert first.reason == "Waits for its turn at slow.example (its limit)"


def test_what_is_held_back_goes_out_in_time_and_once(account, sent_off, smtp):
    limit(account, "slow.example", per_second=20)
    message = sent_off(100)
    to_domain(message, "slow.example")
    tasks.send()
    tasks.send()
    assert tally.counts(message)["sent"] == 100
    assert set(Counter(letter.to for letter in smtp.letters).values()) == {1}
    slow = sorted(at(smtp, "slow.example"))
    assert 50 / (slow[-1] - slow[0]) > 12
    assert keeps(slow, 20)
    message.refresh_from_db()
    assert message.status == "sent"


def test_a_confirmation_overtakes_the_queue_of_its_domain(account, a_list, sent_off, smtp):
    limit(account, "slow.example", per_second=5)
    message = sent_off(100)
    to_domain(message, "slow.example", every=1)
    tasks.send()
    subscribe.sign_up(a_list, "eve@slow.example", "", subscribe.Origin(Method.FORM))
    began = time.time()
    tasks.wake()
    (letter,) = smtp.to("eve@slow.example")
    assert letter.at - began < 3


def test_pausing_and_cancelling_hold_for_what_is_held_back(account, alice, sent_off, smtp):
    limit(account, "slow.example", per_second=5)
    message = sent_off(50)
    to_domain(message, "slow.example", every=1)
    tasks.send()
    before = len(smtp.letters)
    assert 0 < before < 50
    dispatch.pause(message)
    with clock.moved(timedelta(minutes=5)):
        tasks.send()
        assert len(smtp.letters) == before
        message.refresh_from_db()
        dispatch.cancel(message)
        tasks.build()
        tasks.send()
    assert len(smtp.letters) == before
    assert tally.counts(message)["skipped"] == 50 - before


def test_who_leaves_while_held_back_gets_nothing(account, sent_off, smtp):
    limit(account, "slow.example", per_hour=1)
    message = sent_off(2)
    to_domain(message, "slow.example", every=1)
    tasks.send()
    waiting = SubscriberMessage.objects.get(state="deferred")
    subscribe.unsubscribe(
        Subscriber.objects.get(pk=waiting.subscriber_id).pk, None, subscribe.Origin(Method.LINK)
    )
    with clock.moved(timedelta(hours=2)):
        tasks.send()
    assert len(smtp.letters) == 1
    assert tally.counts(message)["skipped"] == 1


def test_a_limit_that_is_lifted_lets_them_go(account, sent_off, smtp):
    limit(account, "slow.example", per_hour=1)
    message = sent_off(20)
    to_domain(message, "slow.example", every=1)
    tasks.send()
    assert len(smtp.letters) == 1
    Pace.objects.update(per_hour=None, hasten=True)
    tasks.sweep()
    tasks.send()
    assert tally.counts(message)["sent"] == 20
    assert not Pace.objects.filter(hasten=True).exists()


# --- domains that are slowed by themselves -------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "enhanced", "is_policy"),
    [
        (421, "4.7.0", True),
        (421, "", True),
        (450, "4.7.1", True),
        (451, "4.3.2", True),
        (550, "5.7.1", True),
        (554, "", True),
        (450, "4.2.2", False),
        (452, "4.2.2", False),
        (550, "5.1.1", False),
        (554, "5.6.0", False),
    ],
)
def test_what_is_a_refusal_by_policy(code, enhanced, is_policy):
    fate = Fate.TRY_LATER if code < 500 else Fate.REFUSED
    assert pace.is_policy(Outcome(1, fate, code, enhanced)) == is_policy
    assert not pace.is_policy(Outcome(1, Fate.IN_DOUBT, code, enhanced))


def row_of(account, domain="slow.example") -> Pace:
    return Pace.objects.get(account=account, domain=domain)


def test_half_a_hundred_refusals_do_not_slow_and_one_more_does(account):
    hear(account, "slow.example", "." * 60 + "x" * 50, "421 too fast")
    assert row_of(account).speed is None
    hear(account, "slow.example", "x", "421 too fast")
    slowed = row_of(account)
    assert slowed.speed is not None
    assert slowed.why == "421 too fast"
    assert slowed.recent == ""


def test_it_is_halved_again_and_never_stops(account):
    speeds = []
    for _ in range(12):
        hear(account, "slow.example", "x" * 51, "421 too fast")
        speeds.append(row_of(account).speed)
    assert speeds[1] == pytest.approx(speeds[0] / 2)
    assert speeds[-1] == pace.SLOWEST


def test_each_mail_that_is_taken_speeds_it_up_until_nothing_holds_it(account):
    hear(account, "slow.example", "x" * 51, "421 too fast")
    before = row_of(account).speed
    hear(account, "slow.example", "." * 10, "")
    assert row_of(account).speed == pytest.approx(before + 10 * pace.STEP)
    for _ in range(20):
        hear(account, "slow.example", "." * 100, "")
    fast = row_of(account)
    assert (fast.speed, fast.full_speed, fast.why) == (None, None, "")
    assert fast.hasten


def test_a_domain_that_answers_421_is_slowed_while_the_others_go_at_full_speed(
    account, a_list, sent_off, smtp
):
    smtp.answer("421 4.7.0 Too many mails from you", to="*@slow.example")
    message = sent_off(400)
    to_domain(message, "slow.example")
    began = time.time()
    tasks.send()
    assert len(at(smtp, "example.org")) == 200
    slowed = row_of(account)
    assert slowed.speed < pace.FASTEST
    assert slowed.why.startswith("421 4.7.0 Too many")
    assert not smtp.to("slow.example")
    assert max(at(smtp, "example.org")) - began < 5
    assert tally.counts(message)["failed"] == 0


def test_a_slowed_domain_takes_mail_again_and_everybody_gets_it(account, sent_off, smtp):
    hear(account, "slow.example", "x" * 51, "421 too fast")
    Pace.objects.update(speed=10.0, full_speed=12.0)
    message = sent_off(100)
    to_domain(message, "slow.example", every=1)
    for _ in range(3):
        tasks.send()
        tasks.sweep()
    tasks.send()
    assert tally.counts(message)["sent"] == 100
    assert row_of(account).speed is None


def test_a_domain_that_took_a_hundred_is_watched_no_more(account):
    hear(account, "once.example", "x", "421 too fast")
    pacer = pace.Pacer(account.pk)
    assert pacer.active
    hear(account, "once.example", "." * 100, "")
    pacer.look()
    assert not pacer.active


def test_domains_that_refused_nothing_get_no_row(account):
    hear(account, "good.example", "." * 100, "")
    assert not Pace.objects.exists()


def test_many_domains_are_heard_of_in_few_steps(account, django_assert_max_num_queries):
    heard = {f"d{number}.example": pace.Heard("x.x", "421 no") for number in range(90)}
    with django_assert_max_num_queries(8):
        pace.hear(account.pk, heard)
    assert Pace.objects.filter(recent="x.x").count() == 90


def test_rows_without_meaning_are_forgotten(account):
    hear(account, "once.example", "x", "421 too fast")
    limit(account, "slow.example", per_second=5)
    with clock.moved(timedelta(hours=2)):
        housekeeping.tidy()
    assert [row.domain for row in Pace.objects.all()] == ["slow.example"]


def test_the_domain_is_found_in_whatever_form_it_was_typed():
    assert pace.domain_of("Ann@Example.ORG") == "example.org"
    assert pace.domain_of("ann@münchen.example") == "xn--mnchen-3ya.example"


def test_readers_on_other_lists_are_not_concerned(account, a_list):
    add_readers(a_list, 1)
    assert pace.Pacer(account.pk).plan([], fresh=True).timed == []
