"""Writing, looking, sending, watching."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.delivery.models import DeliveryBatch, OutboxMail, SubscriberMessage
from mailape.lists import manage
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person


def path(message: Message, more: str = "") -> str:
    return f"/messages/{message.public_id}{more}"


def written(world: World, **more: str) -> dict[str, object]:
    given = {"subject": "Pears", "body": "Hello\n", "format": "markdown", "version": "1"}
    return {**given, "lists": [world.list.public_id], **more}


# --- writing --------------------------------------------------------------------------------------


def test_the_first_save_makes_a_draft_and_goes_on_writing(world: World):
    made = world.owner.client().post("/messages/new", written(world))
    draft = Message.objects.order_by("-pk")[0]
    assert made["Location"] == path(draft, "/edit")
    assert (draft.subject, draft.body, draft.status) == ("Pears", "Hello\n", "draft")
    assert draft.audience == {"lists": [world.list.pk]}
    assert draft.author == world.owner.user


@pytest.mark.parametrize(("then", "leads"), [("preview", "/preview"), ("send", "/send")])
def test_a_save_can_lead_on(world: World, then: str, leads: str):
    saved = world.owner.client().post(path(world.draft, "/edit"), written(world, then=then))
    assert saved["Location"] == path(world.draft, leads)


def test_an_empty_draft_may_be_saved(world: World):
    assert world.owner.client().post("/messages/new", {}).status_code == 302


def test_two_at_once_lose_nothing_and_both_texts_are_shown(world: World, bob: Person):
    mine, theirs = written(world, body="My words"), written(world, body="Their words")
    url = path(world.draft, "/edit")
    bob.client().post(url, theirs)
    conflict = world.owner.client().post(url, mine)
    html = conflict.content.decode()
    assert conflict.status_code == 409
    assert "My words" in html
    assert "Their words" in html
    world.draft.refresh_from_db()
    assert world.draft.body == "Their words"
    assert 'name="version" value="2"' in html
    world.owner.client().post(url, {**mine, "version": "2"})
    world.draft.refresh_from_db()
    assert world.draft.body == "My words"


def test_a_message_that_left_the_drafts_keeps_what_was_typed(world: World):
    Message.objects.filter(pk=world.draft.pk).update(status=Status.QUEUED)
    response = world.owner.client().post(path(world.draft, "/edit"), written(world))
    assert response["Location"] == path(world.draft)
    world.draft.refresh_from_db()
    assert world.draft.subject == "Apples"


def test_a_body_that_will_not_do_is_refused_and_kept(world: World):
    refused = world.owner.client().post(
        path(world.draft, "/edit"), written(world, subject="x" * 301, body="Long words")
    )
    assert refused.status_code == 400
    assert 'id="subject-fault"' in refused.content.decode()
    assert "Long words" in refused.content.decode()


def test_another_workspaces_list_or_sender_cannot_be_chosen(world: World, charlie: Person):
    foreign = manage.create(charlie.workspace, "Charlie’s")
    theirs = charlie.workspace.senders.get().public_id
    for more in ({"lists": [foreign.public_id]}, {"sender": theirs}):
        refused = world.owner.client().post(path(world.draft, "/edit"), written(world) | more)
        assert refused.status_code == 400
    world.draft.refresh_from_db()
    assert world.draft.audience == {"lists": [world.list.pk]}
    assert world.draft.sender is None


def test_fields_that_are_not_on_the_form_are_left_alone(world: World):
    more = {"status": "sent", "workspace": "2", "kind": "account", "version": "1", "reason": "x"}
    world.owner.client().post(path(world.draft, "/edit"), written(world) | more)
    world.draft.refresh_from_db()
    assert (world.draft.status, world.draft.kind, world.draft.reason) == ("draft", "newsletter", "")


def test_blanks_and_line_ends_of_the_text_are_kept(world: World):
    body = "\n    code\r\n\r\nlast  \n"
    world.owner.client().post(path(world.draft, "/edit"), written(world, body=body))
    world.draft.refresh_from_db()
    assert world.draft.body == "\n    code\n\nlast  \n"
    html = world.owner.client().get(path(world.draft, "/edit")).content.decode()
    assert ">\n\n    code\n\nlast  \n</textarea>" in html


def test_removing_a_draft_twice_is_harmless(world: World):
    browser = world.owner.client()
    assert browser.post(path(world.draft, "/remove"))["Location"] == "/messages"
    assert browser.post(path(world.draft, "/remove")).status_code == 404
    html = browser.get("/messages").content.decode()
    assert f'href="{path(world.draft)}"' not in html
    assert f'action="{path(world.draft, "/restore")}"' in html


# --- looking --------------------------------------------------------------------------------------


def test_the_preview_frames_the_mail_and_shows_its_text(world: World):
    html = world.owner.client().get(path(world.draft, "/preview")).content.decode()
    assert f'src="{path(world.draft, "/preview/html")}?scheme=light"' in html
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in html
    text = world.owner.client().get(path(world.draft, "/preview?view=text")).content.decode()
    assert 'aria-label="As text">Apples' in text


def test_the_mails_html_is_sandboxed(world: World):
    world.owner.client().post(
        path(world.draft, "/edit"),
        written(world, body="<p>Hi</p><script>alert(1)</script>", format="html"),
    )
    page = world.owner.client().get(path(world.draft, "/preview/html"))
    policy = page["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox;")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert b"<script" not in page.content
    assert b'<base target="_blank">' in page.content


def test_a_broken_merge_tag_is_shown_and_stops_the_sending_page(world: World):
    url = path(world.draft, "/edit")
    world.owner.client().post(url, written(world, body="Hello {{ subscriber.name"))
    assert "note bad" in world.owner.client().get(path(world.draft, "/preview")).content.decode()
    send = world.owner.client().get(path(world.draft, "/send")).content.decode()
    assert "note bad" in send
    assert "Send to" not in send


def test_a_test_goes_to_whoever_asks_and_to_nobody_else(world: World, bob: Person):
    sent = bob.client().post(path(world.draft, "/test"), follow=True)
    assert "A test is on its way to bob@example.org" in sent.content.decode()
    queued = SubscriberMessage.objects.get(message__kind="test")
    assert queued.to_address == "bob@example.org"


# --- sending --------------------------------------------------------------------------------------


def test_the_last_look_names_who_how_many_from_whom_and_what_is_missing(world: World):
    worlds.on_list(world.list, "ida@example.org")
    html = world.owner.client().get(path(world.draft, "/send")).content.decode()
    assert "Send to 2 people on Apples" in html
    assert "Alice &lt;alice@example.org&gt;" in html
    assert "There is no postal address" in html
    world.draft.audience = {"lists": []}
    world.draft.subject = ""
    world.draft.save()
    html = world.owner.client().get(path(world.draft, "/send")).content.decode()
    assert "No list to send to is chosen." in html
    assert "There is no subject." in html
    assert "Send to" not in html


def test_who_is_on_two_lists_is_counted_once(world: World):
    second = manage.create(world.owner.workspace, "Second")
    worlds.on_list(second, world.person.email)
    world.draft.audience = {"lists": [world.list.pk, second.pk]}
    world.draft.save()
    html = world.owner.client().get(path(world.draft, "/send")).content.decode()
    assert "Send to 1 person on Apples, Second" in html


def test_the_button_hands_it_over_and_a_second_click_changes_nothing(world: World):
    browser, url = world.owner.client(), path(world.draft, "/send")
    assert browser.post(url, {"version": "1"})["Location"] == path(world.draft)
    frozen = Message.objects.get(pk=world.draft.pk)
    assert (frozen.status, frozen.audience_frozen["people"]) == (Status.QUEUED, 1)
    second = browser.post(url, {"version": "1"}, follow=True)
    assert second.status_code == 200
    assert "once is enough" in second.content.decode()
    assert Message.objects.get(pk=world.draft.pk).audience_frozen == frozen.audience_frozen


def test_what_changed_since_the_last_look_is_not_sent_unseen(world: World, bob: Person):
    bob.client().post(path(world.draft, "/edit"), written(world))
    stale = world.owner.client().post(path(world.draft, "/send"), {"version": "1"})
    assert stale.status_code == 409
    assert "changed or sent meanwhile" in stale.content.decode()
    world.draft.refresh_from_db()
    assert world.draft.status == Status.DRAFT


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40])
def test_a_version_that_is_none_sends_or_refuses_and_never_breaks(world: World, version: str):
    response = world.owner.client().post(path(world.draft, "/send"), {"version": version})
    assert response.status_code in {302, 409}


def test_sending_to_nobody_is_allowed_and_said(world: World):
    empty = manage.create(world.owner.workspace, "Empty")
    world.draft.audience = {"lists": [empty.pk]}
    world.draft.save()
    html = world.owner.client().get(path(world.draft, "/send")).content.decode()
    assert "would go to nobody" in html


# --- watching -------------------------------------------------------------------------------------


def at_work(world: World, status: str = "sending") -> str:
    Message.objects.filter(pk=world.sent.pk).update(status=status, finished_at=None, reason="")
    return path(world.sent)


def test_a_message_at_work_is_watched_and_one_that_is_over_is_not(world: World):
    browser = world.owner.client()
    assert "data-live" not in browser.get(path(world.sent)).content.decode()
    html = browser.get(at_work(world)).content.decode()
    assert f'data-live="{path(world.sent, "/progress")}?status=sending&amp;since=' in html


def test_the_fragment_says_the_numbers_and_when_there_is_no_more_to_see(world: World):
    url = at_work(world) + "/progress?status=sending"
    on = world.owner.client().get(url)
    assert on["X-Live"] == "on"
    assert "<html" not in on.content.decode()
    assert "1 of 1" in on.content.decode()
    at_work(world, "paused")
    assert world.owner.client().get(url)["X-Live"] == "over"


def test_after_a_cancel_it_says_that_it_stops_and_is_watched_until_it_has(world: World):
    url = at_work(world, "cancelled")
    held = {"lease_until": clock.now() + timedelta(minutes=1), "sent": 0, "done": False}
    DeliveryBatch.objects.filter(message=world.sent).update(**held)
    browser = world.owner.client()
    html = browser.get(url).content.decode()
    assert "<dt>Stopping</dt>" in html
    assert "<dt>Sending</dt>" not in html
    assert "Stopping: what is not out yet is skipped." in html
    assert "data-live" in html
    assert browser.get(f"{url}/progress?status=cancelled")["X-Live"] == "on"
    Message.objects.filter(pk=world.sent.pk).update(finished_at=clock.now())
    assert browser.get(f"{url}/progress?status=cancelled")["X-Live"] == "over"
    assert "data-live" not in browser.get(url).content.decode()


def test_a_mail_server_that_is_away_is_named_and_nothing_is_asked_of_its_owner(world: World):
    url = at_work(world)
    Message.objects.filter(pk=world.sent.pk).update(
        status="sending", reason="Waits for the mail server. 127.0.0.1:2599: Connection refused"
    )
    html = world.owner.client().get(url).content.decode()
    assert "127.0.0.1:2599: Connection refused" in html
    assert "it goes on by itself" in html


def test_pause_go_on_and_cancel_work_and_twice_is_harmless(world: World):
    browser, url = world.owner.client(), at_work(world)
    for deed, status in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        for _ in range(2):
            assert browser.post(f"{url}/{deed}")["Location"] == url
        world.sent.refresh_from_db()
        assert world.sent.status == status
    assert browser.post(f"{url}/resume", follow=True).status_code == 200
    world.sent.refresh_from_db()
    assert world.sent.status == "cancelled"


def test_deliveries_are_found_by_state_and_address(world: World):
    ida = worlds.on_list(world.list, "ida@example.org")
    failed = SubscriberMessage.objects.create(
        message=world.sent, workspace_id=world.owner.workspace.pk, subscriber_id=ida.pk,
        to_address=ida.email, batch=1, state="failed", answer="550 5.1.1 user unknown",
    )  # fmt: skip
    DeliveryBatch.objects.filter(message=world.sent).update(size=2, failed=1, last_id=failed.pk)
    url = path(world.sent, "/deliveries")

    def found(query: str) -> list[str]:
        page = world.owner.client().get(url + query)
        assert page.status_code == 200
        return [one.to_address for one in page.context["page"].rows]

    assert found("") == ["ida@example.org", "vera@example.org"]
    assert found("?state=failed") == ["ida@example.org"]
    assert found("?state=deferred") == []
    assert found("?q=VERA") == ["vera@example.org"]
    assert found("?q=%00") == ["ida@example.org", "vera@example.org"]
    html = world.owner.client().get(url).content.decode()
    assert "550 5.1.1 user unknown" in html


def test_a_viewer_watches_without_buttons(world: World):
    viewer = people.join(world.owner, "vic", "viewer").client()
    html = viewer.get(at_work(world)).content.decode()
    for deed in ("pause", "cancel", "remove"):
        assert f"{path(world.sent)}/{deed}" not in html
    assert "/edit" not in viewer.get(path(world.draft, "/preview")).content.decode()


# --- overview -------------------------------------------------------------------------------------


def test_five_steps_lead_from_an_empty_workspace_to_a_look_at_the_report(alice: Person):
    def now() -> str:
        steps = browser.get("/").context["steps"]
        return next((step.what for step in steps if step.now), "")

    browser = alice.client()
    assert now() == "Make a list"
    which = manage.create(alice.workspace, "Letter")
    assert now() == "Open its sign-up page"
    worlds.on_list(which, "vera@example.org")
    assert now() == "Write a message"
    browser.post("/messages/new", {"subject": "One", "body": "Hi", "lists": [which.public_id]})
    assert now() == "Send it"
    draft = Message.objects.get()
    browser.post(path(draft, "/send"))
    assert now() == "Look what became of it"
    browser.get(path(draft))
    assert now() == ""
    assert "Five steps" not in browser.get("/").content.decode()


# --- the Outbox -----------------------------------------------------------------------------------


def test_the_outbox_shows_html_text_headers_and_source(world: World):
    url = f"/outbox/{world.mail.public_id}"
    browser = world.owner.client()
    assert f'src="{url}/html"' in browser.get(url).content.decode()
    assert 'href="https://example.org/confirm"' in browser.get(f"{url}?view=text").content.decode()
    assert "X-Text" in browser.get(f"{url}?view=headers").content.decode()
    assert "MIME-Version: 1.0" in browser.get(f"{url}?view=source").content.decode()
    frame = browser.get(f"{url}/html")
    assert frame["Content-Security-Policy"].startswith("sandbox allow-popups ")
    assert b'<base target="_blank">' in frame.content


def test_account_mail_is_for_the_administrator_only(world: World, bob: Person):
    mail = worlds.outbox(None, "Reset your password", "alice@example.org")
    for person in (world.owner, bob):
        assert "Reset your password" not in person.client().get("/outbox").content.decode()
        for more in ("", "/html", "?view=source"):
            assert person.client().get(f"/outbox/{mail.public_id}{more}").status_code == 404
    bob.user.is_admin = True
    bob.user.save()
    assert "Reset your password" in bob.client().get("/outbox").content.decode()
    assert bob.client().get(f"/outbox/{mail.public_id}").status_code == 200


def test_an_administrator_without_a_workspace_reads_account_mail(world: World, charlie: Person):
    charlie.member.delete()
    charlie.user.is_admin = True
    charlie.user.save()
    worlds.outbox(None, "Reset your password", "alice@example.org")
    html = charlie.client().get("/outbox").content.decode()
    assert "Reset your password" in html
    assert "Apples" not in html


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"Subject: =?x?q?=FF?=\n\n",
     b"Content-Type: text/html; charset=x\n\n\xe9\n",
     b"Content-Type: multipart/alternative\n\nnothing", b"To: \"a\" <\n a\n\nb"],
)  # fmt: skip
def test_a_mail_that_cannot_be_read_is_shown_as_it_can_be(alice: Person, content: bytes):
    mail = OutboxMail.objects.create(
        workspace=alice.workspace, sender="a", recipient="b", subject="", content=content
    )
    for view in ("", "?view=html", "?view=text", "?view=headers", "?view=source"):
        assert alice.client().get(f"/outbox/{mail.public_id}{view}").status_code == 200
    assert alice.client().get(f"/outbox/{mail.public_id}/html").status_code == 200


def test_the_banner_says_that_nothing_leaves_unless_a_server_is_set_up(alice: Person, settings):
    assert "nothing leaves this machine" in alice.client().get("/").content.decode()
    settings.SMTP_URL = "smtp://127.0.0.1:1"
    html = alice.client().get("/").content.decode()
    assert "nothing leaves this machine" not in html
    assert 'href="/outbox"' not in html
