"""The team: invited by mail, accepted, held to a role; German pages; browsers signed out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]
SECRET = "gravenstein 1669"
ADMIN = ("admin@example.org", "correct horse battery")


def link_out_of_the_outbox(administrator: Page, subject: str, to: str, leads_to: str) -> str:
    """The path of a link in account mail, which lies in the administrator's Outbox only."""
    steps.open_mail(administrator, subject, to)
    return steps.path_of(steps.link_in_mail(administrator, leads_to).get_attribute("href") or "")


def test_who_is_invited_joins_and_keeps_to_her_role(live_site: Instance, pages: Pages):
    owner, nora, administrator = pages(), pages(width=375), pages()
    steps.sign_in(owner, *live_site.open_account())
    email = f"nora{steps.path_of(owner.url).count('/')}-{id(owner)}@example.org"
    owner.goto("/settings/members")
    owner.get_by_role("link", name="Invite somebody").click()
    owner.get_by_label("E-mail address").fill(email)
    owner.get_by_label(re.compile("^Viewer")).check()
    owner.get_by_role("button", name="Send the invitation").click()
    expect(owner.get_by_role("status")).to_contain_text(f"on its way to {email}")
    expect(owner.get_by_role("row").filter(has_text=email)).to_contain_text("Open")

    steps.sign_in(administrator, *ADMIN)
    nora.goto(link_out_of_the_outbox(administrator, "invites you", email, "/invitation/"))
    nora.get_by_label("Your name").fill("Nora")
    nora.get_by_label("Password").fill(SECRET)
    nora.get_by_role("button", name="Make an account and accept").click()
    expect(nora.get_by_role("status")).to_contain_text("Your role here: Viewer")
    assert nora.goto("/lists/new").status == 403  # type: ignore[union-attr]
    assert nora.goto("/lists").status == 200  # type: ignore[union-attr]

    owner.reload()
    owner.get_by_role("link", name=email).click()
    owner.get_by_label(re.compile("^Admin")).check()
    owner.get_by_role("button", name="Save").click()
    expect(owner.get_by_role("row").filter(has_text=email)).to_contain_text("Admin")
    assert nora.goto("/lists/new").status == 200  # type: ignore[union-attr]


def test_the_interface_in_german_and_back(live_site: Instance, page: Page):
    steps.sign_in(page, *live_site.open_account())
    page.goto("/account")
    page.get_by_label("Language").select_option("de")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Dein Konto")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Gespeichert.")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.goto("/lists/new")
    page.get_by_label("Name", exact=True).fill("Obstbrief")
    page.get_by_role("button", name="Liste anlegen").click()
    expect(page.get_by_role("heading", name="Obstbrief")).to_be_visible()
    page.goto("/account")
    page.get_by_label("Sprache").select_option("en")
    page.get_by_role("button", name="Speichern").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_new_password_signs_the_other_browsers_out(live_site: Instance, pages: Pages):
    email, password = live_site.open_account()
    here, there = pages(), pages()
    steps.sign_in(here, email, password)
    steps.sign_in(there, email, password)
    here.goto("/account")
    expect(here.get_by_role("row").filter(has_text="this one")).to_be_visible()
    here.get_by_label("Password now").fill(password)
    here.get_by_label("New password").fill(SECRET)
    here.get_by_role("button", name="Change the password").click()
    expect(here.get_by_role("status")).to_contain_text("Every other session is signed out")
    there.reload()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()
