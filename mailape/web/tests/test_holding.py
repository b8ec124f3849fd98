"""Sending on hold, on the pages: everybody is told, the administrator releases it."""

from __future__ import annotations

import pytest

from mailape.campaigns.models import Message
from mailape.delivery import hold
from mailape.web.tests import worlds
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def shown(person: Person, path: str) -> str:
    response = person.client().get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_every_page_tells_everybody_that_nothing_is_sent(admin: Person, bob: Person):
    assert "Nothing is sent at the moment" not in shown(bob, "/lists")
    hold.begin("The disk is moved.")
    for person, more in ((bob, "administrator releases it"), (admin, "See what to do")):
        text = shown(person, "/lists")
        assert "Nothing is sent at the moment" in text
        assert "The disk is moved." in text
        assert more in text


def test_holding_and_releasing_by_hand(admin: Person):
    client = admin.client()
    assert "Hold all sending" in shown(admin, "/system")
    for _ in range(2):
        assert client.post("/system/hold", follow=True).status_code == 200
    text = shown(admin, "/system")
    assert "Held by a person." in text
    assert "Release everything" in text
    assert "Hold all sending" not in text
    assert "under way" not in text
    for _ in range(2):
        answer = client.post("/system/release", {"newsletters": "go-on"}, follow=True)
        assert "Sending goes on." in answer.content.decode()
    assert hold.now() is None


@pytest.mark.parametrize(("choice", "status"), [("pause", "paused"), ("go-on", "sending")])
def test_newsletters_under_way_are_paused_or_go_on(admin: Person, choice: str, status: str):
    message = worlds.build(admin).sent
    Message.objects.filter(pk=message.pk).update(status="sending")
    hold.begin()
    assert "pause the newsletter that was under way" in shown(admin, "/system")
    admin.client().post("/system/release", {"newsletters": choice})
    message.refresh_from_db()
    assert message.status == status
    if choice == "pause":
        text = shown(admin, f"/messages/{message.public_id}")
        assert "who got it after the database was copied is not known" in text


def test_monitors_see_it(admin: Person):
    client = admin.client()
    assert client.get("/api/v1/system").json()["held"] is None
    hold.begin()
    held = client.get("/api/v1/system").json()["held"]
    assert (held["why"], held["copied_at"]) == ("Held by a person.", None)
