"""Steps that several journeys take, in the words of somebody who clicks."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Dialog, Error, Locator, Page, expect

PATIENCE = 40.0  # seconds until a mail must lie in the Outbox; a newsletter waits for ten of them


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    has_come(page)


def has_come(page: Page) -> None:
    """Waits for the scripts of a page that a click led to: it can be seen before they hear keys."""
    page.wait_for_load_state()


def follow(page: Page, link: Locator) -> None:
    """Clicks, and waits for the page that comes, with its scripts."""
    link.click()
    has_come(page)


def make_list(page: Page, name: str) -> str:
    """Makes a list; returns the path of its sign-up page."""
    page.goto("/lists/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the list").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    has_come(page)
    return path_of(page.get_by_label("Address of the sign-up page").input_value())


def add_confirmed(page: Page, email: str, name: str = "") -> None:
    """On the page of a list: adds a person on the owner's word."""
    page.get_by_role("link", name="Subscribers").click()
    page.get_by_role("link", name="Add a person").click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Yes, you have my word").check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(f"{email} is on the list")
    has_come(page)


def write(page: Page, subject: str, text: str) -> None:
    """Writes a message and saves it as a draft."""
    page.goto("/messages/new")
    page.get_by_label("Subject", exact=True).fill(subject)
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    has_come(page)


def sign_up(page: Page, path: str, email: str) -> None:
    page.goto(path)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()


def open_mail(page: Page, subject: str, recipient: str) -> None:
    """Opens the newest mail of this subject to this person in the Outbox, waiting until it came."""
    row = page.get_by_role("row").filter(has_text=subject).filter(has_text=recipient).first
    page.goto("/outbox")
    look_again_until(page, row, f"no mail “{subject}” to {recipient} came")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(subject)


def look_again_until(page: Page, there: Locator, else_said: str) -> None:
    """Loads the page anew until `there` is on it."""
    end = time.monotonic() + PATIENCE
    while not there.is_visible():
        assert time.monotonic() < end, else_said
        page.wait_for_timeout(200)
        page.reload()


def link_in_mail(page: Page, leads_to: str) -> Locator:
    """The link in the mail's HTML whose address has `leads_to` in it."""
    return page.frame_locator("iframe").locator(f'a[href*="{leads_to}"]').first


@contextmanager
def in_new_tab(page: Page, link: Locator) -> Iterator[Page]:
    """Clicks the link and gives the tab that it opens."""
    with page.expect_popup() as opened:
        link.click()
    yield opened.value
    opened.value.close()


def path_of(url: str) -> str:
    return re.sub(r"^https?://[^/]+", "", url)


def content(page: Page) -> str:
    """The page as it stands, once it stands: what is watched loads itself anew at its end."""
    for _ in range(20):
        has_come(page)
        with suppress(Error):  # it went on between the two
            return page.content()
    return page.content()


def is_as_wide_as_its_window(page: Page) -> bool:
    return bool(
        page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
    )


def in_days(days: int) -> str:
    """The day that many days from now, as a date field takes it."""
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def asked_on_leaving(page: Page) -> list[str]:
    """Goes for another page and stays when asked; the kinds of what was asked, as they come."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.get_by_role("link", name="Overview").click(no_wait_after=True)
    return asked
