"""Signing up, confirming, leaving, and the owner's forms, with JavaScript off."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]


def test_a_reader_signs_up_confirms_and_leaves(live_site: Instance, pages: Pages):
    owner, reader = pages(javascript=False), pages(javascript=False)
    steps.sign_in(owner, *live_site.open_account())
    path = steps.make_list(owner, "No script")
    steps.sign_up(reader, path, "ida@example.org")
    steps.open_mail(owner, "confirm", "ida@example.org")
    link = steps.link_in_mail(owner, "/confirm/").get_attribute("href") or ""
    reader.goto(steps.path_of(link))
    reader.get_by_role("button", name="Yes, subscribe me").click()
    expect(reader.get_by_role("heading", name="You are on the list")).to_be_visible()
    assert reader.context.cookies() == []


def test_an_owner_writes_sends_and_watches_by_reloading(live_site: Instance, pages: Pages):
    owner, reader = pages(javascript=False), pages(javascript=False)
    steps.sign_in(owner, *live_site.open_account())
    steps.make_list(owner, "Plain letter")
    steps.add_confirmed(owner, "ida@example.org", "Ida")
    steps.write(owner, "Plain news", "Hello {{ subscriber.first_name }}\n")
    owner.get_by_role("button", name="Review and send").click()
    owner.get_by_role("button", name="Send to 1 person").click()
    steps.open_mail(owner, "Plain news", "ida@example.org")
    leave = steps.link_in_mail(owner, "/u/").get_attribute("href") or ""
    reader.goto(steps.path_of(leave))
    reader.get_by_role("link", name="Choose which lists").click()
    reader.get_by_label("Plain letter").uncheck()
    reader.get_by_role("button", name="Save").click()
    expect(reader.get_by_role("status")).to_contain_text("Your choice is saved")
    expect(reader.get_by_label("Plain letter")).not_to_be_checked()
    assert reader.context.cookies() == []


def test_an_owner_does_the_rest_of_it_too(live_site: Instance, pages: Pages):
    page = pages(javascript=False)
    email, password = live_site.open_account()
    people = live_site.plant("small_list", email)["list"]
    message = live_site.plant("refused", email)["message"]
    steps.sign_in(page, email, password)
    _chooses_people(page, people)
    _looks_into_what_failed(page, message)


def _chooses_people(page: Page, people: str) -> None:
    page.goto(f"/lists/{people}/subscribers")
    page.get_by_role("searchbox").fill("amber")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("checkbox", name="Choose ida@example.org").check()
    page.get_by_role("checkbox", name="Choose ben@example.org").check()
    page.locator("#bulk").get_by_role("button", name="Take off this list").click()
    expect(page.get_by_role("status")).to_contain_text("2 people are off “Small letter”.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Taken back")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="Name").uncheck()
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("columnheader", name="Name", exact=True)).to_have_count(0)
    page.get_by_role("link", name="ida@example.org").click()
    expect(page.get_by_role("heading", name="Consent")).to_be_visible()


def _looks_into_what_failed(page: Page, message: str) -> None:
    page.goto(f"/messages/{message}")
    page.get_by_role("link", name="2 The mailbox is full").click()
    page.get_by_placeholder("Beginning of an address").fill("full1@")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="full2@example.org")).to_have_count(0)
    page.get_by_role("link", name="Outcome").click()
    with page.expect_download() as got:
        page.get_by_role("link", name="All deliveries as CSV").click()
    rows = got.value.path().read_text("utf-8").splitlines()
    assert len(rows) == 4
    assert sum("552 5.2.2 Over quota" in row for row in rows) == 2
    page.get_by_role("link", name="Try the failed ones again").click()
    page.get_by_role("button", name="Try 2 mails again").click()
    expect(page.get_by_role("status")).to_contain_text("2 mails are tried again.")
