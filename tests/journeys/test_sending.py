"""Sending by somebody who changes her mind, plans ahead, and looks back at what failed."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = pytest.mark.journey


def ready(page: Page, live_site: Instance, name: str) -> None:
    """On the last look of a message to one reader of the list `name`."""
    steps.sign_in(page, *live_site.open_account())
    steps.make_list(page, name)
    steps.add_confirmed(page, "ida@example.org", "Ida")
    steps.write(page, f"News of {name}", "Hello [you](https://example.org/a)\n")
    page.get_by_role("button", name="Review and send").click()
    expect(page.get_by_role("heading", name="Who gets it")).to_be_visible()


def test_she_sends_takes_it_back_writes_on_and_sends(live_site: Instance, page: Page):
    ready(page, live_site, "Second thoughts")
    page.get_by_role("button", name="Send to 1 person on Second thoughts").click()
    seconds = page.locator("[data-seconds]")
    expect(seconds).to_be_visible()
    first = int(seconds.inner_text())
    expect(seconds).not_to_have_text(str(first))
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("nothing was sent")
    page.get_by_label("Text", exact=True).fill("Hello again")
    page.get_by_role("button", name="Review and send").click()
    page.get_by_role("button", name="Send to 1 person").click()
    expect(page.locator(".state").first).to_have_text("Sent", timeout=40_000)
    steps.open_mail(page, "News of Second thoughts", "ida@example.org")
    expect(page.frame_locator("iframe").get_by_text("Hello again")).to_be_visible()


def test_what_is_to_be_mended_is_one_click_away_in_its_line(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    steps.make_list(page, "Mending")
    steps.write(page, "To be mended", "Hello\n\n[about us](/about)\n\nBye\n")
    page.get_by_role("button", name="Review and send").click()
    page.get_by_role("link", name="Mend it in line 3").click()
    text = page.get_by_label("Text", exact=True)
    expect(text).to_be_focused()
    chosen = "area => area.value.slice(area.selectionStart, area.selectionEnd)"
    assert text.evaluate(chosen) == "[about us](/about)"


def test_without_javascript_she_takes_it_back_plans_it_and_takes_that_back(
    live_site: Instance, pages: Pages
):
    page = pages(javascript=False)
    ready(page, live_site, "No hurry")
    page.get_by_role("button", name="Send to 1 person").click()
    page.get_by_role("button", name="Take it back").click()
    page.get_by_role("button", name="Review and send").click()
    page.get_by_role("link", name="Send later").click()
    page.get_by_label("Time", exact=True).fill("07:15")
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_label("Date").fill("2020-01-01")
    page.get_by_role("button", name="Schedule for").click()
    expect(page.get_by_text("That time is over already")).to_be_visible()
    expect(page.get_by_label("Time", exact=True)).to_have_value("07:15")
    page.get_by_label("Date").fill(steps.in_days(3))
    page.get_by_role("button", name="Schedule for").click()
    expect(page.get_by_role("heading", name="Scheduled")).to_be_visible()
    expect(page.get_by_text("Europe/Berlin")).to_be_visible()
    page.get_by_role("button", name="Take it back and edit").click()
    expect(page.get_by_label("Text", exact=True)).to_be_visible()


def test_she_finds_out_who_did_not_get_it_and_tries_again(live_site: Instance, page: Page):
    email, password = live_site.open_account()
    code = f"from tests.journeys.orchard import refused; refused({email!r})"
    places = json.loads(live_site.run("shell", "-c", code).stdout.strip().splitlines()[-1])
    steps.sign_in(page, email, password)
    page.goto(f"/messages/{places['message']}")
    expect(page.get_by_role("heading", name="What did not go out, and why")).to_be_visible()
    page.get_by_role("link", name="2 The mailbox is full").click()
    expect(page.get_by_role("link", name="full1@example.org")).to_be_visible()
    page.get_by_role("link", name="Deliveries").click()
    page.get_by_placeholder("Beginning of an address").fill("full2@")
    expect(page.get_by_role("link", name="full1@example.org")).to_be_hidden()
    page.get_by_role("link", name="full2@example.org").click()
    expect(page.get_by_text("552 5.2.2 Over quota").first).to_be_visible()
    page.go_back()
    page.get_by_placeholder("Beginning of an address").fill("nobody@example.org")
    expect(page.get_by_text("Nobody with this address is known")).to_be_visible()
    page.get_by_role("link", name="Outcome").click()
    page.get_by_role("link", name="Try the failed ones again").click()
    page.get_by_role("button", name="Try 2 mails again").click()
    expect(page.get_by_role("status")).to_contain_text("2 mails are tried again.")
    expect(page.locator(".state").first).to_have_text("Sent", timeout=40_000)
    expect(page.get_by_text("3 of 3")).to_be_visible()
