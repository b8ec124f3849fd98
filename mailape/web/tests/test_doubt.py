"""Mails in doubt on a message's page: how many, what that means, and the two things to do."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from mailape.accounts.models import Role
from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery import status, tally
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person

MEANING = (
    "The line broke after these mails were out and before the server answered. "
    "They may have arrived."
)


@pytest.fixture
def doubtful(world: World) -> Message:
    """A message that was sent to three people; of two of them nobody knows."""
    for number in range(2):
        worlds.on_list(world.list, f"p{number}@example.org")
    message = worlds.sent(world.owner, [world.list], "Quinces")
    keys = list(message.deliveries.order_by("pk").values_list("pk", flat=True))[1:]
    SubscriberMessage.objects.filter(pk__in=keys).update(
        state=State.UNKNOWN, tried_at=clock.now(), sent_at=None
    )
    DeliveryBatch.objects.filter(message=message).update(sent=1, unknown=2)
    return message


def path(message: Message, more: str = "") -> str:
    return f"/messages/{message.public_id}{more}"


def seen(html: str) -> str:
    found = re.findall(r'name="seen" value="([^"]+)"', html)
    assert len(set(found)) == 1
    return str(found[0])


def counted(message: Message) -> dict[str, int]:
    return {state: number for state, number in tally.counts(message).items() if number}


@pytest.mark.parametrize("where", ["", "/deliveries?state=unknown"])
def test_the_owner_sees_how_many_what_it_means_and_two_buttons(
    world: World, doubtful: Message, where: str
):
    html = world.owner.client().get(path(doubtful, where)).content.decode()
    assert "2 mails are in doubt" in html
    assert MEANING in html
    assert "Send 2 mails again" in html
    assert "Leave 2 mails as they are" in html


def test_one_is_spoken_of_as_one(world: World, doubtful: Message):
    SubscriberMessage.objects.filter(
        pk=doubtful.deliveries.filter(state=State.UNKNOWN)[0].pk
    ).update(reason="Left as it is, by a person")
    html = world.owner.client().get(path(doubtful)).content.decode()
    assert "1 mail is in doubt" in html
    assert "It may have arrived." in html
    assert "Send 1 mail again" in html


@pytest.mark.parametrize("where", ["", "/deliveries", "/deliveries?state=unknown"])
def test_where_nothing_is_in_doubt_nothing_is_asked(world: World, where: str):
    html = world.owner.client().get(path(world.sent, where)).content.decode()
    assert "in doubt" not in html


def test_a_viewer_sees_it_and_cannot_decide(world: World, doubtful: Message):
    viewer = people.join(world.owner, "vi", Role.VIEWER).client()
    html = viewer.get(path(doubtful)).content.decode()
    assert "2 mails are in doubt" in html
    assert "resend-unknown" not in html
    for deed in ("/resend-unknown", "/leave-unknown"):
        assert viewer.post(path(doubtful, deed)).status_code == 403
    assert counted(doubtful) == {"sent": 1, "unknown": 2}


def test_an_editor_sends_them_again_and_a_second_click_is_harmless(
    bob: Person, world: World, doubtful: Message
):
    browser = bob.client()
    form = {"seen": seen(browser.get(path(doubtful)).content.decode())}
    html = browser.post(path(doubtful, "/resend-unknown"), form, follow=True).content.decode()
    assert "2 mails are sent again." in html
    assert "are in doubt" not in html
    assert counted(doubtful) == {"sent": 1, "queued": 2}
    doubtful.refresh_from_db()
    assert doubtful.status == "sending"
    again = browser.post(path(doubtful, "/resend-unknown"), form, follow=True).content.decode()
    assert "Nothing of this message is in doubt." in again
    assert counted(doubtful) == {"sent": 1, "queued": 2}


@pytest.mark.parametrize("deed", ["/resend-unknown", "/leave-unknown"])
def test_a_click_decides_on_what_was_shown_and_not_on_what_came_since(
    world: World, doubtful: Message, deed: str
):
    browser = world.owner.client()
    form = {"seen": seen(browser.get(path(doubtful)).content.decode())}
    late = doubtful.deliveries.filter(state=State.UNKNOWN)[0].pk
    SubscriberMessage.objects.filter(pk=late).update(tried_at=clock.now() + timedelta(seconds=1))
    browser.post(path(doubtful, deed), form)
    (waiting,) = status.undecided(doubtful.pk)
    assert waiting.pk == late
    with clock.moved(timedelta(seconds=2)):
        assert "1 mail is in doubt" in browser.get(path(doubtful)).content.decode()


def test_they_are_left_and_the_question_is_gone(world: World, doubtful: Message):
    browser = world.owner.client()
    html = browser.post(path(doubtful, "/leave-unknown"), follow=True).content.decode()
    assert "2 mails are left as they are." in html
    assert "are in doubt" not in html
    listed = browser.get(path(doubtful, "/deliveries?state=unknown")).content.decode()
    assert listed.count("Left as it is, by a person") == 2
    assert counted(doubtful) == {"sent": 1, "unknown": 2}


@pytest.mark.parametrize("words", ["x", "9999-99-99", "0001-01-01T00:00:00+14:00", ""])
def test_a_form_that_was_changed_breaks_nothing(world: World, doubtful: Message, words: str):
    answer = world.owner.client().post(path(doubtful, "/leave-unknown"), {"seen": words})
    assert answer.status_code == 302


def test_of_a_cancelled_message_they_can_only_be_left(world: World, doubtful: Message):
    Message.objects.filter(pk=doubtful.pk).update(status="cancelled")
    browser = world.owner.client()
    html = browser.get(path(doubtful)).content.decode()
    assert "resend-unknown" not in html
    assert "they cannot be sent again" in html
    refused = browser.post(path(doubtful, "/resend-unknown"), follow=True).content.decode()
    assert "cancelled" in refused
    assert counted(doubtful) == {"sent": 1, "unknown": 2}


def test_another_workspace_finds_neither(charlie: Person, doubtful: Message):
    for deed in ("/resend-unknown", "/leave-unknown"):
        assert charlie.client().post(path(doubtful, deed)).status_code == 404
