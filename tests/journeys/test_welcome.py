"""A list that welcomes: switched on in one's own words, and read by whoever confirmed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]


def test_a_welcome_in_ones_own_words_comes_to_who_confirms(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    path = steps.make_list(page, "Cider notes")
    page.get_by_role("link", name="Wording").click()
    welcome = page.get_by_role("region", name="Welcome mail")
    # The box itself is unseen behind its switch.
    welcome.get_by_text("Welcome everybody who confirms").click()
    welcome.get_by_label("Subject").fill("Glad that you are here, {{ subscriber.first_name }}")
    welcome.get_by_label("Text").fill("The press runs **on Saturdays**.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved")

    page.goto(path)
    page.get_by_label("Name").fill("Nora Nut")
    page.get_by_label("E-mail address").fill("nora@example.org")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    steps.open_mail(page, "Please confirm: Cider notes", "nora@example.org")
    with steps.in_new_tab(page, steps.link_in_mail(page, "/confirm/")) as hers:
        hers.get_by_role("button", name="Yes, subscribe me").click()
        expect(hers.get_by_role("heading", level=1)).to_be_visible()

    steps.open_mail(page, "Glad that you are here, Nora", "nora@example.org")
    expect(page.frame_locator("iframe").get_by_text("on Saturdays")).to_be_visible()
    with steps.in_new_tab(page, steps.link_in_mail(page, "/u/")) as hers:
        expect(hers.get_by_role("button", name="Unsubscribe")).to_be_visible()
