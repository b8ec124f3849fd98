"""Sending by somebody who watches it, stops it, and looks back at what failed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.house.instances import Instance
from tests.house.smtp import SmtpServer, Stage
from tests.journeys import steps

pytestmark = pytest.mark.journey


@pytest.fixture
def site(smtp: SmtpServer, processes: Callable[..., Instance]) -> Instance:
    """An instance that sends to a mail server which takes its time."""
    smtp.delay(0.5, at=Stage.DOT)
    instance = processes(SMTP_URL=smtp.url, TAKE_BACK="0")
    instance.migrate()
    instance.up()
    return instance


def test_she_watches_it_go_out_pauses_goes_on_and_cancels_the_rest(
    site: Instance, smtp: SmtpServer, page: Page
):
    email, password = site.open_account()
    draft = site.plant("long_list", email)["message"]
    steps.sign_in(page, email, password)
    page.goto(f"/messages/{draft}/send")
    page.get_by_role("button", name="Send to 200 people on Long letter").click()
    # Nobody reloads: the numbers grow by themselves.
    expect(page.get_by_text(re.compile(r"^[1-9]\d* of 200$"))).to_be_visible()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Paused by a person.")).to_be_visible()
    smtp.wait_for(1)
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name=re.compile(r"^Cancel it for \d+ people")).click()
    expect(page.locator(".state").first).to_have_text("Cancelled")
    page.get_by_role("link", name="Deliveries", exact=True).click()
    skipped = page.locator(".state", has_text="Skipped").first
    steps.look_again_until(page, skipped, "what was cancelled was not skipped")
    got = [letter.to for letter in smtp.letters]
    assert 0 < len(got) < 200
    assert len(set(map(str, got))) == len(got)


@pytest.mark.once
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


def test_she_finds_out_who_did_not_get_it_and_tries_again(live_site: Instance, page: Page):
    email, password = live_site.open_account()
    places = live_site.plant("refused", email)
    steps.sign_in(page, email, password)
    page.goto(f"/messages/{places['message']}")
    expect(page.get_by_role("heading", name="What did not go out, and why")).to_be_visible()
    page.get_by_role("link", name="2 The mailbox is full").click()
    expect(page.get_by_role("link", name="full1@example.org")).to_be_visible()
    steps.follow(page, page.get_by_role("link", name="Deliveries"))
    page.get_by_placeholder("Beginning of an address").fill("full2@")
    expect(page.get_by_role("link", name="full1@example.org")).to_be_hidden()
    page.get_by_role("link", name="full2@example.org").click()
    expect(page.get_by_text("552 5.2.2 Over quota").first).to_be_visible()
    page.go_back()
    page.get_by_placeholder("Beginning of an address").fill("nobody@example.org")
    expect(page.get_by_text("Nobody with this address is known")).to_be_visible()
    steps.follow(page, page.get_by_role("link", name="Outcome"))
    page.get_by_role("link", name="Try the failed ones again").click()
    page.get_by_role("button", name="Try 2 mails again").click()
    expect(page.get_by_role("status")).to_contain_text("2 mails are tried again.")
    expect(page.locator(".state").first).to_have_text("Sent", timeout=40_000)
    expect(page.get_by_text("3 of 3")).to_be_visible()
