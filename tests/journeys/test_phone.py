"""Every page on narrow and wide windows, in both themes: nothing scrolls sideways."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]
LONG = "Donaudampfschifffahrtsgesellschaftskapitaensmuetzenabzeichen"
ADDRESS = f"{LONG.lower()}@a-rather-long-domain-name-for-a-mailbox.example.org"


@pytest.fixture
def paths(live_site: Instance, pages: Pages) -> tuple[Page, list[str]]:
    """An owner signed in, and the path of every page with long words on it."""
    owner = pages()
    steps.sign_in(owner, *live_site.open_account())
    sign_up = steps.make_list(owner, f"{LONG} letter")
    a_list = steps.path_of(owner.url)
    steps.add_confirmed(owner, ADDRESS, LONG)
    owner.get_by_role("link", name=ADDRESS).click()
    person = steps.path_of(owner.url)
    steps.write(owner, f"{LONG} news", f"{LONG}\n\n[{LONG}](https://example.org/{LONG})\n")
    draft = steps.path_of(owner.url).removesuffix("/edit")
    steps.write(owner, "Sent", f"# {LONG}\n\n{LONG} `{LONG}`\n\n- [{LONG}](https://example.org/)\n")
    owner.get_by_role("button", name="Review and send").click()
    owner.get_by_role("button", name="Send to").click()
    owner.wait_for_url(re.compile("/messages/[^/]+$"))
    sent = steps.path_of(owner.url)
    steps.open_mail(owner, "Sent", ADDRESS)
    mail = steps.path_of(owner.url)
    leave = steps.path_of(steps.link_in_mail(owner, "/u/").get_attribute("href") or "")
    choose = steps.path_of(steps.link_in_mail(owner, "/p/").get_attribute("href") or "")
    return owner, [
        "/", "/lists", "/lists/new", a_list, f"{a_list}/edit", f"{a_list}/subscribers",
        f"{a_list}/subscribers/new", person, f"{person}/erase", "/messages", "/messages/new",
        f"{draft}/edit", f"{draft}/preview", f"{draft}/send", sent, f"{sent}/deliveries",
        "/outbox", mail, f"{mail}/html", f"{mail}?view=text", f"{mail}?view=headers",
        f"{mail}?view=source",
        "/settings", "/settings/members", "/settings/tokens", sign_up, leave, choose,
        "/forgot", "/nothing/here", "/setup/x", "/confirm/x",
    ]  # fmt: skip


def test_no_page_scrolls_sideways_at_any_width(paths: tuple[Page, list[str]]):
    owner, every = paths
    wide = []
    for path in every:
        owner.goto(path)
        for width in (320, 375, 768, 1280):
            owner.set_viewport_size({"width": width, "height": 740})
            if not steps.is_as_wide_as_its_window(owner):
                wide.append((width, path))
    assert wide == []


def test_what_a_finger_hits_is_large_enough(live_site: Instance, pages: Pages):
    """WCAG 2.2, 2.5.8: at least 24 by 24, but for links inside of a sentence."""
    phone = pages(width=375)
    steps.sign_in(phone, *live_site.open_account())
    for path in ("/", "/lists/new", "/messages/new", "/settings", "/settings/tokens"):
        phone.goto(path)
        small = phone.evaluate(
            "[...document.querySelectorAll('.button, .shell-nav a, .tabs a, input, select')]"
            ".filter(it => it.offsetParent && !['checkbox', 'radio'].includes(it.type))"
            ".filter(it => it.getBoundingClientRect().height < 24)"
            ".map(it => it.outerHTML)"
        )
        assert small == [], path
