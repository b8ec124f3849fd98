"""A list's own words: what may stand in them, how they look, and the way back."""

from __future__ import annotations

import pytest

from mailape.core.errors import Invalid
from mailape.delivery import build, preview, sources
from mailape.delivery.models import SubscriberMessage
from mailape.lists import wording
from mailape.lists.models import MailingList
from mailape.lists.subscribe import sign_up
from mailape.web.tests.worlds import FORM, World
from tests.house.people import Person

EMPTY = {"language": "", "welcomes": "", **dict.fromkeys(wording.LONGEST, "")}
BODY = "Moin! [Ja, ich will]({{ confirm_url }})"


def path(world: World) -> str:
    return f"/lists/{world.list.public_id}/wording"


def test_own_words_are_in_the_mail_that_goes_out(world: World):
    given = {**EMPTY, "confirmation_subject": "Noch ein Klick", "confirmation_body": BODY}
    assert world.owner.client().post(path(world), given)["Location"] == path(world)
    which = MailingList.objects.get(pk=world.list.pk)
    sign_up(which, "nora@example.org", "Nora", FORM)
    build.confirmations()
    made = SubscriberMessage.objects.get(to_address="nora@example.org")
    compiled = made.message.revision.compiled
    assert compiled["subject"] == "Noch ein Klick"
    assert "Moin!" in compiled["html"]
    assert "confirm_url" in compiled["html"]


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("confirmation_body", "No link at all", "Put the link in"),
        ("confirmation_body", "{{ confirm_url }} {{ subscriber.name }}", "nothing of the"),
        ("confirmation_subject", "Hello {{ subscriber.name }}", "nothing of the"),
        ("confirmation_body", "{{ confirm_url }} {% if %}", ""),
        ("confirmation_subject", "{{ broken", ""),
        ("confirmation_body", "{{ confirm_url }}" + "x" * 10_000, "At most 10000"),
        ("welcome_body", "{{ subscriber.name }} {% if %}", ""),
        ("welcome_subject", "{{ broken", ""),
        ("welcome_body", "x" * 10_001, "At most 10000"),
        ("thanks", "x" * 2001, "At most 2000"),
        ("language", "xx", "Choose one of the languages"),
    ],
)
def test_what_could_not_be_sent_is_said_at_its_field_and_kept(
    world: World, field: str, text: str, said: str
):
    refused = world.owner.client().post(path(world), {**EMPTY, field: text})
    assert refused.status_code == 400
    html = refused.content.decode()
    assert f'id="{field}-fault"' in html
    assert said in html
    assert MailingList.objects.get(pk=world.list.pk).wording == {}


def test_an_empty_field_and_the_button_bring_the_standard_text_back(world: World):
    browser = world.owner.client()
    given = {**EMPTY, "thanks": "Thank you!", "goodbye": "Bye!"}
    browser.post(path(world), given)
    browser.post(path(world), {**given, "standard": "thanks"})
    assert MailingList.objects.get(pk=world.list.pk).wording == {"goodbye": "Bye!"}
    browser.post(path(world), EMPTY)
    assert MailingList.objects.get(pk=world.list.pk).wording == {}


def test_the_pages_are_shown_as_readers_see_them(world: World):
    browser = world.owner.client()
    browser.post(path(world), {**EMPTY, "thanks": "Thank you!\n\nSoon.", "goodbye": "Bye!"})
    assert "<p>Thank you!</p>" in browser.get(f"{path(world)}/confirmed").content.decode()
    goodbye = browser.get(f"{path(world)}/goodbye").content.decode()
    assert "Bye!" in goodbye
    assert "<form" not in goodbye
    assert browser.get(f"{path(world)}/other").status_code == 404


def test_the_welcome_mail_is_off_until_somebody_switches_it_on(world: World):
    browser = world.owner.client()
    assert not MailingList.objects.get(pk=world.list.pk).welcomes
    given = {**EMPTY, "welcomes": "yes", "welcome_body": "Moin {{ subscriber.name }}!"}
    assert browser.post(path(world), given)["Location"] == path(world)
    assert MailingList.objects.get(pk=world.list.pk).welcomes
    assert 'name="welcomes" value="yes" checked' in browser.get(path(world)).content.decode()
    assert "Moin Ann Example!" in browser.get(f"{path(world)}/welcome").content.decode()
    browser.post(path(world), EMPTY)
    which = MailingList.objects.get(pk=world.list.pk)
    assert (which.welcomes, which.wording) == (False, {})


@pytest.mark.parametrize(
    ("language", "word"), [("en", "Welcome"), ("de", "Willkommen"), ("fr", "Bien"), ("es", "Te da")]
)
def test_the_standard_welcome_is_in_the_lists_language(alice: Person, language: str, word: str):
    which = MailingList.objects.create(workspace=alice.workspace, name="Birnen")
    wording.set_language(which, language)
    shown = preview.welcome(which)
    assert shown.subject.startswith(word)
    assert "Ann" in shown.text


@pytest.mark.parametrize(
    ("language", "word"), [("de", "Bitte bestätige"), ("fr", "Merci de"), ("es", "Confirma")]
)
def test_the_standard_mail_is_in_the_lists_language(alice: Person, language: str, word: str):
    which = MailingList.objects.create(workspace=alice.workspace, name="Birnen")
    wording.set_language(which, language)
    shown = preview.confirmation(which)
    assert shown.subject.startswith(word)
    assert f'lang="{language}"' in shown.html


def test_a_list_without_a_language_speaks_its_workspaces(alice: Person):
    alice.workspace.language = "de"
    which = MailingList.objects.create(workspace=alice.workspace, name="Birnen")
    assert wording.language(which) == "de"
    assert sources.confirmation(which).subject.startswith("Bitte")


def test_the_footer_of_a_newsletter_is_in_the_lists_language(world: World):
    wording.set_language(world.list, "de")
    assert "Abmelden" in preview.of(world.draft).html
    assert 'lang="de"' in preview.of(world.draft).html


def test_words_that_cannot_be_compiled_any_more_hold_nobody_up(world: World):
    """Somebody wrote past the check, or the compiler learned to refuse something."""
    MailingList.objects.filter(pk=world.list.pk).update(
        wording={"confirmation_body": "{{ confirm_url }} {% if %}"}
    )
    sign_up(MailingList.objects.get(pk=world.list.pk), "nora@example.org", "Nora", FORM)
    assert build.confirmations() == 1
    made = SubscriberMessage.objects.get(to_address="nora@example.org")
    assert made.message.revision.compiled["subject"].startswith("Please confirm")


def test_a_subject_stays_one_line(alice: Person):
    which = MailingList.objects.create(workspace=alice.workspace, name="Birnen")
    wording.change(which, {"confirmation_subject": "Hi\r\nBcc: eve@example.org"})
    assert wording.text(which, "confirmation_subject") == "Hi Bcc: eve@example.org"
    with pytest.raises(Invalid):
        wording.change(which, {"confirmation_body": "{{subscriber.email}} {{confirm_url}}"})
