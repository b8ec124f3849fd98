"""Lists by the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailape.lists import numbers
from mailape.lists.models import MailingList, Status, Subscriber, Subscription
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def test_a_list_is_made_shown_changed_and_archived(api: Any, alice: Person) -> None:
    call = api(alice)
    made = call.post("lists", {"name": "Letter", "description": "Weekly"})
    assert made.status_code == 201
    shown = made.json()
    assert made["Location"] == f"http://127.0.0.1:8000/api/v1/lists/{shown['id']}"
    assert shown["subscribe_url"] == f"http://127.0.0.1:8000/subscribe/{shown['id']}"
    assert shown["counts"] == {"unconfirmed": 0, "confirmed": 0, "unsubscribed": 0}

    path = f"lists/{shown['id']}"
    changed = call.patch(path, {"name": "The letter"}).json()
    assert (changed["name"], changed["description"]) == ("The letter", "Weekly")
    assert call.get(path).json() == changed

    assert call.delete(path).status_code == 204
    assert call.get(path).status_code == 404
    assert call.delete(path).status_code == 404
    assert call.get("lists").json()["results"] == []
    assert MailingList.objects.get().archived_at is not None


def test_counts_are_by_status(api: Any, alice: Person, a_list: MailingList) -> None:
    wanted = {Status.UNCONFIRMED: 1, Status.CONFIRMED: 3, Status.UNSUBSCRIBED: 2}
    for status, number in wanted.items():
        for n in range(number):
            name = f"{status}{n}@example.org"
            person = Subscriber.objects.create(
                workspace=alice.workspace, email=name, email_key=name, domain="example.org"
            )
            Subscription.objects.create(list=a_list, subscriber=person, status=status)
    numbers.mend(a_list)
    assert api(alice).get("lists").json()["results"][0]["counts"] == wanted


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " \t "}, "name"),
        ({"name": "\u200b"}, "name"),
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x", "description": "y" * 501}, "description"),
        ({"name": "x", "colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_used_is_named(api: Any, alice: Person, body: Any, field: str) -> None:
    answer = api(alice).post("lists", body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert field in answer.json()["errors"]
    assert not MailingList.objects.exists()


@pytest.mark.parametrize("body", [[], "x", 7, None, [{"name": "x"}]])
def test_a_body_that_is_no_object_is_refused(api: Any, alice: Person, body: Any) -> None:
    answer = api(alice).client.post(
        "/api/v1/lists", json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == 400
