"""Links of a message are tried in a task, and what was found is remembered for a day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.campaigns import links, tasks
from mailape.campaigns.models import LinkLook
from mailape.core import clock, outward

pytestmark = pytest.mark.django_db(transaction=True)
WORLD = {
    "https://a.example/": 200, "https://a.example/gone": 404, "https://a.example/broken": 503,
    "https://a.example/members": 403, "https://a.example/shy": outward.NoAnswer("it took too long"),
    "http://10.0.0.1/": outward.NotAsked("its address is not public"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def world(monkeypatch) -> list[str]:
    tried: list[str] = []

    def status(url: str) -> int:
        tried.append(url)
        answer = WORLD.get(url, 200)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(outward, "status", status)
    return tried


def test_what_each_server_said_is_kept():
    assert links.ask(WORLD) == len(WORLD)
    tasks.try_links()
    found = {url: (look.found, look.words) for url, look in links.looks(WORLD).items()}
    assert found == {
        "https://a.example/": ("works", "HTTP 200"),
        "https://a.example/gone": ("dead", "HTTP 404"),
        "https://a.example/broken": ("trouble", "HTTP 503"),
        "https://a.example/members": ("works", "HTTP 403"),
        "https://a.example/shy": ("no_answer", "it took too long"),
        "http://10.0.0.1/": ("not_tried", "its address is not public"),
    }
    assert not links.wanted().exists()


def test_asking_twice_is_one_row_and_a_new_look(world):
    for _ in range(2):
        links.ask(["https://a.example/"] * 3)
        tasks.try_links()
    assert (LinkLook.objects.count(), len(world)) == (1, 2)


def test_a_few_are_tried_at_once_and_the_rest_by_the_next_bell(world):
    links.ask([f"https://a.example/{n}" for n in range(80)])
    assert LinkLook.objects.count() == links.MOST
    tasks.try_links()
    assert len(world) == links.AT_ONCE
    while links.try_some():
        pass
    assert len(world) == links.MOST


def test_what_was_found_counts_for_a_day_and_is_dropped_after_a_week():
    links.ask(["https://a.example/"])
    assert links.looks(["https://a.example/"])["https://a.example/"].wanted_at
    tasks.try_links()
    with clock.moved(timedelta(hours=25)):
        assert links.looks(["https://a.example/"]) == {}
        assert links.forget() == 0
    with clock.moved(timedelta(days=8)):
        assert links.forget() == 1
