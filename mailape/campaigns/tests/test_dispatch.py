"""Drafts and dispatch: each deed once, nothing overwritten, nothing sent that nobody meant."""

import threading

import pytest
from django.db import connection

from mailape.accounts.models import Workspace
from mailape.campaigns import access, dispatch, write
from mailape.campaigns.models import Message
from mailape.campaigns.write import Draft
from mailape.core.errors import Conflict, Invalid, NotFound
from mailape.lists import manage, subscribe
from mailape.lists.models import Method
from mailape.lists.subscribe import Origin


@pytest.fixture
def draft(db: None) -> Message:
    return a_draft()


def a_draft() -> Message:
    workspace = Workspace.objects.create(name="Orchard")
    letter = manage.create(workspace, "Letter")
    other = manage.create(workspace, "Other")
    for each in (letter, other):
        subscribe.add(each, "ann@example.org", "", Origin(Method.OWNER), confirmed=True)
    subscribe.add(other, "bea@example.org", "", Origin(Method.OWNER), confirmed=True)
    subscribe.add(other, "cleo@example.org", "", Origin(Method.OWNER))
    return write.create(
        workspace, None, Draft(lists=[letter, other], subject="Apples", body="They are ripe.")
    )


def test_sending_freezes_who_and_how_many(draft):
    dispatch.send(draft)
    frozen = draft.audience_frozen
    assert draft.status == "queued"
    assert frozen is not None
    assert (frozen["names"], frozen["people"]) == (["Letter", "Other"], 2)


@pytest.mark.parametrize(("field", "value"), [("subject", " \n "), ("body", "  "), ("lists", [])])
def test_an_unfinished_message_is_not_sent(draft, field, value):
    write.edit(draft, Draft(**{field: value}))
    with pytest.raises(Invalid):
        dispatch.send(draft)
    assert draft.status == "draft"


def test_a_message_to_archived_lists_only_is_not_sent(draft):
    for key in draft.audience["lists"]:
        manage.archive(manage.MailingList.objects.get(pk=key))
    with pytest.raises(Invalid):
        dispatch.send(draft)


def test_sending_twice_is_a_conflict(draft):
    dispatch.send(draft)
    with pytest.raises(Conflict):
        dispatch.send(draft)


def test_a_text_that_changed_since_it_was_looked_at_is_not_sent(draft):
    seen = draft.version
    write.edit(draft, Draft(subject="Pears"))
    with pytest.raises(Conflict):
        dispatch.send(draft, version=seen)


def test_two_tabs_do_not_overwrite_each_other(draft):
    seen = draft.version
    write.edit(draft, Draft(subject="Pears"), version=seen)
    with pytest.raises(Conflict):
        write.edit(draft, Draft(subject="Plums"), version=seen)
    draft.refresh_from_db()
    assert draft.subject == "Pears"


def test_what_is_sent_cannot_be_edited_or_removed(draft):
    dispatch.send(draft)
    with pytest.raises(Conflict):
        write.edit(draft, Draft(subject="Pears"))
    with pytest.raises(Conflict):
        write.remove(draft)


def test_pause_resume_and_cancel_know_when_it_is_too_late(draft):
    with pytest.raises(Conflict):
        dispatch.pause(draft)
    dispatch.send(draft)
    dispatch.pause(draft)
    assert (draft.status, draft.reason) == ("paused", dispatch.BY_A_PERSON)
    with pytest.raises(Conflict):
        dispatch.pause(draft)
    dispatch.resume(draft)
    assert (draft.status, draft.reason) == ("queued", "")
    dispatch.cancel(draft)
    for deed in (dispatch.pause, dispatch.resume, dispatch.cancel):
        with pytest.raises(Conflict):
            deed(draft)


def test_a_removed_draft_is_out_of_sight_and_cannot_be_sent(draft):
    write.remove(draft)
    with pytest.raises(NotFound):
        access.newsletter(draft.workspace, draft.public_id)
    with pytest.raises(Conflict):
        dispatch.send(draft)


def test_another_workspace_s_message_is_not_found(draft):
    with pytest.raises(NotFound):
        access.newsletter(Workspace.objects.create(name="Other"), draft.public_id)


def test_line_ends_in_a_subject_become_blanks(draft):
    write.edit(draft, Draft(subject="Apples\r\nBcc: eve@example.org\x00"))
    assert draft.subject == "Apples Bcc: eve@example.org"


@pytest.mark.parametrize(
    "wrong", [Draft(subject="x" * 301), Draft(body="x" * 1_000_001), Draft(body="a\x00b"),
              Draft(format="word")]
)  # fmt: skip
def test_what_cannot_be_used_is_refused_and_nothing_changes(draft, wrong):
    with pytest.raises(Invalid):
        write.edit(draft, wrong)
    draft.refresh_from_db()
    assert (draft.subject, draft.body, draft.version) == ("Apples", "They are ripe.", 1)


@pytest.mark.django_db(transaction=True)
def test_fifty_clicks_on_send_send_once():
    message, sent, refused = a_draft(), [], []

    def click() -> None:
        try:
            sent.append(dispatch.send(Message.objects.get(pk=message.pk)))
        except Conflict as fault:
            refused.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(sent), len(refused)) == (1, 49)
