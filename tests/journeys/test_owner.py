"""The owner at her desk: keyboard only, two tabs at once, a theme of one's own, a lost password."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]
NEW_PASSWORD = "boskoop 1856 apples"


def focus_is_seen(page: Page) -> bool:
    return bool(
        page.evaluate(
            "getComputedStyle(document.activeElement).outlineStyle !== 'none' &&"
            " parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2"
        )
    )


def test_signing_in_and_making_a_list_by_keyboard_alone(live_site: Instance, page: Page):
    email, password = live_site.open_account()
    page.goto("/sign-in")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    steps.has_come(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    assert focus_is_seen(page)
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    make = page.get_by_role("link", name="Make a list")
    for _ in range(5):
        page.keyboard.press("Tab")
        assert focus_is_seen(page)
        if make.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    # The address changes before the page has given its field the focus: letters typed until then
    # would go nowhere.
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()


def test_the_menu_opens_and_closes_by_keyboard_and_signs_out(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    menu = page.locator(".shell-side details.who summary")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_theme_once_chosen_is_kept_and_is_no_form(live_site: Instance, pages: Pages):
    page = pages(scheme="light")
    page.goto("/sign-in")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    switch = page.get_by_role("button", name="Theme: as the system")
    switch.click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto("/forgot")
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Theme: dark").click()
    page.reload()
    assert page.evaluate(ground) == light
    assert page.locator("form").count() == 1


def test_a_lost_password_is_set_anew_by_the_mail_in_the_outbox(live_site: Instance, pages: Pages):
    email, _ = live_site.open_account()
    page, administrator = pages(), pages()
    page.goto("/forgot")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    steps.sign_in(administrator, "admin@example.org", "correct horse battery")
    steps.open_mail(administrator, "password", email)
    link = steps.link_in_mail(administrator, "/reset/").get_attribute("href") or ""
    page.goto(steps.path_of(link))
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("Your new password is set")).to_be_visible()
    steps.sign_in(page, email, NEW_PASSWORD)
    page.context.clear_cookies()
    page.goto(steps.path_of(link))
    expect(page.get_by_role("heading", name="This link is spent")).to_be_visible()
