"""Ctrl-K: to any page, list or person without a pointer; and by its page without JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]


def test_from_anywhere_to_a_list_by_keyboard_alone(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    steps.make_list(page, "Harvest letter")
    page.goto("/settings")
    page.keyboard.press("Control+k")
    field = page.locator("#palette-q")
    expect(field).to_be_focused()
    page.keyboard.type("harv")
    expect(page.locator("#palette a")).to_have_count(1)
    expect(page.locator("#palette a", has_text="Harvest letter")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#palette a", has_text="Harvest letter")).to_be_focused()
    page.keyboard.type("e")  # goes on in the field
    expect(field).to_have_value("harve")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Harvest letter", level=1)).to_be_visible()


def test_it_closes_with_escape_and_gives_the_focus_back(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    button = page.locator("[data-palette]")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#palette-q")).to_be_focused()
    expect(page.locator("#palette a", has_text="Make a list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(button).to_be_focused()


def test_without_javascript_its_page_does_the_same(live_site: Instance, pages: Pages):
    page = pages(javascript=False)
    steps.sign_in(page, *live_site.open_account())
    page.locator("[data-palette]").click()
    page.locator("#q").fill("memb")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Members").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
