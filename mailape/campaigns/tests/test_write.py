"""Drafts: made once per form, edited by one at a time, and no text is lost for good."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.campaigns import history, write
from mailape.campaigns.models import EarlierText, Message, Status
from mailape.core import clock
from mailape.core.errors import Conflict, Invalid, NotFound
from tests.house.people import Person


def drafted(alice: Person, body: str = "First words") -> Message:
    return write.create(alice.workspace, alice.user, write.Draft(subject="S", body=body))


def kept(message: Message) -> list[str]:
    return [EarlierText.objects.get(pk=one.pk).body for one in history.earlier(message)]


def test_a_form_sent_twice_makes_one_draft(alice: Person):
    draft = write.Draft(subject="Once", body="Words")
    first = write.create(alice.workspace, alice.user, draft, "k1")
    second = write.create(alice.workspace, alice.user, draft, "k1")
    assert (second.pk, second.version) == (first.pk, 1)
    more = write.create(alice.workspace, alice.user, write.Draft(body="More words"), "k1")
    assert (more.pk, more.body) == (first.pk, "More words")
    assert write.create(alice.workspace, alice.user, draft, "k2").pk != first.pk


def test_a_form_that_comes_again_after_another_edit_is_a_conflict(alice: Person, bob: Person):
    made = write.create(alice.workspace, alice.user, write.Draft(body="One"), "k1")
    write.edit(made, write.Draft(body="Bob’s"), editor=bob.user)
    with pytest.raises(Conflict):
        write.create(alice.workspace, alice.user, write.Draft(body="Mine"), "k1")


def test_an_edit_that_changes_nothing_is_no_conflict_and_no_new_version(alice: Person):
    message = drafted(alice)
    write.edit(message, write.Draft(body="Other words"), version=1)
    same = write.edit(message, write.Draft(body="Other words"), version=1)
    assert same.version == 2
    with pytest.raises(Conflict):
        write.edit(message, write.Draft(body="Mine"), version=1)


def test_the_preview_text_is_one_line_of_at_most_300_characters(alice: Person):
    message = write.edit(drafted(alice), write.Draft(preview_text=" two\nlines "))
    assert message.preview_text == "two lines"
    with pytest.raises(Invalid) as refused:
        write.edit(message, write.Draft(preview_text="x" * 301))
    assert refused.value.field == "preview_text"


def test_quick_edits_by_one_person_keep_one_text_in_five_minutes(alice: Person):
    message = drafted(alice)
    for minute in range(1, 13):
        with clock.moved(timedelta(minutes=minute)):
            write.edit(message, write.Draft(body=f"Words of minute {minute}"), editor=alice.user)
    assert kept(message) == ["Words of minute 9", "Words of minute 4"]


def test_a_new_session_keeps_what_the_last_one_ended_with(alice: Person):
    message = drafted(alice)
    write.edit(message, write.Draft(body="The end of Monday"), editor=alice.user)
    with clock.moved(timedelta(days=1)):
        write.edit(message, write.Draft(body="Tuesday"), editor=alice.user)
    assert kept(message) == ["The end of Monday"]


def test_another_persons_text_is_kept_before_it_is_overwritten(alice: Person, bob: Person):
    message = drafted(alice)
    write.edit(message, write.Draft(body="Bob’s words"), editor=bob.user)
    assert kept(message) == ["First words"]
    assert history.earlier(message)[0].author == alice.user
    assert message.edited_by == bob.user


def test_what_is_deleted_by_a_slip_is_kept(alice: Person):
    message = drafted(alice, "long words " * 100)
    write.edit(message, write.Draft(body=""), editor=alice.user)
    assert kept(message) == ["long words " * 100]


def test_a_changed_list_or_sender_keeps_no_text(alice: Person, bob: Person):
    message = drafted(alice)
    write.edit(message, write.Draft(lists=[]), editor=bob.user)
    assert kept(message) == []


def test_at_most_a_hundred_texts_and_five_megabytes_are_kept(alice: Person, monkeypatch):
    monkeypatch.setattr(history, "MOST", 3)
    message = drafted(alice, "0")
    for number in range(1, 6):
        with clock.moved(timedelta(hours=number)):
            write.edit(message, write.Draft(body=str(number)), editor=alice.user)
    assert kept(message) == ["4", "3", "2"]
    monkeypatch.setattr(history, "MOST_CHARACTERS", 2)
    with clock.moved(timedelta(hours=9)):
        write.edit(message, write.Draft(body="9"), editor=alice.user)
    assert kept(message) == ["5", "4"]


def test_a_refused_edit_keeps_nothing(alice: Person, bob: Person):
    message = drafted(alice)
    Message.objects.filter(pk=message.pk).update(status=Status.QUEUED)
    with pytest.raises(Conflict):
        write.edit(message, write.Draft(body="Too late"), editor=bob.user)
    assert kept(message) == []


def test_a_text_that_was_not_kept_is_not_found(alice: Person):
    for version in (0, 1, 2**40):
        with pytest.raises(NotFound):
            history.one(drafted(alice), version)


def test_a_copy_is_a_draft_of_its_own_and_made_once(alice: Person):
    message = drafted(alice)
    Message.objects.filter(pk=message.pk).update(status=Status.SENT)
    copy = write.copy(message, alice.user, "k1")
    assert (copy.subject, copy.body, copy.status) == ("S", "First words", Status.DRAFT)
    assert write.copy(message, alice.user, "k1").pk == copy.pk


def test_what_was_removed_comes_back(alice: Person):
    message = drafted(alice)
    write.remove(message)
    for _ in range(2):
        write.restore(message)
        assert Message.objects.get(pk=message.pk).archived_at is None
