"""Newsletters by the API: written, changed, sent, paused, resumed, cancelled, looked at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mailape.campaigns.models import Message
from mailape.core import address, clock, ids
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.lists.models import MailingList, Status, Subscriber, Subscription
from tests.house.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def body(a_list: MailingList) -> dict[str, Any]:
    """What makes a message."""
    return {"lists": [a_list.public_id], "subject": "Spring", "body": "It is **spring**.\n"}


def subscribed(to: MailingList, email: str) -> Subscriber:
    who = address.parse(email)
    person = Subscriber.objects.create(
        workspace_id=to.workspace_id, email=who.typed, email_key=who.key, domain=who.domain
    )
    Subscription.objects.create(list=to, subscriber=person, status=Status.CONFIRMED)
    return person


def test_a_draft_is_made_shown_changed_and_removed(
    api: Any, alice: Person, body: dict[str, Any]
) -> None:
    call = api(alice)
    made = call.post("messages", body)
    assert made.status_code == 201
    shown = made.json()
    assert made["Location"].endswith(f"/api/v1/messages/{shown['id']}")
    assert (shown["status"], shown["reason"], shown["format"]) == ("draft", "", "markdown")
    assert (shown["started"], shown["finished"], shown["sender"]) == (None, None, None)
    assert shown["body"] == body["body"]
    assert shown["counts"] == dict.fromkeys(State.values, 0)
    assert Message.objects.get().author == alice.user

    path = f"messages/{shown['id']}"
    changed = call.patch(path, {"subject": "Summer", "format": "html"}).json()
    assert (changed["subject"], changed["format"]) == ("Summer", "html")
    assert (changed["lists"], changed["body"]) == (body["lists"], body["body"])
    assert call.delete(path).status_code == 204
    assert call.get(path).status_code == 404


def test_the_collection_leaves_the_texts_out(api: Any, alice: Person, body: Any) -> None:
    call = api(alice)
    call.post("messages", body)
    (row,) = call.get("messages").json()["results"]
    assert "body" not in row
    assert row["subject"] == "Spring"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lists": []}, "lists"),
        ({"lists": "x"}, "lists"),
        ({"lists": [7]}, "lists"),
        ({"lists": ["guessed0"]}, "lists"),
        ({"subject": ""}, "subject"),
        ({"subject": "x" * 301}, "subject"),
        ({"body": ""}, "body"),
        ({"body": "ü" * 500_001}, "body"),
        ({"format": "pdf"}, "format"),
        ({"format": True}, "format"),
        ({"sender": "guessed0"}, "sender"),
        ({"sender": None}, "sender"),
        ({"status": "sent"}, "status"),
    ],
)
def test_what_cannot_be_used_is_named(
    api: Any, alice: Person, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    answer = api(alice).post("messages", {**body, **change})
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not Message.objects.exists()


def test_a_list_or_sender_of_others_is_as_unknown_as_a_guessed_one(
    api: Any, alice: Person, charlie: Person, body: dict[str, Any]
) -> None:
    theirs = MailingList.objects.create(workspace=charlie.workspace, name="Theirs")
    sender = charlie.workspace.senders.get()
    known = api(alice).post("messages", {**body, "lists": [theirs.public_id]})
    guessed = api(alice).post("messages", {**body, "lists": [ids.public("list", 10**6)]})
    assert known.status_code == guessed.status_code == 400
    assert known.json()["errors"].keys() == guessed.json()["errors"].keys() == {"lists"}
    assert api(alice).post("messages", {**body, "sender": sender.public_id}).status_code == 400


def test_an_own_sender_is_taken(api: Any, alice: Person, body: dict[str, Any]) -> None:
    call = api(alice)
    (sender,) = call.get("senders").json()["results"]
    assert call.post("messages", {**body, "sender": sender["id"]}).json()["sender"] == sender["id"]


def test_a_letter_of_a_megabyte_fits_however_it_is_escaped(
    api: Any, alice: Person, body: dict[str, Any]
) -> None:
    # Each of these letters is four bytes of text and twelve of JSON.
    answer = api(alice).post("messages", {**body, "body": "😀" * 249_000})
    assert answer.status_code == 201


def test_a_body_beyond_that_is_413(api: Any, alice: Person, body: dict[str, Any]) -> None:
    answer = api(alice).post("messages", {**body, "body": "x" * 4_600_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_the_version_that_was_read_guards_against_overwriting(
    api: Any, alice: Person, body: dict[str, Any]
) -> None:
    call = api(alice)
    first = call.post("messages", body).json()
    path = f"messages/{first['id']}"
    assert call.patch(path, {"subject": "A", "version": first["version"]}).status_code == 200
    assert call.patch(path, {"subject": "B", "version": first["version"]}).status_code == 409
    assert call.post(f"{path}/send", {"version": first["version"]}).status_code == 409
    assert call.get(path).json()["subject"] == "A"


def test_send_pause_resume_cancel_and_what_each_status_refuses(
    api: Any, alice: Person, a_list: MailingList, body: dict[str, Any]
) -> None:
    subscribed(a_list, "eve@example.org")
    call = api(alice)
    path = f"messages/{call.post('messages', body).json()['id']}"

    def status(deed: str) -> tuple[int, str]:
        answer = call.post(f"{path}/{deed}")
        return answer.status_code, answer.json().get("status")

    for early in ("pause", "resume", "cancel"):
        assert status(early) == (409, 409)
    assert status("send") == (202, "queued")
    assert status("send") == (409, 409)
    assert status("resume") == (409, 409)
    assert call.patch(path, {"subject": "Late"}).status_code == 409
    assert call.delete(path).status_code == 409
    assert status("pause") == (202, "paused")
    assert call.get(path).json()["reason"] == "Paused by a person."
    assert status("pause") == (409, 409)
    assert status("resume") == (202, "queued")
    assert status("cancel") == (202, "cancelled")
    for late in ("send", "pause", "resume", "cancel"):
        assert status(late) == (409, 409)
    assert call.delete(path).status_code == 204


def test_a_message_sent_at_a_time_to_come_waits_and_is_taken_back(
    api: Any, alice: Person, body: dict[str, Any]
) -> None:
    call = api(alice)
    path = f"messages/{call.post('messages', body).json()['id']}"
    at = (clock.now() + timedelta(days=1)).replace(microsecond=0)
    there = at.astimezone(ZoneInfo("Asia/Kolkata"))
    sent = call.post(f"{path}/send", {"at": there.isoformat()}).json()
    assert (sent["status"], datetime.fromisoformat(sent["not_before"])) == ("queued", at)
    back = call.post(f"{path}/take-back").json()
    assert (back["status"], back["not_before"], back["version"]) == ("draft", None, 2)
    assert call.post(f"{path}/take-back").status_code == 409


@pytest.mark.parametrize(
    "at", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2026-11-29T09:30:00", "x", 1, None]
)
def test_a_time_that_is_none_or_over_sends_nothing(
    api: Any, alice: Person, body: dict[str, Any], at: Any
) -> None:
    call = api(alice)
    path = f"messages/{call.post('messages', body).json()['id']}"
    answer = call.post(f"{path}/send", {"at": at})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["at"])
    assert call.get(path).json()["status"] == "draft"


def test_the_deeds_take_no_fields(api: Any, alice: Person, body: dict[str, Any]) -> None:
    call = api(alice)
    path = f"messages/{call.post('messages', body).json()['id']}"
    assert call.post(f"{path}/send", {"status": "sent"}).status_code == 400
    assert call.post(f"{path}/pause", {"reason": "x"}).status_code == 400
    assert call.get(path).json()["status"] == "draft"


@pytest.fixture
def sent(a_list: MailingList, alice: Person) -> Message:
    """A message with five deliveries in several states, between deliveries of others."""
    message = Message.objects.create(workspace=alice.workspace, subject="Spring", status="sending")
    other = Message.objects.create(workspace=alice.workspace, subject="Other", status="sending")
    states = [State.SENT, State.SENT, State.FAILED, State.DEFERRED, State.QUEUED]
    made = []
    for number, state in enumerate(states):
        person = subscribed(a_list, f"p{number}@example.org")
        for one in (other, message):
            delivery = SubscriberMessage.objects.create(
                message=one,
                workspace_id=alice.workspace.pk,
                subscriber_id=person.pk,
                to_address=person.email,
                batch=1,
                state=state,
                attempts=1,
                sent_at=clock.now() if state == State.SENT else None,
                answer="250 taken" if state == State.SENT else "",
            )
            made += [delivery] if one == message else []
    DeliveryBatch.objects.create(
        message=message,
        number=1,
        first_id=made[0].pk,
        last_id=made[-1].pk,
        size=5,
        sent=2,
        failed=1,
        deferred=1,
    )
    return message


def test_deliveries_are_shown_one_for_each_person(api: Any, alice: Person, sent: Message) -> None:
    rows = api(alice).get(f"messages/{sent.public_id}/deliveries").json()["results"]
    assert [row["email"] for row in rows] == [f"p{n}@example.org" for n in range(5)]
    first = rows[0]
    assert set(first) == {
        *("id", "subscriber", "email", "state", "reason", "attempts", "sent_at", "answer"),
    }
    assert (first["state"], first["attempts"], first["answer"]) == ("sent", 1, "250 taken")
    assert api(alice).get(f"subscribers/{first['subscriber']}").json()["email"] == first["email"]


def test_deliveries_are_found_by_state_and_address(api: Any, alice: Person, sent: Message) -> None:
    call, path = api(alice), f"messages/{sent.public_id}/deliveries"

    def found(query: str) -> list[str]:
        return [row["email"][:2] for row in call.get(f"{path}?{query}").json()["results"]]

    assert found("state=sent") == ["p0", "p1"]
    assert found("state=queued") == ["p4"]
    assert found("state=sending") == []
    assert found("q=P3") == ["p3"]
    assert found("state=sent&q=p3") == []
    assert call.get(f"{path}?state=lost").status_code == 400


def test_what_waits_is_found_in_open_batches_and_singly(
    api: Any, alice: Person, sent: Message
) -> None:
    """A delivery that fell out of its batch is queued too, and none is shown twice."""
    rows = sent.deliveries.order_by("pk")
    single, sending = rows[0], rows[1]
    type(single).objects.filter(pk=single.pk).update(state=State.QUEUED, not_before=clock.now())
    type(single).objects.filter(pk=sending.pk).update(state=State.SENDING, not_before=clock.now())
    call, path = api(alice), f"messages/{sent.public_id}/deliveries"

    def found(state: str) -> list[str]:
        shown = call.get(f"{path}?state={state}").json()["results"]
        return [row["email"][:2] for row in shown]

    assert found("queued") == ["p0", "p4"]
    assert found("sending") == ["p1"]
    DeliveryBatch.objects.update(done=True)
    assert found("queued") == ["p0"]


def test_the_counts_are_those_of_the_batches(api: Any, alice: Person, sent: Message) -> None:
    counts = api(alice).get(f"messages/{sent.public_id}").json()["counts"]
    assert (counts["sent"], counts["failed"], counts["deferred"], counts["queued"]) == (2, 1, 1, 1)


def test_an_erased_person_leaves_a_delivery_without_an_address(
    api: Any, alice: Person, sent: Message
) -> None:
    call, path = api(alice), f"messages/{sent.public_id}/deliveries"
    row = call.get(path).json()["results"][0]
    call.delete(f"subscribers/{row['subscriber']}")
    after = call.get(path).json()["results"][0]
    assert (after["id"], after["email"], after["state"]) == (row["id"], "", "sent")


@pytest.fixture
def doubtful(sent: Message) -> Message:
    """A message that is sent, two of its five deliveries in doubt."""
    Message.objects.filter(pk=sent.pk).update(status="sent", built_at=clock.now())
    keys = list(sent.deliveries.order_by("pk").values_list("pk", flat=True))
    SubscriberMessage.objects.filter(pk__in=keys[3:]).update(
        state=State.UNKNOWN, tried_at=clock.now()
    )
    DeliveryBatch.objects.update(done=True, deferred=0, unknown=2)
    return sent


def test_what_is_in_doubt_is_sent_again_once(api: Any, alice: Person, doubtful: Message) -> None:
    call, path = api(alice), f"messages/{doubtful.public_id}"
    assert call.get(path).json()["counts"]["unknown"] == 2
    answer = call.post(f"{path}/resend-unknown")
    assert (answer.status_code, answer.json()["status"]) == (202, "sending")
    assert (answer.json()["counts"]["unknown"], answer.json()["counts"]["queued"]) == (0, 2)
    again = call.post(f"{path}/resend-unknown")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert call.post(f"{path}/leave-unknown").status_code == 409
    assert call.get(path).json()["counts"]["queued"] == 2


def test_what_is_in_doubt_is_left_for_good(api: Any, alice: Person, doubtful: Message) -> None:
    call, path = api(alice), f"messages/{doubtful.public_id}"
    answer = call.post(f"{path}/leave-unknown")
    assert (answer.status_code, answer.json()["status"]) == (202, "sent")
    assert answer.json()["counts"]["unknown"] == 2
    rows = call.get(f"{path}/deliveries?state=unknown").json()["results"]
    assert {row["reason"] for row in rows} == {"Left as it is, by a person"}
    assert call.post(f"{path}/leave-unknown").status_code == 409
    assert call.post(f"{path}/resend-unknown").status_code == 409


def test_of_a_cancelled_message_nothing_is_sent_again(
    api: Any, alice: Person, doubtful: Message
) -> None:
    Message.objects.filter(pk=doubtful.pk).update(status="cancelled")
    answer = api(alice).post(f"messages/{doubtful.public_id}/resend-unknown")
    assert (answer.status_code, "cancelled" in answer.json()["detail"]) == (409, True)


def test_the_preview_text_is_given_shown_and_emptied(
    api: Any, alice: Person, body: dict[str, Any]
) -> None:
    call = api(alice)
    made = call.post("messages", {**body, "preview_text": "All in bloom"}).json()
    assert made["preview_text"] == "All in bloom"
    changed = call.patch(f"messages/{made['id']}", {"preview_text": ""}).json()
    assert (changed["preview_text"], changed["version"]) == ("", 2)


def test_what_failed_is_tried_again_once_and_only_where_it_may_be(
    api: Any, alice: Person, sent: Message, a_list: MailingList
) -> None:
    call, path = api(alice), f"messages/{sent.public_id}"
    refused = call.post(f"{path}/retry-failed")
    assert refused.status_code == 409  # she who failed is on no list of this message
    Message.objects.filter(pk=sent.pk).update(audience={"lists": [a_list.pk]})
    before = call.get(path).json()["counts"]
    answer = call.post(f"{path}/retry-failed")
    assert answer.status_code == 202
    after = answer.json()["counts"]
    assert (before["failed"] - after["failed"], after["queued"] - before["queued"]) == (1, 1)
    assert call.post(f"{path}/retry-failed").status_code == 409
