"""The whole way in German: signing in, the five steps, writing, sending, the readers' pages. No
page on it has an English sentence."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests import english
from tests.house.browser import Pages
from tests.house.instances import Instance
from tests.journeys import steps

pytestmark = [pytest.mark.journey, pytest.mark.once]


def all_in(page: Page, language: str) -> None:
    """Nothing on the page as it stands now is English; what scripts put there included."""
    found = english.left(steps.content(page), language)
    assert found == [], f"{page.url}: {found}"


def all_german(page: Page) -> None:
    all_in(page, "de")


def go(page: Page, role: str, name: str) -> None:
    """Clicks what has that name, and reads the page that comes."""
    page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]
    page.wait_for_load_state()
    all_german(page)


def test_from_signing_in_to_a_goodbye_in_german(live_site: Instance, pages: Pages):
    owner, reader = pages(locale="de-DE"), pages(locale="de-AT", width=375)
    _sign_in(owner, *live_site.open_account())
    path = _list(owner)
    _reader(owner, reader, path)
    _write(owner)
    _send(owner)
    _leave(owner, reader)


def _sign_in(owner: Page, email: str, password: str) -> None:
    owner.goto("/sign-in")
    owner.get_by_label("E-Mail-Adresse").fill(email)
    owner.get_by_label("Passwort").fill("falsch")
    go(owner, "button", "Anmelden")
    owner.get_by_label("Passwort").fill(password)
    go(owner, "button", "Anmelden")
    expect(owner.get_by_role("heading", name="Fünf Schritte")).to_be_visible()


def _list(owner: Page) -> str:
    go(owner, "link", "Liste anlegen")
    owner.get_by_label("Name", exact=True).fill("Obstbrief")
    go(owner, "button", "Liste anlegen")
    return steps.path_of(owner.get_by_label("Adresse der Anmeldeseite").input_value())


def _reader(owner: Page, reader: Page, path: str) -> None:
    reader.goto(path)
    reader.get_by_label("E-Mail-Adresse").fill("ida@example.org")
    go(reader, "button", "Abonnieren")
    expect(reader.get_by_role("heading", name="Sieh in dein Postfach")).to_be_visible()
    steps.open_mail(owner, "Obstbrief", "ida@example.org")
    all_german(owner)
    link = steps.link_in_mail(owner, "/confirm/").get_attribute("href") or ""
    reader.goto(steps.path_of(link))
    go(reader, "button", "Ja, melde mich an")
    expect(reader.get_by_role("heading", name="Du bist auf der Liste")).to_be_visible()


def _write(owner: Page) -> None:
    owner.goto("/")
    all_german(owner)
    go(owner, "link", "Schreiben")
    owner.get_by_label("Betreff", exact=True).fill("Endlich Birnen")
    owner.get_by_label("Text", exact=True).fill("Guten Tag ")
    owner.get_by_label("Text", exact=True).press("Control+End")
    owner.locator(".tag-menu summary").click()
    all_german(owner)
    owner.get_by_role("button", name="Vorname").click()
    expect(owner.locator("#saved[data-state=saved]")).to_contain_text("Gespeichert")
    frame = owner.frame_locator("#frames iframe:not(.next)")
    expect(frame.get_by_text("Guten Tag")).to_be_visible()
    all_german(owner)


def _send(owner: Page) -> None:
    go(owner, "button", "Prüfen und senden")
    expect(owner.get_by_role("heading", name="Wer sie bekommt")).to_be_visible()
    owner.get_by_role("button", name=re.compile("^An 1 Person auf Obstbrief senden")).click()
    expect(owner.locator(".state").first).to_have_text("Gesendet", timeout=40_000)
    all_german(owner)
    go(owner, "link", "Zustellungen")
    owner.get_by_role("link", name="ida@example.org").click()
    expect(owner.get_by_role("heading", name="ida@example.org")).to_be_visible()
    all_german(owner)
    owner.goto("/")
    all_german(owner)
    owner.keyboard.press("Control+k")
    owner.keyboard.type("endl")
    expect(owner.locator("#palette a", has_text="Endlich Birnen")).to_be_visible()
    all_german(owner)


def _leave(owner: Page, reader: Page) -> None:
    steps.open_mail(owner, "Endlich Birnen", "ida@example.org")
    leave = steps.link_in_mail(owner, "/u/").get_attribute("href") or ""
    choose = steps.link_in_mail(owner, "/p/").get_attribute("href") or ""
    reader.goto(steps.path_of(choose))
    all_german(reader)
    reader.goto(steps.path_of(leave))
    go(reader, "button", "Abmelden")
    expect(reader.get_by_role("heading", name="Auf Wiedersehen")).to_be_visible()


def test_a_reader_signs_up_and_confirms_in_her_own_language(live_site: Instance, pages: Pages):
    owner, reader = pages(), pages(locale="fr-FR", width=375)
    steps.sign_in(owner, *live_site.open_account())
    reader.goto(steps.make_list(owner, "Lettre du verger"))
    all_in(reader, "fr")
    reader.get_by_label("Adresse e-mail").fill("vera@example.org")
    reader.get_by_role("button", name="S’inscrire").click()
    expect(reader.get_by_role("heading", name="Regardez dans votre boîte")).to_be_visible()
    all_in(reader, "fr")
    assert steps.is_as_wide_as_its_window(reader)
    steps.open_mail(owner, "Lettre du verger", "vera@example.org")
    link = steps.link_in_mail(owner, "/confirm/").get_attribute("href") or ""
    reader.goto(steps.path_of(link))
    reader.get_by_role("button", name="Oui, je m’inscris").click()
    expect(reader.get_by_role("heading", name="Vous êtes sur la liste")).to_be_visible()
    all_in(reader, "fr")
