"""The navigation: a link for each section that exists, for those who may see it."""

from __future__ import annotations

import re

from django.test import Client

from mailape.web import navigation
from mailape.web.tests.worlds import World
from tests.house.people import Person


def links(html: str) -> list[str]:
    nav = html[html.index('<nav class="shell-nav"') :]
    return re.findall(r"<span>([^<]+)</span></a>", nav[: nav.index("</nav>")])


def test_every_section_that_exists_is_in_the_navigation(alice: Person):
    there = links(alice.client().get("/").content.decode())
    assert {"Overview", "Lists", "Messages", "Suppressions", "Settings"} <= set(there)
    for section in navigation.SECTIONS:
        if not navigation.address(section.route):
            assert str(section.label) not in there


def test_the_system_is_for_the_administrator_only(alice: Person):
    def shown() -> bool:
        return "System" in links(alice.client().get("/").content.decode())

    assert not shown()
    alice.user.is_admin = True
    alice.user.save()
    assert shown() is bool(navigation.address("web:system"))


def test_a_page_of_a_section_without_a_place_is_marked_where_it_belongs():
    section = navigation.Section("lists", "web:lists", "list", "Lists")
    assert navigation.INSTEAD["people"] == section.name


def test_each_page_is_marked_once(world: World):
    for path in ("/", "/lists", "/messages", "/suppressions", "/settings"):
        html = world.owner.client().get(path).content.decode()
        nav = html[html.index('<nav class="shell-nav"') :]
        assert nav[: nav.index("</nav>")].count('aria-current="page"') == 1, path


def test_a_browser_that_asks_for_favicon_gets_one(db):
    response = Client().get("/favicon.ico")
    assert response.status_code == 302
    assert "favicon" in response["Location"]
