"""What has failed is tried again on a person's word: once, as the same mail, and to whom it may."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.core.errors import Conflict
from mailape.delivery import outcome, tasks, try_again
from mailape.delivery.models import FaultGroup, State, SubscriberMessage
from mailape.delivery.tests.conftest import add_readers
from mailape.delivery.tests.conftest import counted as counts
from mailape.lists import subscribe, suppress
from mailape.lists.models import MailingList, Method, Subscriber
from mailape.lists.subscribe import Origin
from mailape.privacy.erase import erase

pytestmark = pytest.mark.django_db(transaction=True)
FULL, GONE = "552 5.2.2 Over quota", "550 5.1.1 No such user"


@pytest.fixture
def refused(smtp, smtp_url, sent_off) -> Callable[[], Message]:
    """A message to nine: reader0 to 2 have full boxes, reader3 and 4 are gone."""
    smtp_url(smtp.url)

    def make() -> Message:
        for number in range(5):
            words = FULL if number < 3 else GONE
            smtp.answer(words, to=f"reader{number}@example.org", times=1)
        message = sent_off(9)
        tasks.send()
        message.refresh_from_db()
        assert message.status == "sent"
        tasks.report()
        return message

    return make


def of_reader(number: int) -> SubscriberMessage:
    return SubscriberMessage.objects.get(to_address=f"reader{number}@example.org")


def test_each_that_failed_gets_the_same_mail_and_the_message_ends_anew(refused, smtp):
    message = refused()
    assert counts(message) == {"sent": 4, "failed": 5}
    finished = message.finished_at
    assert try_again.again(message) == 5
    assert (message.status, message.finished_at) == ("sending", None)
    assert counts(message) == {"sent": 4, "queued": 5}
    assert of_reader(0).reason == "Tried again, by a person"
    tasks.send()
    tasks.build()
    message.refresh_from_db()
    assert (message.status, counts(message)) == ("sent", {"sent": 9})
    assert message.finished_at > finished
    assert len(smtp.to("reader0@example.org")) == 1
    with pytest.raises(Conflict, match="Nothing"):
        try_again.again(message)


def test_only_those_of_one_reason_are_tried(refused):
    message = refused()
    full = FaultGroup.objects.get(words=FULL)
    assert try_again.numbers(message, full) == try_again.Failed(3, 3)
    assert try_again.again(message, group=full) == 3
    assert counts(message) == {"sent": 4, "failed": 2, "queued": 3}


def test_who_left_is_suppressed_or_erased_is_not_asked_again(refused, a_list):
    message = refused()
    people = Subscriber.objects.in_bulk([of_reader(number).subscriber_id for number in range(5)])
    who = sorted(people.values(), key=lambda one: one.email)
    subscribe.unsubscribe(who[0].pk, [a_list.pk], Origin(Method.LINK))
    suppress.suppress(message.workspace, who[1].email)
    erase(who[2])
    numbers = try_again.numbers(message)
    assert (numbers.all, numbers.wanted, numbers.unwanted) == (5, 2, 3)
    assert try_again.again(message) == 2
    assert counts(message) == {"sent": 4, "failed": 3, "queued": 2}
    suppress.suppress(message.workspace, "example.org")
    assert try_again.numbers(message).wanted == 0


def test_a_click_is_about_what_was_seen(refused):
    message = refused()
    seen = clock.now()
    SubscriberMessage.objects.filter(pk=of_reader(0).pk).update(
        tried_at=seen + timedelta(seconds=1)
    )
    assert try_again.again(message, seen) == 4
    assert of_reader(0).state == State.FAILED


def test_what_is_over_for_good_is_not_tried(refused):
    message = refused()
    Message.objects.filter(pk=message.pk).update(status="cancelled")
    with pytest.raises(Conflict, match="cancelled"):
        try_again.again(message)
    assert not try_again.may_try(Message.objects.get(pk=message.pk))


def test_many_are_tried_in_steps_and_none_is_left_out(refused, monkeypatch):
    monkeypatch.setattr(try_again, "AT_ONCE", 2)
    message = refused()
    assert try_again.again(message) == 5


def test_when_time_is_over_the_rest_waits_for_the_next_word(refused, monkeypatch):
    monkeypatch.setattr(try_again, "AT_ONCE", 2)
    message = refused()
    some = try_again._some

    def slowly(*given: Any) -> int:
        moved = some(*given)
        time.sleep(0.1)
        return moved

    monkeypatch.setattr(try_again, "WORK", 0.05)
    monkeypatch.setattr(try_again, "_some", slowly)
    assert try_again.again(message) == 2
    assert counts(message) == {"sent": 4, "failed": 3, "queued": 2}


def test_a_message_that_is_paused_keeps_them_waiting(refused):
    message = refused()
    Message.objects.filter(pk=message.pk).update(status="paused", finished_at=None)
    assert try_again.again(message) == 5
    assert message.status == "paused"
    tasks.send()
    assert counts(message)["queued"] == 5


def test_the_report_is_added_up_again(refused):
    message = refused()
    try_again.again(message)
    with clock.moved(outcome.AGAIN + timedelta(seconds=1)):
        tasks.report()
    assert not FaultGroup.objects.filter(state="failed").exists()
    assert message.domain_counts.get(domain="example.org").open == 5


def test_a_message_that_never_failed_has_nothing_to_try(write, a_list: MailingList):
    add_readers(a_list, 1)
    message = dispatch.send(write([a_list]))
    assert try_again.numbers(message) == try_again.Failed(0, 0)
