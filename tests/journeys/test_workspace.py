"""Settings of a workspace and of oneself: two workspaces in two tabs, wording, tokens, sessions."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]


def switch_to(page: Page, name: str) -> None:
    page.locator(".shell-side details.who summary").click()
    page.get_by_role("button", name=name).click()
    expect(page.locator(".shell-side details.who summary")).to_contain_text(name)


def test_a_tab_that_writes_goes_on_while_another_changes_the_workspace(
    live_site: Instance, page: Page
):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/workspaces/new")
    page.get_by_label("Name", exact=True).fill("Second house")
    page.get_by_role("button", name="Make the workspace").click()
    expect(page.locator(".shell-side details.who summary")).to_contain_text("Second house")
    page.goto("/messages/new")
    other = page.context.new_page()
    other.goto("/")
    switch_to(other, "’s workspace")
    page.get_by_label("Subject", exact=True).fill("Of the second house")
    expect(page.locator("#saved[data-state=saved]")).to_be_visible()
    page.get_by_label("Text", exact=True).fill("Words while the other tab is elsewhere")
    expect(page.locator("#saved[data-state=saved]")).to_be_visible()
    other.goto("/messages")
    expect(other.get_by_role("heading", name="Messages", level=1)).to_be_visible()
    expect(other.get_by_text("Of the second house")).to_have_count(0)
    switch_to(other, "Second house")
    other.goto("/messages")
    other.get_by_role("link", name="Of the second house").click()
    expect(other.get_by_label("Text", exact=True)).to_have_value(
        "Words while the other tab is elsewhere"
    )


def test_a_lists_own_words_stand_on_its_pages(live_site: Instance, pages: Pages):
    owner, reader = pages(), pages()
    steps.sign_in(owner, *live_site.open_account())
    path = steps.make_list(owner, "Orchard letter")
    owner.get_by_role("link", name="Wording").click()
    owner.locator("#thanks").fill("The gate is open on Saturday.")
    owner.get_by_role("button", name="Save", exact=True).click()
    expect(owner.get_by_role("status")).to_contain_text("Saved")
    steps.sign_up(reader, path, "vera@example.org")
    steps.open_mail(owner, "confirm", "vera@example.org")
    reader.goto(steps.path_of(steps.link_in_mail(owner, "/confirm/").get_attribute("href") or ""))
    reader.get_by_role("button", name="Yes, subscribe me").click()
    expect(reader.get_by_text("The gate is open on Saturday.")).to_be_visible()


def test_settings_a_token_and_a_session_that_is_ended(live_site: Instance, pages: Pages):
    here, there = pages(), pages(width=375)
    account = live_site.open_account()
    steps.sign_in(here, *account)
    steps.sign_in(there, *account)
    here.goto("/settings")
    here.get_by_label("Name", exact=True).fill("The Orchard")
    here.get_by_label("Postal address").fill("Gate 1, Hale")
    here.get_by_role("button", name="Save").first.click()
    expect(here.locator(".shell-side details.who summary")).to_contain_text("The Orchard")

    here.get_by_role("link", name="API tokens").click()
    here.get_by_label("Name", exact=True).fill("the till")
    here.get_by_role("button", name="Make a token").click()
    token = here.get_by_label("Token", exact=True).input_value()
    bearer = {"Authorization": f"Bearer {token}"}
    assert here.request.get("/api/v1/me", headers=bearer).status == 200
    here.get_by_role("button", name="Revoke the till").click()
    expect(here.get_by_role("cell", name="the till")).to_have_count(0)
    assert there.request.get("/api/v1/me", headers=bearer).status == 401

    here.goto("/account")
    here.get_by_role("button", name="Sign out every other browser").click()
    expect(here.get_by_role("button", name="Sign out every other browser")).to_have_count(0)
    there.reload()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()


def test_wording_that_was_not_saved_asks_before_it_goes(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    steps.make_list(page, "Harvest letter")
    steps.follow(page, page.get_by_role("link", name="Wording"))
    thanks = page.locator("textarea[name=thanks]")
    thanks.fill("See you on Sunday.")
    asked = steps.asked_on_leaving(page)
    expect(thanks).to_have_value("See you on Sunday.")
    assert asked == ["beforeunload"]
    page.keyboard.press("Control+s")
    expect(page.get_by_role("status")).to_contain_text("Saved.")


def test_a_double_click_opens_one_dialog(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/design")
    page.get_by_role("link", name="A dialog from its page").dblclick()
    expect(page.locator("dialog[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
