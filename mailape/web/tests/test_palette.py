"""The way to everything: what is found, by whom, and how many queries it takes."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.accounts.models import Role
from mailape.lists import manage
from mailape.web import finding, navigation
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person


def found(person: Person, q: str = "") -> list[str]:
    html = person.client().get("/go", {"q": q}).content.decode()
    region = html[html.index('id="go-found"') : html.index("</main>")]
    return re.findall(r'<span class="breaks">([^<]*)</span>', region)


def test_a_list_a_message_and_a_person_are_found_by_a_part_of_their_name(world: World):
    assert world.list.name in found(world.owner, "ppl")
    assert world.draft.subject in found(world.owner, "appl")
    assert found(world.owner, "vera@ex") == ["vera@example.org"]


def test_pages_are_found_by_words_that_people_use_for_them(alice: Person):
    assert "Members" in found(alice, "team")
    assert "Settings" in found(alice, "sett")
    assert "Write a message" in found(alice, "new news")


def test_without_a_word_the_pages_and_the_deeds_are_there(alice: Person):
    there = found(alice)
    assert {"Overview", "Lists", "Messages", "Settings", "Write a message", "Make a list"} <= set(
        there
    )


def test_a_role_is_offered_only_what_it_may_do(alice: Person):
    vera = people.join(alice, "vera", Role.VIEWER)
    assert "Write a message" not in found(vera)
    assert "Make a list" not in found(people.join(alice, "ed", Role.EDITOR))
    assert "Write a message" in found(people.join(alice, "edna", Role.EDITOR))


def test_the_systems_pages_are_offered_to_the_administrator_only(alice: Person):
    assert "Failed tasks" not in found(alice, "failed")
    alice.user.is_admin = True
    alice.user.save()
    assert "Failed tasks" in found(alice, "failed")


def test_every_place_that_is_offered_exists():
    for place in (*finding.DEEDS, *finding.PAGES):
        assert navigation.address(place.route), place.route


def test_nothing_of_another_workspace_is_found(world: World, charlie: Person):
    for q in ("appl", "vera@", "Apples"):
        assert found(charlie, q) == []


@pytest.mark.parametrize("q", ["%", "_", "\\", "é@", "a" * 300, "x\x00y", "'; --", "{{ 7 }}"])
def test_odd_words_find_nothing_and_break_nothing(world: World, q: str):
    html = world.owner.client().get("/go", {"q": q}).content.decode()
    assert "Nothing here fits" in html


def test_however_much_there_is_it_takes_as_many_queries(world: World):
    browser = world.owner.client()

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            browser.get("/go", {"q": "a"})
        return len(seen)

    before = queries()
    for number in range(9):
        another = manage.create(world.owner.workspace, f"A{number}")
        worlds.on_list(another, f"a{number}@example.org")
        worlds.sent(world.owner, [another], f"A {number}")
    assert queries() == before <= 8
    assert len([one for one in found(world.owner, "a") if one.endswith("@example.org")]) == 6
