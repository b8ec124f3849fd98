"""Every error is a problem+json, whatever went wrong and wherever."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse

from mailape.lists import manage
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def is_problem(answer: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem, checked for its form."""
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()  # type: ignore[attr-defined]
    assert {"type", "title", "status", "detail", "code"} <= set(found)
    assert (found["status"], found["code"], found["type"]) == (status, code, "about:blank")
    assert found["detail"]
    return found


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nothing", "/api/v1/lists/", "/api/v1", "/api/v2/lists", "/api/", "/api", "/api/v1/"],
)
def test_an_address_that_names_nothing(api: Any, alice: Person, path: str) -> None:
    is_problem(api(alice).get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["put", "options", "trace", "delete", "patch"])
def test_a_method_that_is_not_there(api: Any, alice: Person, method: str) -> None:
    answer = api(alice).call(method, "lists", {})
    is_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, POST, HEAD"


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"\xff",
        b'{"name": NaN}',
        b"[" * 200_000,
        b'{"n":' * 60_000,
        b"\xef\xbb\xbf{}",
        b"1" * 9000,
    ],
    ids=["cut", "no utf-8", "NaN", "brackets", "braces", "bom", "a long number"],
)
def test_a_body_that_is_no_json(api: Any, alice: Person, raw: bytes) -> None:
    answer = api(alice).client.post("/api/v1/lists", raw, content_type="application/json")
    is_problem(answer, 400, "invalid")


@pytest.mark.parametrize("charset", ["no-such-charset", "base64", "utf-16", "idna"])
def test_a_charset_that_does_not_fit_breaks_nothing(api: Any, alice: Person, charset: str) -> None:
    kind = f"application/json; charset={charset}"
    answer = api(alice).client.generic("POST", "/api/v1/lists", b'{"name": "x"}', kind)
    assert answer.status_code in {201, 400}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", ""])
def test_a_body_of_another_kind(api: Any, alice: Person, kind: str) -> None:
    answer = api(alice).client.generic("POST", "/api/v1/lists", b"name=x", kind)
    is_problem(answer, 415, "unsupported_media_type")


def test_another_accept_header_is_answered_in_json_all_the_same(api: Any, alice: Person) -> None:
    answer = api(alice).get("me", Accept="text/html")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_a_foreign_host_is_refused(api: Any, alice: Person) -> None:
    is_problem(api(alice).get("me", Host="evil.example"), 400, "invalid")


def test_what_breaks_is_logged_and_told_without_its_inside(
    api: Any, alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(manage, "create", broken)
    call = api(alice)
    with pytest.raises(RuntimeError, match="the inside"):
        call.post("lists", {"name": "x"})  # tests are told, so that no fault goes unseen
    call.client.raise_request_exception = False
    found = is_problem(call.post("lists", {"name": "x"}), 500, "broken")
    assert "inside" not in str(found)
    assert "the inside" in caplog.text


def test_no_answer_is_kept_by_a_cache(api: Any, alice: Person) -> None:
    assert api(alice).get("me")["Cache-Control"] == "no-store"


def test_the_host_header_is_in_no_answer(api: Any, alice: Person) -> None:
    call = api(alice)
    call.post("lists", {"name": "A"}, Host="localhost")
    answer = call.get("lists?limit=1", Host="localhost", X_Forwarded_Host="evil.example")
    assert "localhost" not in answer.content.decode()
    assert "evil" not in answer.content.decode()


def test_a_field_name_is_cut_before_it_is_told(api: Any, alice: Person) -> None:
    answer = api(alice).post("lists", {"name": "x", "y" * 10_000: 1})
    assert answer.status_code == 400
    assert len(answer.content) < 1000


@pytest.mark.parametrize("q", ["?a=1", "?limit=5&page=2", "?" + "z" * 500 + "=1"])
def test_a_parameter_that_nobody_knows_is_named(api: Any, alice: Person, q: str) -> None:
    found = is_problem(api(alice).get(f"lists{q}"), 400, "invalid")
    assert len(found["errors"]) == 1
