"""Pages of collections: whole, in both directions, stable while rows come and go."""

from __future__ import annotations

from typing import Any

import pytest

from mailape.lists import find
from mailape.lists.models import MailingList
from tests.house.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def seven(alice: Person) -> list[str]:
    """The ids of seven lists, oldest first."""
    return [
        MailingList.objects.create(workspace=alice.workspace, name=f"List {n}").public_id
        for n in range(7)
    ]


def walk(call: Any, path: str, side: str = "next") -> list[list[str]]:
    """The ids of every page from `path` on."""
    pages = []
    while path:
        page = call.get(path).json()
        pages.append([row["id"] for row in page["results"]])
        path = page[side]
    return pages


def test_following_next_gives_each_row_once(api: Any, alice: Person, seven: list[str]) -> None:
    pages = walk(api(alice), "lists?limit=3")
    assert pages == [seven[:3], seven[3:6], seven[6:]]
    assert walk(api(alice), "lists?limit=7") == [seven]


def test_following_previous_leads_back_to_the_first_page(
    api: Any, alice: Person, seven: list[str]
) -> None:
    call = api(alice)
    path = "lists?limit=3"
    while following := call.get(path).json()["next"]:
        path = following
    assert walk(call, path, "previous") == [seven[6:], seven[3:6], seven[:3]]
    first = call.get(path).json()["previous"]
    assert call.get(first).json()["next"] is not None


def test_the_first_page_has_no_previous_and_the_last_no_next(
    api: Any, alice: Person, seven: list[str]
) -> None:
    page = api(alice).get("lists").json()
    assert (page["next"], page["previous"]) == (None, None)
    assert api(alice).get("messages").json() == {"results": [], "next": None, "previous": None}


def test_rows_that_come_or_go_meanwhile_neither_double_nor_lose_others(
    api: Any, alice: Person, seven: list[str]
) -> None:
    call = api(alice)
    page = call.get("lists?limit=3").json()
    call.delete(f"lists/{seven[1]}")
    call.delete(f"lists/{seven[3]}")
    new = MailingList.objects.create(workspace=alice.workspace, name="New").public_id
    assert walk(call, page["next"]) == [[seven[4], seven[5], seven[6]], [new]]


def test_a_page_whose_rows_are_all_gone_leads_back_to_the_beginning(
    api: Any, alice: Person, seven: list[str]
) -> None:
    call = api(alice)
    last = call.get("lists?limit=6").json()["next"]
    call.delete(f"lists/{seven[6]}")
    page = call.get(last).json()
    assert (page["results"], page["next"]) == ([], None)
    assert walk(call, page["previous"]) == [seven[:6]]


def test_links_begin_with_the_sites_address_and_keep_the_filters(
    api: Any, alice: Person, a_list: MailingList
) -> None:
    call, path = api(alice), f"lists/{a_list.public_id}/subscribers"
    for n in range(3):
        call.post(path, {"email": f"a{n}+x&y@example.org", "confirmed": True})
    page = call.get(f"{path}?limit=1&status=confirmed&q=a", HOST="localhost").json()
    assert page["next"].startswith(f"http://127.0.0.1:8000/api/v1/{path}?")
    assert "status=confirmed" in page["next"]
    assert sum(len(found) for found in walk(call, f"{path}?limit=1&status=confirmed&q=a")) == 3
    assert sum(len(found) for found in walk(call, f"{path}?limit=1&q=a2%2Bx%26")) == 1


def test_who_is_found_among_many_comes_once_however_little_is_looked_at(
    api: Any, alice: Person, a_list: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "FEW", 0)
    monkeypatch.setattr(find, "STRETCHES", (2,))
    call, path = api(alice), f"lists/{a_list.public_id}/subscribers"
    ids = [
        call.post(path, {"email": f"{name}@example.org", "confirmed": True}).json()["id"]
        for name in ("a0", "b1", "b2", "a3", "b4", "b5", "b6", "a7")
    ]
    found = walk(call, f"{path}?q=a&limit=2")
    assert [one for page in found for one in page] == [ids[7], ids[3], ids[0]]
    assert [] in found


def test_a_merged_collection_is_in_one_order(api: Any, alice: Person, a_list: MailingList) -> None:
    call, path = api(alice), f"lists/{a_list.public_id}/subscribers"
    ids = [
        call.post(path, {"email": f"p{n}@example.org", "confirmed": n % 2 == 0}).json()["id"]
        for n in range(6)
    ]
    for gone in ids[2:4]:
        call.delete(f"{path}/{gone}")
    newest_first = ids[::-1]
    assert walk(call, f"{path}?limit=2") == [
        newest_first[:2],
        newest_first[2:4],
        newest_first[4:],
    ]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "", "1e2", "٣", "9" * 30])
def test_a_limit_beyond_a_thousand_or_no_number_is_refused(
    api: Any, alice: Person, limit: str
) -> None:
    answer = api(alice).get(f"lists?limit={limit}")
    assert answer.status_code == 400
    assert "limit" in answer.json()["errors"]
    assert api(alice).get("lists?limit=1000").status_code == 200


def test_a_cursor_that_was_made_up_is_refused(api: Any, alice: Person, seven: list[str]) -> None:
    call = api(alice)
    good = call.get("lists?limit=1").json()["next"].partition("cursor=")[2]
    for bad in ("x", "n", "p", "nzzzzzzzz", good[1:], f"{good}0", f"q{good[1:]}", "n" * 200, "%00"):
        answer = call.get(f"lists?cursor={bad}")
        assert answer.status_code == 400, bad
        assert "cursor" in answer.json()["errors"]
    assert call.get(f"messages?cursor={good}").status_code == 400  # of another collection


def test_a_cursor_of_another_workspace_opens_nothing(
    api: Any, alice: Person, charlie: Person, seven: list[str]
) -> None:
    following = api(alice).get("lists?limit=3").json()["next"]
    page = api(charlie).get(following).json()
    assert page["results"] == []
