"""Fifty parallel clicks have the effect of one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from mailape.campaigns.models import Message
from mailape.lists import subscribe
from mailape.lists.models import ConsentRecord, Subscription
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World

pytestmark = pytest.mark.django_db(transaction=True)
CLICKS = 50


def at_once(click: Callable[[], int]) -> list[int]:
    """The statuses of fifty clicks that start together."""
    start, statuses = threading.Barrier(CLICKS), []

    def one() -> None:
        start.wait()
        try:
            statuses.append(click())
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(CLICKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_confirming(world: World):
    subscribe.sign_up(world.list, "new@example.org", "", worlds.FORM)
    hers = Subscription.objects.get(subscriber__email="new@example.org")
    path = f"/confirm/{worlds.confirmation(world.list, hers.subscriber)}"
    assert at_once(lambda: Client().post(path).status_code) == [200] * CLICKS
    assert ConsentRecord.objects.filter(method="confirmation").count() == 1
    hers.refresh_from_db()
    assert hers.status == "confirmed"


def test_unsubscribing(world: World):
    path, body = f"/u/{world.links.unsubscribe}", {"List-Unsubscribe": "One-Click"}
    assert at_once(lambda: Client().post(path, body).status_code) == [200] * CLICKS
    assert ConsentRecord.objects.filter(consent="withdrawn").count() == 1


def test_sending(world: World):
    # One session in fifty tabs.
    cookie = world.owner.client().cookies["mailape_session"].value

    def click() -> int:
        browser = Client()
        browser.cookies["mailape_session"] = cookie
        return browser.post(f"/messages/{world.draft.public_id}/send", {"version": "1"}).status_code

    assert at_once(click) == [302] * CLICKS
    sent = Message.objects.get(pk=world.draft.pk)
    assert (sent.status, sent.version) == ("queued", 1)
