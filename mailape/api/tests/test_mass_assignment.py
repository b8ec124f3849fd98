"""Nothing can be set that is not offered: every field of every model, sent everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.forms.models import model_to_dict

from mailape.accounts.models import ApiToken
from mailape.api.serialisers import (
    Given,
    ListGiven,
    MessageChange,
    MessageGiven,
    Nothing,
    SendGiven,
    SubscriberChange,
    SubscriberGiven,
    SuppressionGiven,
)
from mailape.core.models import IdempotentAnswer, RateCounter
from mailape.lists.models import MailingList
from tests.house.people import Person

pytestmark = [pytest.mark.django_db, pytest.mark.once]

OURS = [model for model in apps.get_models() if model.__module__.startswith("mailape.")]
NAMES = sorted(
    {name for model in OURS for field in model._meta.fields for name in (field.name, field.attname)}
    | {"pk", "id", "public_id", "_state", "__class__", "password", "is_superuser", "is_staff"}
)
# Every address that writes, with what it takes. Ids are filled in by the fixture.
WRITES: list[tuple[str, str, type[Given]]] = [
    ("post", "lists", ListGiven),
    ("patch", "lists/{list}", ListGiven),
    ("post", "lists/{list}/subscribers", SubscriberGiven),
    ("patch", "subscribers/{subscriber}", SubscriberChange),
    ("post", "messages", MessageGiven),
    ("patch", "messages/{message}", MessageChange),
    ("post", "messages/{message}/send", SendGiven),
    ("post", "messages/{message}/take-back", Nothing),
    ("post", "messages/{message}/pause", Nothing),
    ("post", "messages/{message}/resume", Nothing),
    ("post", "messages/{message}/cancel", Nothing),
    ("post", "messages/{message}/resend-unknown", Nothing),
    ("post", "messages/{message}/leave-unknown", Nothing),
    ("post", "messages/{message}/retry-failed", Nothing),
    ("post", "suppressions", SuppressionGiven),
]
WORTH = [1, True, "x", None, [], {"id": 1}, "2020-01-01T00:00:00Z"]


@pytest.fixture
def ids(api: Any, alice: Person, a_list: MailingList) -> dict[str, str]:
    """One of each, in Alice's workspace."""
    call = api(alice)
    path = f"lists/{a_list.public_id}"
    body = {"lists": [a_list.public_id], "subject": "Spring", "body": "Text"}
    person = call.post(f"{path}/subscribers", {"email": "eve@example.org"}).json()
    return {
        "list": a_list.public_id,
        "subscriber": person["id"],
        "message": call.post("messages", body).json()["id"],
    }


def everything() -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables of ours, but for the counters that a call moves by itself."""
    moving = {RateCounter, IdempotentAnswer, ApiToken}
    return {
        model.__name__: [model_to_dict(row) for row in model._default_manager.order_by("pk")]
        for model in OURS
        if model not in moving
    }


def test_every_address_that_writes_is_in_the_table() -> None:
    from mailape.api.schema import openapi

    described = {
        (method, path)
        for path, operations in openapi()["paths"].items()
        for method in operations
        if method in {"post", "patch", "put"}
    }
    marks = {"{list}": "{list_id}", "{subscriber}": "{subscriber_id}", "{message}": "{message_id}"}
    known = set()
    for method, path, _ in WRITES:
        for ours, theirs in marks.items():
            path = path.replace(ours, theirs)
        known.add((method, f"/api/v1/{path}"))
    assert known == described


@pytest.mark.parametrize(
    ("method", "path", "takes"), WRITES, ids=[f"{m} {p}" for m, p, _ in WRITES]
)
def test_a_field_that_is_not_offered_is_refused_and_changes_nothing(
    api: Any, alice: Person, ids: dict[str, str], method: str, path: str, takes: type[Given]
) -> None:
    call, before = api(alice), everything()
    url = path.format(**ids)
    for number, name in enumerate(NAMES):
        if name in takes().fields:
            continue
        worth = WORTH[number % len(WORTH)]
        answer = call.call(method, url, {name: worth})
        assert answer.status_code == 400, name
        assert name in answer.json()["errors"], name
    assert everything() == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "lists", {"name": "Letter"}),
        ("post", "lists/{list}/subscribers", {"email": "ada@example.org"}),
        ("patch", "subscribers/{subscriber}", {"name": "Eve"}),
        ("patch", "messages/{message}", {"subject": "Summer"}),
        ("post", "suppressions", {"domain": "example.net"}),
    ],
)
def test_a_good_body_with_one_field_more_does_nothing_of_it(
    api: Any, alice: Person, ids: dict[str, str], method: str, path: str, body: dict[str, Any]
) -> None:
    before = everything()
    more = {**body, "workspace": 1, "workspace_id": 1, "status": "sent", "id": "x"}
    assert api(alice).call(method, path.format(**ids), more).status_code == 400
    assert everything() == before
    assert api(alice).call(method, path.format(**ids), body).status_code in {200, 201}
    assert everything() != before
