"""Addresses and domains that are never mailed, by the API."""

from __future__ import annotations

from typing import Any

import pytest

from mailape.lists.models import Suppression
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def test_an_address_is_suppressed_once_and_the_first_reason_stays(api: Any, alice: Person) -> None:
    call = api(alice)
    made = call.post("suppressions", {"address": "Eve@Example.org", "reason": "complaint"})
    assert made.status_code == 201
    row = made.json()
    assert (row["kind"], row["address"], row["domain"]) == ("address", "eve@example.org", None)
    assert (row["reason"], row["source"][:9]) == ("complaint", "API token")
    again = call.post("suppressions", {"address": "eve@example.org", "source": "later"})
    assert again.status_code == 200
    assert again.json() == row
    assert call.get("suppressions").json()["results"] == [row]


def test_a_domain_is_suppressed(api: Any, alice: Person) -> None:
    row = api(alice).post("suppressions", {"domain": "Bücher.example", "source": "post"}).json()
    assert (row["kind"], row["address"], row["domain"]) == (
        "domain",
        None,
        "xn--bcher-kva.example",
    )
    assert row["source"] == "post"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"address": "a@example.org", "domain": "example.org"}, ""),
        ({"address": "example.org"}, "address"),
        ({"domain": "a@example.org"}, "domain"),
        ({"domain": "no domain"}, "domain"),
        ({"domain": "word"}, "domain"),
        ({"address": "a@example.org", "reason": "erased"}, "reason"),
        ({"address": "a@example.org", "kind": "erased"}, "kind"),
        ({"value": "a@example.org"}, "value"),
    ],
)
def test_what_cannot_be_used_is_named(api: Any, alice: Person, body: Any, field: str) -> None:
    answer = api(alice).post("suppressions", body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert not Suppression.objects.exists()


def test_one_is_found_by_its_value(api: Any, alice: Person) -> None:
    call = api(alice)
    for body in ({"address": "eve@example.org"}, {"domain": "example.org"}):
        call.post("suppressions", body)

    def found(value: str) -> list[str]:
        return [row["kind"] for row in call.get(f"suppressions?value={value}").json()["results"]]

    assert found("EVE@example.org") == ["address"]
    assert found("example.org") == ["domain"]
    assert found("nobody@example.org") == []
    for nothing in ("no%20domain", "", "%20"):
        assert call.get(f"suppressions?value={nothing}").status_code == 400


def test_one_is_lifted_by_id_or_by_value(api: Any, alice: Person) -> None:
    call = api(alice)
    row = call.post("suppressions", {"address": "eve@example.org"}).json()
    call.post("suppressions", {"domain": "example.net"})
    assert call.delete(f"suppressions/{row['id']}").status_code == 204
    assert call.delete(f"suppressions/{row['id']}").status_code == 404
    assert call.delete("suppressions").status_code == 400
    assert call.delete("suppressions?value=").status_code == 400
    assert call.delete("suppressions?value=example.net").status_code == 204
    assert call.delete("suppressions?value=example.net").status_code == 404
    assert not Suppression.objects.exists()


def test_anothers_suppression_is_neither_seen_nor_lifted(
    api: Any, alice: Person, charlie: Person
) -> None:
    row = api(alice).post("suppressions", {"address": "eve@example.org"}).json()
    call = api(charlie)
    assert call.get("suppressions").json()["results"] == []
    assert call.delete(f"suppressions/{row['id']}").status_code == 404
    assert call.delete("suppressions?value=eve@example.org").status_code == 404
    assert Suppression.objects.count() == 1
