"""People by the API: added, shown, changed, taken off, erased."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mailape.core import clock
from mailape.lists import subscribe, suppress
from mailape.lists.models import (
    ConsentRecord,
    MailingList,
    Method,
    Subscriber,
    Subscription,
    Suppression,
)
from mailape.lists.subscribe import Origin
from tests.house.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(a_list: MailingList) -> str:
    """The path of the people on Alice's list."""
    return f"lists/{a_list.public_id}/subscribers"


def test_without_confirmed_the_confirmation_mail_is_asked_for(
    api: Any, alice: Person, people: str
) -> None:
    answer = api(alice).post(people, {"email": "Eve@Example.org", "name": "Eve"})
    assert answer.status_code == 201
    row = answer.json()
    assert (row["email"], row["name"], row["status"]) == ("Eve@example.org", "Eve", "unconfirmed")
    subscription = Subscription.objects.get()
    assert subscription.confirmation_no == 1
    assert answer["Location"].endswith(f"/api/v1/subscribers/{row['id']}")
    assert ConsentRecord.objects.get().method == Method.API


def test_confirmed_is_the_owners_word_and_nothing_is_mailed(
    api: Any, alice: Person, people: str
) -> None:
    row = api(alice).post(people, {"email": "eve@example.org", "confirmed": True}).json()
    assert row["status"] == "confirmed"
    assert row["confirmed_at"] is not None
    assert Subscription.objects.get().confirmation_no == 0
    consent = ConsentRecord.objects.get()
    assert consent.method == Method.OWNER
    assert consent.source.startswith("API token ma_")


def test_who_is_known_here_is_answered_200_and_unchanged(
    api: Any, alice: Person, people: str
) -> None:
    call = api(alice)
    first = call.post(people, {"email": "eve@example.org", "name": "Eve"})
    again = call.post(people, {"email": "EVE@example.org", "name": "Mallory", "confirmed": True})
    assert again.status_code == 200
    assert again.json() == first.json()
    assert Subscription.objects.get().confirmation_no == 1


def test_who_left_is_a_conflict_unless_resubscribe_is_said(
    api: Any, alice: Person, people: str
) -> None:
    call = api(alice)
    row = call.post(people, {"email": "eve@example.org", "confirmed": True}).json()
    assert call.delete(f"{people}/{row['id']}").status_code == 204
    assert call.post(people, {"email": "eve@example.org"}).status_code == 409
    assert call.post(people, {"email": "eve@example.org", "resubscribe": False}).status_code == 409
    back = call.post(people, {"email": "eve@example.org", "resubscribe": True})
    assert (back.status_code, back.json()["status"]) == (201, "unconfirmed")
    call.delete(f"{people}/{row['id']}")
    back = call.post(people, {"email": "eve@example.org", "resubscribe": True, "confirmed": True})
    assert (back.status_code, back.json()["status"]) == (201, "confirmed")


