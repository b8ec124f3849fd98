"""What is in doubt is sent again, or left, by a person: once, and by nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.core import clock, links
from mailape.core.errors import Conflict
from mailape.delivery import claim, doubt, progress, recover, retry, status, tally, tasks
from mailape.delivery.leases import LeaseLost
from mailape.delivery.models import DeliveryBatch, OutboxMail, State, SubscriberMessage
from mailape.delivery.tests.conftest import counted, look_for_long, really
from mailape.delivery.transports.base import Fate, Outcome
from mailape.lists.models import Method, Subscription
from mailape.lists.subscribe import Origin, unsubscribe

pytestmark = pytest.mark.django_db(transaction=True)


def broke(lease, count: int) -> list[int]:
    """The line broke under this lease with `count` mails out; their keys."""
    keys = list(lease.open)[:count]
    outcomes = [Outcome(key, Fate.IN_DOUBT, text="The line broke") for key in keys]
    status.write(lease, recover._results(lease, outcomes, None))
    return keys


@pytest.fixture
def in_doubt(sent_off):
    """A message that is sent, but for some in doubt: `in_doubt(3, of=5)`."""

    def make(count: int, of: int) -> Message:
        message = sent_off(of)
        lease = claim.batch()
        broke(lease, count)
        status.give_back(lease)
        tasks.send()
        message.refresh_from_db()
        return message

    return make


def test_they_are_sent_again_each_to_the_same_person_as_the_same_mail(in_doubt):
    message = in_doubt(2, of=5)
    assert (message.status, counted(message)) == ("sent", {"sent": 3, "unknown": 2})
    assert doubt.number(message) == 2
    assert doubt.send_again(message) == 2
    assert (message.status, message.finished_at) == ("sending", None)
    assert counted(message) == really(message) == {"sent": 3, "queued": 2}
    tasks.send()
    message.refresh_from_db()
    assert message.status == "sent"
    assert message.finished_at is not None
    assert counted(message) == really(message) == {"sent": 5}
    mails = {one.delivery_id: bytes(one.content).decode() for one in OutboxMail.objects.all()}
    for one in message.deliveries.all():
        key = links.message_key(message.pk, one.subscriber_id, one.occasion)
        assert f"Message-ID: <{key}@" in mails[one.pk]
    assert doubt.number(message) == 0


def test_they_are_left_and_nobody_is_asked_again(in_doubt):
    message = in_doubt(2, of=3)
    assert doubt.leave(message) == 2
    assert doubt.number(message) == 0
    assert counted(message) == really(message) == {"sent": 1, "unknown": 2}
    reasons = message.deliveries.filter(state=State.UNKNOWN).values_list("reason", flat=True)
    assert set(reasons) == {"Left as it is, by a person"}
    for deed in (doubt.leave, doubt.send_again):
        with pytest.raises(Conflict, match="Nothing of this message is in doubt"):
            deed(message)
    message.refresh_from_db()
    assert message.status == "sent"


def test_a_second_click_is_refused_and_changes_nothing(in_doubt):
    message = in_doubt(2, of=2)
    doubt.send_again(message)
    before = list(SubscriberMessage.objects.order_by("pk").values())
    with pytest.raises(Conflict):
        doubt.send_again(message)
    assert list(SubscriberMessage.objects.order_by("pk").values()) == before
    assert counted(message) == {"queued": 2}


def test_a_second_click_does_not_send_what_came_in_doubt_after_the_first(in_doubt):
    """The form was shown once; that the line broke again since, nobody has seen."""
    message = in_doubt(1, of=2)
    shown = clock.now()
    doubt.send_again(message, shown)
    with clock.moved(timedelta(seconds=5)):
        broke(claim.singles(0), 1)
        with pytest.raises(Conflict):
            doubt.send_again(message, shown)
        assert doubt.number(message) == 1
        assert doubt.send_again(message, clock.now()) == 1
    assert counted(message) == really(message) == {"sent": 1, "queued": 1}


def test_while_a_message_is_sent_the_rest_goes_on(sent_off):
    message = sent_off(4)
    lease = claim.batch()
    broke(lease, 1)
    assert doubt.send_again(message) == 1
    assert counted(message) == {"queued": 1, "sending": 3}
    broke(lease, 1)  # the worker goes on under its own lease
    status.give_back(lease)
    tasks.send()
    assert counted(message) == really(message) == {"sent": 3, "unknown": 1}
    message.refresh_from_db()
    assert message.status == "sent"


def test_of_a_paused_message_they_wait_until_it_goes_on(in_doubt):
    message = in_doubt(1, of=2)
    doubt.send_again(message)
    dispatch.pause(message)
    tasks.send()
    assert counted(message) == {"sent": 1, "queued": 1}
    dispatch.resume(message)
    tasks.build()
    with clock.moved(timedelta(minutes=1)):
        tasks.send()
    assert counted(message) == {"sent": 2}


def test_of_a_cancelled_message_nothing_is_sent_but_it_can_be_left(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    broke(lease, 1)
    status.give_back(lease)
    dispatch.cancel(message)
    tasks.build()
    assert not doubt.may_send_again(message)
    with pytest.raises(Conflict, match="cancelled"):
        doubt.send_again(message)
    assert counted(message) == {"skipped": 2, "unknown": 1}
    assert doubt.leave(message) == 1


def test_who_left_meanwhile_is_not_mailed_again(in_doubt):
    message = in_doubt(2, of=2)
    gone = Subscription.objects.order_by("subscriber_id")[0]
    unsubscribe(gone.subscriber_id, None, Origin(Method.LINK))
    doubt.send_again(message)
    tasks.send()
    assert counted(message) == really(message) == {"skipped": 1, "sent": 1}


def test_it_ends_only_when_what_is_sent_again_is_over(in_doubt, monkeypatch):
    """A worker that has just seen that all is over must not close what a person opens now."""
    message = in_doubt(1, of=2)
    Message.objects.filter(pk=message.pk).update(status="sending", finished_at=None)
    look = tally.is_over

    def and_then_she_clicks(message_id: int) -> bool:
        over = look(message_id)
        monkeypatch.setattr(tally, "is_over", look)
        doubt.send_again(message)
        return over

    monkeypatch.setattr(tally, "is_over", and_then_she_clicks)
    assert not progress.finish(message.pk)
    message.refresh_from_db()
    assert message.status == "sending"
    assert counted(message) == {"sent": 1, "queued": 1}


def test_a_sender_that_was_given_up_can_say_nothing_of_it(sent_off, monkeypatch):
    """Stopped, taken for dead, its mails in doubt and sent again; then it goes on."""
    message = sent_off(2)
    stopped = claim.batch()
    rows = dict(stopped.open)
    DeliveryBatch.objects.update(owner="ffffffffffff:1-aaaaaaaaaaaa")
    with clock.moved(timedelta(hours=1)):
        look_for_long(monkeypatch)
        assert counted(message) == {"unknown": 2}
        doubt.send_again(message)
    late = [retry.skipped(row, clock.now(), "late") for row in rows.values()]
    with pytest.raises(LeaseLost):
        status.write(stopped, late)
    assert counted(message) == really(message) == {"queued": 2}


def test_a_write_whose_answer_was_lost_is_known_again_after_it_was_sent_again(sent_off):
    message = sent_off(1)
    lease = claim.batch()
    (row,) = lease.open.values()
    result = retry.decide(
        row, Outcome(row.id, Fate.IN_DOUBT), clock.now(), single=False, account_id=None
    )
    status.write(lease, [result])
    doubt.send_again(message)
    assert status.is_written(lease, [result])


def test_ten_thousand_are_a_handful_of_statements_by_an_index(in_doubt):
    message = in_doubt(1, of=1)
    (one,) = message.deliveries.all()
    SubscriberMessage.objects.bulk_create(
        SubscriberMessage(
            message=message, workspace_id=one.workspace_id, subscriber_id=10**6 + number,
            list_id=one.list_id, to_address=f"r{number}@example.org", batch=2,
            state=State.UNKNOWN, attempts=1, tried_at=clock.now(),
        )
        for number in range(10_000)
    )  # fmt: skip
    DeliveryBatch.objects.create(
        message=message, number=2, first_id=one.pk + 1, last_id=one.pk + 10_000, size=10_000,
        unknown=10_000, done=True,
    )  # fmt: skip
    assert "delivery_exceptions" in status.undecided(message.pk).explain()
    with CaptureQueriesContext(connection) as seen:
        assert doubt.send_again(message) == 10_001
    assert len(seen) < 10
    assert counted(message) == really(message) == {"queued": 10_001}
