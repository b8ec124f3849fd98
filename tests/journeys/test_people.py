"""Finding people, doing something with many of them, and taking it back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]
PEOPLE = (("ida@example.org", "Ida Amber"), ("ben@example.org", "Ben Amber"),
          ("cleo@else.example", "Cleo"))  # fmt: skip


def with_people(page: Page, live_site: Instance, name: str) -> str:
    """A list with three people on it; returns the path of its subscribers."""
    steps.sign_in(page, *live_site.open_account())
    steps.make_list(page, name)
    for email, who in PEOPLE:
        steps.add_confirmed(page, email, who)
    return steps.path_of(page.url)


def test_search_filter_choose_take_off_and_back_again(live_site: Instance, page: Page):
    with_people(page, live_site, "Choosing")
    page.get_by_role("searchbox").fill("amber")
    expect(page.get_by_role("link", name="cleo@else.example")).to_be_hidden()
    page.get_by_role("checkbox", name="Choose every row of this page").check()
    expect(page.get_by_text("2 chosen")).to_be_visible()
    page.get_by_role("button", name="Take off this list", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("2 people are off “Choosing”.")
    expect(page.get_by_role("searchbox")).to_have_value("amber")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Taken back")
    page.get_by_role("link", name="Confirmed 3").click()
    expect(page.get_by_role("link", name="ben@example.org")).to_be_visible()


def test_all_who_fit_are_erased_by_number_without_javascript(live_site: Instance, pages: Pages):
    page = pages(javascript=False)
    with_people(page, live_site, "Erasing")
    page.get_by_role("link", name="People").first.click()
    page.get_by_role("searchbox").fill("@example.org")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("Change all who fit…").click()
    page.get_by_role("button", name="Erase…").first.click()
    expect(page.get_by_role("heading", name="Erase 2 people")).to_be_visible()
    page.get_by_role("button", name="Erase 2 people for good").click()
    expect(page.get_by_role("status")).to_contain_text("2 people are erased.")
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("link", name="cleo@else.example")).to_be_visible()


def test_on_a_phone_people_are_filtered_and_nothing_sticks_out(live_site: Instance, pages: Pages):
    page = pages(width=375)
    path = with_people(page, live_site, "Small screen")
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Order").select_option("By name")
    page.get_by_role("button", name="Show", exact=True).click()
    names = page.locator("a.main-link").all_inner_texts()
    assert names == ["ben@example.org", "cleo@else.example", "ida@example.org"]
    for url in (path, "/people", steps.path_of(page.url)):
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