def test_a_suppressed_address_is_a_conflict(api: Any, alice: Person, people: str) -> None:
    suppress.suppress(alice.workspace, "example.net")
    answer = api(alice).post(people, {"email": "eve@example.net", "confirmed": True})
    assert answer.status_code == 409
    assert "suppressed" in answer.json()["detail"]
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "no address"}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"email": "eve@example.org\r\nBcc: x@example.org"}, "email"),
        ({"email": "eve@example.org", "confirmed": "true"}, "confirmed"),
        ({"email": "eve@example.org", "confirmed": 1}, "confirmed"),
        ({"email": "eve@example.org", "status": "confirmed"}, "status"),
        ({"email": "eve@example.org", "name": "x" * 121}, "name"),
    ],
)
def test_what_cannot_be_used_is_named(
    api: Any, alice: Person, people: str, body: Any, field: str
) -> None:
    answer = api(alice).post(people, body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not Subscriber.objects.exists()


def test_the_list_is_found_by_status_and_beginning_of_the_address(
    api: Any, alice: Person, people: str
) -> None:
    call = api(alice)
    for name in ("anna", "Anton", "berta"):
        call.post(people, {"email": f"{name}@example.org", "confirmed": name != "Anton"})

    def found(query: str) -> list[str]:
        return [row["email"] for row in call.get(f"{people}?{query}").json()["results"]]

    assert found("") == ["berta@example.org", "Anton@example.org", "anna@example.org"]
    assert found("status=confirmed") == ["berta@example.org", "anna@example.org"]
    assert found("q=AN") == ["Anton@example.org", "anna@example.org"]
    assert found("q=an&status=unconfirmed") == ["Anton@example.org"]
    assert found("q=anna@example.org") == ["anna@example.org"]
    assert found("q=nn") == []
    assert found("q=%25") == []
    assert found("q=_nna") == []


@pytest.mark.parametrize(
    "query", ["status=gone", "status=", "q=a%00b", "q=%0A%00", "stauts=confirmed"]
)
def test_a_query_that_cannot_be_meant_is_refused(
    api: Any, alice: Person, people: str, query: str
) -> None:
    assert api(alice).get(f"{people}?{query}").status_code == 400


def test_an_international_domain_is_found_in_both_spellings(
    api: Any, alice: Person, people: str
) -> None:
    call = api(alice)
    call.post(people, {"email": "eve@bücher.example", "confirmed": True})
    for q in ("eve@bücher.example", "eve@xn--bcher-kva", "eve"):
        assert len(call.get(f"{people}?q={q}").json()["results"]) == 1


def test_deleting_the_subscription_ends_it_on_this_list_only(
    api: Any, alice: Person, people: str
) -> None:
    call = api(alice)
    other = call.post("lists", {"name": "Other"}).json()["id"]
    row = call.post(people, {"email": "eve@example.org", "confirmed": True}).json()
    call.post(f"lists/{other}/subscribers", {"email": "eve@example.org", "confirmed": True})
    assert call.delete(f"{people}/{row['id']}").status_code == 204
    assert call.delete(f"{people}/{row['id']}").status_code == 204
    shown = call.get(f"subscribers/{row['id']}").json()
    assert [one["status"] for one in shown["subscriptions"]] == ["unsubscribed", "confirmed"]
    assert ConsentRecord.objects.filter(consent="withdrawn").count() == 1


def test_a_person_is_changed_by_name_only(api: Any, alice: Person, people: str) -> None:
    call = api(alice)
    row = call.post(people, {"email": "eve@example.org", "name": "Eve"}).json()
    path = f"subscribers/{row['id']}"
    shown = call.patch(path, {"name": "Dr. Eve Adams", "first_name": "Eve"}).json()
    assert (shown["name"], shown["first_name"]) == ("Dr. Eve Adams", "Eve")
    assert call.patch(path, {"first_name": ""}).json()["first_name"] == ""
    assert call.patch(path, {"email": "mallory@example.org"}).status_code == 400
    assert call.get(path).json()["email"] == "eve@example.org"


def test_a_change_is_dated(api: Any, alice: Person, people: str) -> None:
    call = api(alice)
    row = call.post(people, {"email": "eve@example.org"}).json()
    before = call.get(f"subscribers/{row['id']}").json()["updated_at"]
    after = call.patch(f"subscribers/{row['id']}", {"name": "Eve"}).json()["updated_at"]
    assert after > before


def test_deleting_the_person_erases_her(api: Any, alice: Person, people: str) -> None:
    call = api(alice)
    row = call.post(people, {"email": "eve@example.org", "confirmed": True}).json()
    assert call.delete(f"subscribers/{row['id']}").status_code == 204
    assert call.get(f"subscribers/{row['id']}").status_code == 404
    assert not Subscriber.objects.exists()
    kept = Suppression.objects.get()
    assert kept.kind == "erased"
    assert "eve" not in kept.value
    assert call.post(people, {"email": "eve@example.org", "confirmed": True}).status_code == 409


def test_a_confirmation_that_is_not_answered_changes_nothing_by_time(
    api: Any, alice: Person, people: str, a_list: MailingList
) -> None:
    call = api(alice)
    call.post(people, {"email": "eve@example.org"})
    with clock.moved(timedelta(days=3)):
        subscribe.sign_up(a_list, "eve@example.org", "", Origin(Method.FORM))
    assert call.get(people).json()["results"][0]["status"] == "unconfirmed"
