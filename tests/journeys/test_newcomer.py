"""The newcomer's whole path against a real `mailape up`: set-up, list, sign-up, confirm, message,
Outbox, unsubscribe."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = pytest.mark.journey


@pytest.fixture
def site(processes: Callable[..., Instance]) -> Instance:
    """A new instance that nobody has claimed."""
    new = processes()
    new.up()
    return new


def test_from_nothing_to_a_first_newsletter_and_a_goodbye(site: Instance, pages: Pages):
    owner, reader = pages(), pages(width=375)
    _set_up(site, owner)
    path = _first_list(owner)
    _confirm(owner, reader, path)
    _send(owner)
    _unsubscribe(owner)


def _set_up(site: Instance, owner: Page) -> None:
    owner.goto("/")
    expect(owner.get_by_role("heading", name="This MailApe is new")).to_be_visible()
    link = re.search(r"http://\S+/setup/\S+", site.wait_said("Ctrl-C"))
    assert link, "the set-up link was not printed"
    owner.goto(steps.path_of(link[0]))
    owner.get_by_label("Your name").fill("Mara")
    owner.get_by_label("E-mail address").fill("mara@example.org")
    owner.get_by_label("Password").fill("gravenstein 1669")
    owner.get_by_label("Workspace").fill("The Orchard")
    owner.get_by_role("button", name="Set up MailApe").click()
    expect(owner.get_by_role("heading", name="Hello, Mara")).to_be_visible()
    expect(owner.get_by_text("nothing leaves this machine")).to_be_visible()


def _first_list(owner: Page) -> str:
    owner.get_by_role("link", name="Make a list").click()
    owner.get_by_label("Name", exact=True).fill("Orchard letter")
    owner.get_by_role("button", name="Make the list").click()
    return steps.path_of(owner.get_by_label("Address of the sign-up page").input_value())


def _confirm(owner: Page, reader: Page, path: str) -> None:
    steps.sign_up(reader, path, "vera@example.org")
    steps.open_mail(owner, "confirm", "vera@example.org")
    with steps.in_new_tab(owner, steps.link_in_mail(owner, "/confirm/")) as tab:
        tab.get_by_role("button", name="Yes, subscribe me").click()
        expect(tab.get_by_role("heading", name="You are on the list")).to_be_visible()


def _send(owner: Page) -> None:
    owner.goto("/")
    owner.get_by_role("link", name="Write", exact=True).click()
    owner.get_by_label("Subject", exact=True).fill("Apples, at last")
    owner.get_by_label("Text", exact=True).fill("Hello {{ subscriber.email }},\n\n**first boxes**!")
    expect(owner.get_by_label("Orchard letter")).to_be_checked()
    owner.get_by_role("button", name="Review and send").click()
    owner.get_by_role("button", name="Send to 1 person on Orchard letter").click()
    expect(owner.get_by_role("button", name="Take it back")).to_be_visible()
    # The page counts down, and looks by itself until it is over.
    expect(owner.locator(".state").first).to_have_text("Sent", timeout=40_000)
    expect(owner.get_by_text("1 of 1")).to_be_visible()


def _unsubscribe(owner: Page) -> None:
    steps.open_mail(owner, "Apples, at last", "vera@example.org")
    frame = owner.frame_locator("iframe")
    expect(frame.get_by_text("Hello vera@example.org")).to_be_visible()
    expect(frame.locator("strong")).to_have_text("first boxes")
    with steps.in_new_tab(owner, steps.link_in_mail(owner, "/u/")) as tab:
        tab.get_by_role("button", name="Unsubscribe").click()
        expect(tab.get_by_role("heading", name="Goodbye")).to_be_visible()
        tab.get_by_role("button", name="subscribe me again").click()
        expect(tab.get_by_role("heading", name="Welcome back")).to_be_visible()
    with steps.in_new_tab(owner, steps.link_in_mail(owner, "/v/")) as tab:
        expect(tab.get_by_text("first boxes")).to_be_visible()
