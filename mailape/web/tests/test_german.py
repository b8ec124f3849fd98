"""Every page in German, and no English on it; readers' pages in French and Spanish besides."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from mailape.accounts.models import User
from mailape.core import clock, runs
from mailape.delivery.models import State
from mailape.web.tests import worlds
from mailape.web.tests.test_every_page import DATA, FRAMES, PAGES
from mailape.web.tests.test_rights import ADMINISTRATOR
from tests import english
from tests.house.people import Person

pytestmark = pytest.mark.once
# For developers, and a list's own page in the list's own language.
ENGLISH = {"design", "design-ask", "list-wording-page"}
TYPED = ("She said so.", "Port of Spain", "Isle of Man")


def read(response: Any, language: str = "de") -> list[str]:
    """The English on this page, each with its address."""
    html = response.content.decode()
    return [
        f"{response.request['PATH_INFO']}: {one}" for one in english.left(html, language, TYPED)
    ]


def test_no_page_of_a_full_workspace_has_english_on_it(alice: Person):
    world = worlds.build(alice, "Obstbrief")
    User.objects.update(language="de")
    client = alice.client()
    pages = [name for name in PAGES if name not in DATA | FRAMES | ENGLISH]
    urls = [reverse(f"web:{name}", kwargs=world.kwargs(name)) for name in pages]
    found = [one for url in urls for one in read(client.get(url))]
    assert found == [], "\n".join(found)


def test_no_page_of_an_empty_workspace_has_english_on_it(alice: Person):
    User.objects.update(language="de")
    client = alice.client()
    pages = [name for name in PAGES if not worlds.ROUTES[name]]
    urls = [reverse(f"web:{name}") for name in pages if name not in DATA | FRAMES | ENGLISH]
    found = [one for url in urls for one in read(client.get(url))]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("state", [State.FAILED, State.UNKNOWN, State.DEFERRED, State.SKIPPED])
@pytest.mark.parametrize("status", ["sending", "paused", "sent", "cancelled", "failed"])
def test_no_report_has_english_on_it(alice: Person, state: State, status: str):
    world = worlds.build(alice, "Obstbrief")
    User.objects.update(language="de")
    world.sent.deliveries.update(state=state, answer="", reason="unsubscribed")
    world.sent.batches.update(sent=0, **{state.value: 1})
    type(world.sent).objects.filter(pk=world.sent.pk).update(
        status=status, reason="Paused by a person."
    )
    names = ("message", "message-progress", "deliveries", "delivery", "messages", "overview")
    urls = [reverse(f"web:{name}", kwargs=world.kwargs(name)) for name in names]
    found = [one for url in urls for one in read(alice.client().get(url))]
    assert found == [], "\n".join(found)


def test_no_page_of_the_system_has_english_on_it(alice: Person):
    User.objects.update(language="de", is_admin=True)
    runs.ended("delivery.sweep", clock.now(), 0.1, failed=False)
    pages = [name for name, methods in ADMINISTRATOR.items() if "GET" in methods]
    client = alice.client()
    found = [one for name in pages for one in read(client.get(reverse(f"web:{name}")))]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_no_page_of_a_reader_has_english_on_it(alice: Person, language: str):
    world = worlds.build(alice, "Obstbrief")
    hers = {"Accept-Language": language}
    reader = Client(headers=hers)
    confirm = reverse("web:confirm", args=[worlds.confirmation(world.list, world.person)])
    subscribe = reverse("web:subscribe", args=[world.list.public_id])
    leave = reverse("web:unsubscribe", args=[world.links.unsubscribe])
    choose = reverse("web:preferences", args=[world.links.preferences])
    answers = [
        reader.get(subscribe),
        reader.post(subscribe, {"email": "keine Adresse"}),
        reader.post(subscribe, {"email": "neu@example.org"}),
        reader.get(confirm),
        reader.post(confirm),
        reader.get(leave),
        reader.post(leave),
        reader.get(choose),
        reader.post(choose, {"lists": [world.list.public_id]}, follow=True),
        reader.get(f"{confirm}x"),
        reader.get("/nothing"),
        Client(enforce_csrf_checks=True, headers=hers).post("/sign-in"),
    ]
    found = [one for answer in answers for one in read(answer, language)]
    assert found == [], "\n".join(found)


def test_english_is_found_where_it_is_left():
    assert english.left("<p>Hallo</p><button title='Save draft'>Senden</button>") == ["Save draft"]
    assert english.left("<p>3 of 4</p>") == ["3 of 4"]
    assert english.left("<p>Nobody marked this for the translators</p>") != []
    assert english.left("<p>Nichts als Deutsch, was sonst?</p><code>of the</code>") == []
