"""How often somebody may call: counted for all processes together, before the work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mailape.core import clock
from mailape.core.models import RateCounter
from mailape.lists.models import MailingList
from tests.house import people
from tests.house.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def slow(settings: Any) -> None:
    """Limits that a test can reach."""
    settings.API_RATE_USER = "3/min"
    settings.API_RATE_ANON = "2/min"


def statuses(call: Any, number: int, path: str = "me", **headers: str) -> list[int]:
    return [call.get(path, **headers).status_code for _ in range(number)]


def test_a_token_has_its_rate_and_is_told_when_to_come_back(
    api: Any, alice: Person, slow: None
) -> None:
    call = api(alice)
    assert statuses(call, 3) == [200, 200, 200]
    answer = call.get("me")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many")
    assert 1 <= int(answer["Retry-After"]) <= 60
    with clock.moved(timedelta(minutes=2)):
        assert call.get("me").status_code == 200


def test_another_token_has_a_rate_of_its_own(api: Any, alice: Person, slow: None) -> None:
    assert statuses(api(alice), 4)[-1] == 429
    assert api(alice).get("me").status_code == 200


def test_a_signed_in_browser_has_a_rate_too(alice: Person, slow: None) -> None:
    browser = alice.client()
    assert [browser.get("/api/v1/me").status_code for _ in range(4)][-1] == 429


def test_nothing_is_done_beyond_the_limit(api: Any, alice: Person, slow: None) -> None:
    call = api(alice)
    for _ in range(6):
        call.post("lists", {"name": "x"})
    assert MailingList.objects.count() == 3


def test_strangers_are_counted_by_their_network(stranger: Any, slow: None) -> None:
    assert statuses(stranger, 3) == [401, 401, 429]
    near = Client(REMOTE_ADDR="127.0.0.77")
    assert near.get("/api/v1/me").status_code == 429
    far = Client(REMOTE_ADDR="192.0.2.1")
    assert far.get("/api/v1/me").status_code == 401


def test_guessing_tokens_is_limited_like_asking_without_one(slow: None, db: None) -> None:
    guesses = [
        Client(headers={"Authorization": f"Bearer ma_guess{n}"}).get("/api/v1/me").status_code
        for n in range(3)
    ]
    assert guesses == [401, 401, 429]


def test_a_good_token_is_not_held_up_by_strangers_beside_it(
    api: Any, alice: Person, stranger: Any, slow: None
) -> None:
    statuses(stranger, 5)
    assert api(alice).get("me").status_code == 200


def test_a_forged_x_forwarded_for_does_not_help(stranger: Any, slow: None) -> None:
    tries = [stranger.get("me", X_Forwarded_For=f"198.51.{n}.1").status_code for n in range(3)]
    assert tries == [401, 401, 429]


def test_behind_a_trusted_proxy_the_clients_are_told_apart(
    stranger: Any, slow: None, settings: Any
) -> None:
    import ipaddress

    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.1")]
    assert statuses(stranger, 3, X_Forwarded_For="198.51.100.1")[-1] == 429
    assert statuses(stranger, 1, X_Forwarded_For="203.0.113.1") == [401]
    forged = [
        stranger.get("me", X_Forwarded_For=f"{n}.1.1.1, 203.0.114.1").status_code for n in range(3)
    ]
    assert forged == [401, 401, 429]


def test_the_description_is_limited_too(stranger: Any, slow: None) -> None:
    assert statuses(stranger, 3, "openapi.json") == [200, 200, 429]


def test_counting_costs_two_queries_and_is_kept_without_addresses(
    api: Any, alice: Person, stranger: Any
) -> None:
    call = api(alice)
    call.get("me")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        call.get("me")
    assert sum("core_ratecounter" in query["sql"] for query in queries) == 2
    stranger.get("me")
    assert not any("127.0.0" in key for key in RateCounter.objects.values_list("key", flat=True))


def test_two_people_of_one_workspace_are_counted_apart(api: Any, alice: Person, slow: None) -> None:
    bob = people.join(alice, "bob")
    statuses(api(alice), 4)
    assert api(bob).get("me").status_code == 200


def test_who_is_in_no_workspace_is_counted_like_a_stranger(alice: Person, slow: None) -> None:
    browser = alice.client()
    alice.member.delete()
    assert [browser.get("/api/v1/me").status_code for _ in range(3)] == [403, 403, 429]
