"""Signing up, confirming, leaving, and the owner's forms, with JavaScript off."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

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
