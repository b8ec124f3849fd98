"""Saving while one types, the live preview, earlier texts, tests, copies, the index's filters."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.campaigns import pictures, write
from mailape.campaigns.models import EarlierText, Message, Status
from mailape.core import clock
from mailape.delivery.models import State, SubscriberMessage
from mailape.lists import manage
from mailape.lists import people as readers
from mailape.web.tests import worlds
from mailape.web.tests.test_messages import path, written
from mailape.web.tests.worlds import World
from mailape.web.views import trials
from tests.house import people
from tests.house.people import Person

NEW = "/messages/new/autosave"


# --- merge tags -----------------------------------------------------------------------------------


def test_the_fields_that_readers_have_are_offered_as_merge_tags(world: World):
    readers.change(world.person, fields={"town": "Bonn"})
    for url in ("/messages/new", path(world.draft, "/edit")):
        shown = world.owner.client().get(url).content.decode()
        assert 'data-tag="subscriber.fields.town"' in shown
        assert '{{ subscriber.fields.town | default: "" }}' in shown  # where no script runs


def test_without_fields_nothing_is_said_of_them(world: World):
    assert (
        "Fields of your readers" not in world.owner.client().get("/messages/new").content.decode()
    )


# --- saving while one types -----------------------------------------------------------------------


def test_the_first_save_makes_a_draft_and_the_same_form_never_a_second(world: World):
    browser = world.owner.client()
    typed = written(world, version="", key="k1")
    first = browser.post(NEW, typed).json()
    assert first["version"] == 1
    assert first["url"] == f"/messages/{first['id']}/edit"
    again = browser.post(NEW, typed | {"body": "Hello again\n", "version": "1"}).json()
    assert (again["id"], again["version"]) == (first["id"], 2)
    assert (
        browser.post("/messages/new", typed | {"body": "x", "version": "2"})["Location"]
        == (first["url"])
    )
    assert Message.objects.filter(draft_key="k1").count() == 1


def test_a_save_says_its_version_and_time_and_a_repeated_one_changes_nothing(world: World):
    browser, url = world.owner.client(), path(world.draft, "/autosave")
    said = browser.post(url, written(world)).json()
    assert (said["version"], said["status"]) == (2, "draft")
    assert said["at"].startswith(clock.now().date().isoformat())
    # The answer was lost, and the page asks again with the version that it knows.
    assert browser.post(url, written(world)).json()["version"] == 2


def test_two_at_once_are_a_conflict_with_the_other_text(world: World, bob: Person):
    url = path(world.draft, "/autosave")
    bob.client().post(url, written(world, body="Bob’s words"))
    refused = world.owner.client().post(url, written(world, body="My words"))
    said = refused.json()
    assert refused.status_code == 409
    assert said["theirs"]["body"] == "Bob’s words"
    assert (said["version"], said["by"], said["status"]) == (2, "Bob", "draft")
    world.draft.refresh_from_db()
    assert world.draft.body == "Bob’s words"


def test_who_writes_over_another_text_leaves_it_among_the_earlier_ones(world: World, bob: Person):
    url = path(world.draft, "/autosave")
    bob.client().post(url, written(world, body="Bob’s words"))
    mine = written(world, body="My words", version="2", over="1")
    assert world.owner.client().post(url, mine).status_code == 200
    kept = EarlierText.objects.filter(message=world.draft).values_list("body", flat=True)
    assert "Bob’s words" in kept


def test_both_texts_are_put_together(world: World):
    write.edit(world.draft, write.Draft(body="their one\ntwo\nthree"))
    typed = {"base": "one\ntwo\nthree", "body": "one\r\ntwo\r\nmy three"}
    said = world.owner.client().post(path(world.draft, "/together"), typed).json()
    assert said == {"body": "their one\ntwo\nmy three", "clean": True}


@pytest.mark.parametrize(
    ("more", "field"), [({"subject": "x" * 301}, "subject"), ({"lists": ["x"]}, "")]
)
def test_what_cannot_be_saved_is_said_in_a_sentence(world: World, more, field: str):
    refused = world.owner.client().post(path(world.draft, "/autosave"), written(world) | more)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    assert refused.json()["fault"].endswith(".")


def test_a_message_that_left_the_drafts_says_so_and_keeps_its_text(world: World):
    Message.objects.filter(pk=world.draft.pk).update(status=Status.QUEUED)
    refused = world.owner.client().post(path(world.draft, "/autosave"), written(world))
    assert (refused.status_code, refused.json()["status"]) == (409, "queued")


def test_saving_takes_a_fixed_number_of_queries(world: World):
    browser = world.owner.client()
    url = path(world.draft, "/autosave")
    browser.post(url, written(world))
    with CaptureQueriesContext(connection) as seen:
        browser.post(url, written(world, version="2", body="More\n"))
    assert len(seen) <= 16, [one["sql"][:90] for one in seen]


# --- the live preview -----------------------------------------------------------------------------


def test_what_is_typed_is_rendered_and_saved_nowhere(world: World):
    typed = written(world, body="Hello {{ subscriber.first_name }}", preview_text="All ripe")
    said = world.owner.client().post("/messages/new/live", typed).json()
    assert (said["subject"], said["snippet"], said["problems"]) == ("Pears", "All ripe", [])
    assert said["text"].startswith("Hello Ann")
    assert Message.objects.filter(subject="Pears").count() == 0


def test_an_inbox_shows_the_first_words_without_the_marks_of_a_list(world: World):
    typed = written(world, body="Ripe now:\n\n- pears\n- plums\n\n> So she said - at last.\n")
    said = world.owner.client().post("/messages/new/live", typed).json()
    assert said["snippet"] == "Ripe now: pears plums So she said - at last."


def test_it_is_shown_as_a_reader_of_this_workspace_and_of_no_other(world: World, charlie: Person):
    other = manage.create(charlie.workspace, "Theirs")
    worlds.on_list(other, "zoe@example.org", "Zoe Secret")
    worlds.on_list(world.list, "ida@example.org", "Ida Holm")
    browser, typed = world.owner.client(), written(world, body="Hi {{ subscriber.name }}")
    for reader, name in (("ida@example.org", "Ida Holm"), ("zoe@example.org", "Ann Example")):
        said = browser.post("/messages/new/live", typed | {"reader": reader}).json()
        assert said["text"].startswith(f"Hi {name}")
    found = browser.get("/messages/readers?q=ID").json()["results"]
    assert found == [{"email": "ida@example.org", "name": "Ida Holm"}]
    for q in ("zoe", "%00", "", "\x7f"):
        assert browser.get("/messages/readers", {"q": q}).json()["results"] == []


def test_a_slip_names_its_line_and_leaves_nothing_to_show(world: World):
    said = (
        world.owner.client()
        .post("/messages/new/live", written(world, body="a\nb {{ subscriber.name"))
        .json()
    )
    assert said["size"] == 0
    assert (said["problems"][0]["line"], said["problems"][0]["blocks"]) == (2, True)


@pytest.mark.parametrize("more", [{"lists": ["x"]}, {"sender": "x"}, {"subject": "x" * 400}])
def test_what_cannot_be_saved_can_still_be_looked_at(world: World, more):
    answer = world.owner.client().post("/messages/new/live", written(world) | more)
    assert answer.status_code == 200


def test_the_mail_is_framed_in_the_light_that_is_asked_for(world: World):
    typed = written(world, body="# One\n\ntwo", line="3")
    dark = world.owner.client().post("/messages/new/live/html", typed | {"scheme": "dark"})
    assert dark["Content-Security-Policy"].startswith("sandbox allow-popups ")
    html = dark.content.decode()
    assert "prefers-color-scheme" not in html
    assert "@media (min-width: 0)" in html
    assert '<p id="here"' in html
    light = world.owner.client().post("/messages/new/live/html", typed | {"scheme": "light"})
    assert "@media (max-width: 0)" in light.content.decode()


# --- earlier texts --------------------------------------------------------------------------------


def test_an_earlier_text_is_compared_and_brought_back_and_the_one_before_is_kept(world: World):
    browser = world.owner.client()
    with clock.moved(timedelta(minutes=10)):
        write.edit(world.draft, write.Draft(body="New words"), editor=world.owner.user)
        html = browser.get(path(world.draft, "/history/1")).content.decode()
        assert '<del class="line gone">Apples</del>' in html
        assert '<ins class="line new">New words</ins>' in html
        back = browser.post(path(world.draft, "/history/1/restore"))
    assert back["Location"] == path(world.draft, "/edit")
    world.draft.refresh_from_db()
    assert world.draft.body == "Apples\n"
    kept = EarlierText.objects.filter(message=world.draft).values_list("body", flat=True)
    assert "New words" in kept


def test_a_text_is_brought_back_into_a_draft_only(world: World):
    Message.objects.filter(pk=world.draft.pk).update(status=Status.SENT)
    assert world.owner.client().post(path(world.draft, "/history/7/restore")).status_code == 409


# --- tests ----------------------------------------------------------------------------------------


def test_a_test_goes_to_typed_addresses_and_its_outcome_is_shown(world: World):
    browser, url = world.owner.client(), path(world.draft, "/test")
    browser.post(url, {"to": "a@example.org, b@example.org; a@example.org"})
    sent = SubscriberMessage.objects.filter(message__kind="test")
    assert sorted(sent.values_list("to_address", flat=True)) == ["a@example.org", "b@example.org"]
    shown = browser.get(path(world.draft, "/tests"))
    assert shown["X-Live"] == "on"
    sent.update(state=State.SENT, sent_at=clock.now(), answer="250 2.0.0 taken")
    shown = browser.get(path(world.draft, "/tests"))
    assert shown["X-Live"] == "over"
    assert "250 2.0.0 taken" in shown.content.decode()
    # Nobody else asked for them.
    other = people.join(world.owner, "ed", "editor").client()
    assert "a@example.org" not in other.get(path(world.draft, "/tests")).content.decode()


@pytest.mark.parametrize("to", ["no address", ",".join(f"x{n}@example.org" for n in range(6))])
def test_a_test_to_what_is_no_address_or_to_too_many_sends_nothing(world: World, to: str):
    refused = world.owner.client().post(
        path(world.draft, "/test"), {"to": to}, headers={"X-Part": "trials"}
    )
    assert refused.status_code == 400
    assert "note bad" in refused.content.decode()
    assert not SubscriberMessage.objects.filter(message__kind="test").exists()


def test_nobody_sends_tests_without_end(world: World, monkeypatch):
    monkeypatch.setattr(trials, "RATE", trials.limits.Rate(2, 3600))
    statuses = [world.owner.client().post(path(world.draft, "/test")).status_code for _ in "abc"]
    assert statuses == [302, 302, 429]


# --- the index ------------------------------------------------------------------------------------


def named(world: World, query: str) -> list[str]:
    page = world.owner.client().get(f"/messages{query}")
    return [one.subject for one in page.context["page"].rows]


def test_messages_are_found_by_state_and_subject(world: World):
    def made(subject: str, status: Status, **more: object) -> None:
        draft = write.create(world.owner.workspace, None, write.Draft(subject=subject))
        Message.objects.filter(pk=draft.pk).update(status=status, **more)

    soon = clock.now() + timedelta(days=1)
    made("Later", Status.QUEUED, not_before=soon, zone="Europe/Berlin")
    made("In ten seconds", Status.QUEUED, not_before=soon)
    made("Paused", Status.PAUSED)
    made("Broken", Status.FAILED)
    made("Äpfel im Winter", Status.SENT)
    assert named(world, "?status=scheduled") == ["Later"]
    assert named(world, "?status=sending") == ["Paused", "In ten seconds"]
    assert named(world, "?status=failed") == ["Broken"]
    assert named(world, "?status=draft") == ["Apples"]
    assert named(world, "?status=sent&q=äpfel") == ["Äpfel im Winter"]
    assert named(world, "?q=LATER") == ["Later"]
    assert named(world, "?q=nothing") == []
    assert "No message like that" in world.owner.client().get("/messages?q=zz").content.decode()


def test_a_removed_draft_comes_back_and_twice_is_harmless(world: World):
    browser = world.owner.client()
    browser.post(path(world.draft, "/remove"))
    for _ in range(2):
        assert browser.post(path(world.draft, "/restore"))["Location"] == path(world.draft)
    assert "Apples" in named(world, "?status=draft")


def test_a_copy_is_made_once_by_one_button(world: World):
    browser = world.owner.client()
    first = browser.post(path(world.sent, "/copy"), {"key": "b1"})
    assert browser.post(path(world.sent, "/copy"), {"key": "b1"})["Location"] == first["Location"]
    assert browser.post(path(world.sent, "/copy"), {"key": "b2"})["Location"] != first["Location"]
    copy = Message.objects.order_by("pk").filter(subject="Apples", status=Status.DRAFT)[1]
    assert (copy.body, copy.audience) == ("Hello\n", {"lists": [world.list.pk]})


@pytest.mark.parametrize("url", ["/messages", "/messages/new", "/images", "edit", "history"])
def test_a_page_asks_as_often_for_many_rows_as_for_few(world: World, url: str):
    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert world.owner.client().get(where).status_code == 200
        return len(seen)

    where = url if url.startswith("/") else path(world.draft, f"/{url}")
    few = asked()
    for number in range(8):
        which = manage.create(world.owner.workspace, f"List {number}")
        write.create(world.owner.workspace, None, write.Draft(subject="S", lists=[which]))
        with clock.moved(timedelta(minutes=6 * number + 6)):
            write.edit(world.draft, write.Draft(body=f"Text {number}"), editor=world.owner.user)
        pictures.add(world.owner.workspace, None, worlds.PNG, str(number))
    assert asked() == few
