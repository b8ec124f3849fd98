"""The welcome mail of a list: once, to whoever confirmed by the link, and to nobody else."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

import pytest

from mailape.core import clock
from mailape.delivery import build, tasks
from mailape.delivery.models import OutboxMail, State, SubscriberMessage
from mailape.lists import manage, subscribe, suppress
from mailape.lists.models import MailingList, Method, Subscription
from mailape.lists.subscribe import Origin

pytestmark = pytest.mark.django_db(transaction=True)

HERS = Origin(Method.CONFIRMATION, source="a link")
NORA = "nora@example.org"


@pytest.fixture
def welcoming(a_list: MailingList) -> MailingList:
    a_list.welcomes = True
    a_list.wording = {"welcome_subject": "Hi {{ subscriber.first_name }}", "welcome_body": "Moin!"}
    a_list.save()
    return a_list


def joins(which: MailingList, email: str = NORA) -> Subscription:
    """Signs up and confirms by the link."""
    subscribe.sign_up(which, email, "Nora Nut", Origin(Method.FORM))
    found = Subscription.objects.get(list=which, subscriber__email=email)
    return subscribe.confirm(which.pk, found.subscriber_id, found.confirmation_no, HERS)


def welcomed() -> list[SubscriberMessage]:
    return list(SubscriberMessage.objects.filter(message__kind="welcome").order_by("pk"))


def test_who_confirms_gets_one_with_the_ways_to_leave(welcoming):
    joins(welcoming)
    tasks.wake()
    (sent,) = welcomed()
    assert (sent.state, sent.to_address, sent.list_id) == (State.SENT, NORA, welcoming.pk)
    raw = OutboxMail.objects.get(delivery_id=sent.pk).content
    mail = message_from_bytes(bytes(raw), policy=default)
    assert mail["Subject"] == "Hi Nora"
    assert "Moin!" in mail.get_body().get_content()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Id"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Precedence"] is None
    assert f"/u/{mail['List-Unsubscribe'].strip('<>').rpartition('/')[2]}" in str(raw)


def test_it_is_once_for_a_subscription_whatever_becomes_of_it(welcoming):
    hers = joins(welcoming)
    subscribe.confirm(welcoming.pk, hers.subscriber_id, hers.confirmation_no, HERS)
    assert build.welcomes() == 1
    subscribe.unsubscribe(hers.subscriber_id, None, Origin(Method.LINK))
    joins(welcoming)
    assert build.welcomes() == 0
    Subscription.objects.update(welcome_built_at=None)  # as a dump of before brings it back
    assert build.welcomes() == 1
    assert len(welcomed()) == 1


def test_each_list_welcomes_for_itself(welcoming, alice):
    other = manage.create(alice.workspace, "Other")
    MailingList.objects.update(welcomes=True)
    joins(welcoming)
    joins(other)
    build.welcomes()
    assert {one.list_id for one in welcomed()} == {welcoming.pk, other.pk}


def test_nobody_is_welcomed_whom_the_owner_put_on_the_list_or_who_came_back(welcoming):
    owner = Origin(Method.OWNER)
    made, _new = subscribe.add(welcoming, NORA, "Nora", owner, confirmed=True)
    subscribe.unsubscribe(made.subscriber_id, None, Origin(Method.LINK))
    subscribe.come_back(made.subscriber_id, [welcoming.pk], Origin(Method.LINK))
    assert build.welcomes() == 0
    assert not build.to_welcome().exists()


def test_a_list_that_does_not_welcome_asks_for_none_and_later_for_no_one_of_before(a_list):
    hers = joins(a_list)
    a_list.welcomes = True
    a_list.save()
    subscribe.confirm(a_list.pk, hers.subscriber_id, hers.confirmation_no, HERS)
    assert not build.to_welcome().exists()


@pytest.mark.parametrize("end", ["left", "switched off", "archived"])
def test_none_is_made_for_what_ended_meanwhile(welcoming, end):
    hers = joins(welcoming)
    if end == "left":
        subscribe.unsubscribe(hers.subscriber_id, None, Origin(Method.LINK))
    elif end == "switched off":
        MailingList.objects.update(welcomes=False)
    else:
        MailingList.objects.update(archived_at=clock.now())
    build.welcomes()
    assert welcomed() == []
    assert not build.to_welcome().exists()


def test_one_that_waits_is_not_sent_to_who_leaves_or_is_suppressed(welcoming):
    hers, other = joins(welcoming), joins(welcoming, "otto@example.org")
    build.welcomes()
    subscribe.unsubscribe(hers.subscriber_id, None, Origin(Method.LINK))
    suppress.suppress(welcoming.workspace, other.subscriber.email)
    tasks.wake()
    assert {(one.state, one.reason) for one in welcomed()} == {
        (State.SKIPPED, "unsubscribed"),
        (State.SKIPPED, "suppressed: owner's word"),
    }


def test_words_that_cannot_be_compiled_any_more_hold_nobody_up(welcoming):
    MailingList.objects.update(wording={"welcome_body": "{% if %}"})
    joins(welcoming)
    assert build.welcomes() == 1
    (made,) = welcomed()
    assert made.message.revision.compiled["subject"].startswith("Welcome")
