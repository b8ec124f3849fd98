"""The description of the API: valid, complete, the same as the code, readable without a script."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from mailape.api import urls
from mailape.api.base import Endpoint
from mailape.api.problems import KINDS
from mailape.api.schema import openapi

pytestmark = pytest.mark.django_db


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_valid_openapi_3_1_and_was_made_without_a_warning(stranger: Any) -> None:
    answer = stranger.get("openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    found = answer.json()
    assert found["openapi"] == "3.1.0"
    assert found["servers"] == [{"url": "http://127.0.0.1:8000"}]
    validate_schema(found)
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache


def test_every_route_and_method_is_described_and_nothing_else() -> None:
    described = {(path, method.upper()) for path, method, _ in operations()}
    real = {
        (re.sub(r"<str:(\w+)>", r"{\1}", f"/api/v1/{route.pattern}"), method)
        for route in urls.urlpatterns
        for method in route.callback.view_class.roles
        if not route.callback.view_class.public
    }
    assert described == real


def test_every_method_that_has_a_role_has_a_handler_and_the_other_way_round() -> None:
    for route in urls.urlpatterns:
        view = route.callback.view_class
        assert issubclass(view, Endpoint)
        handlers = {m.upper() for m in view.http_method_names if hasattr(view, m)} - {"HEAD"}
        assert handlers == set(view.roles), view


@pytest.mark.parametrize(
    ("path", "method", "operation"),
    operations(),
    ids=[f"{method} {path}" for path, method, _ in operations()],
)
def test_each_operation_says_who_may_what_and_what_can_go_wrong(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert "Needs the role" in operation["description"]
    assert operation["security"] == [{"token": []}, {"session": []}]
    wanted = {"400", "401", "403", "429", "500"}
    wanted |= {"404"} if "{" in path else set()
    wanted |= {"409", "413", "415", "422"} if method == "post" else set()
    assert wanted <= set(operation["responses"])
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    assert ("Idempotency-Key" in names) == (method == "post")
    if operation["operationId"].startswith("list_"):
        assert {"limit", "cursor"} <= names
    if "requestBody" in operation:
        (body,) = operation["requestBody"]["content"].items()
        assert body[0] == "application/json"
        assert body[1]["examples"]


def test_bodies_that_are_sent_allow_no_other_fields() -> None:
    schemas = openapi()["components"]["schemas"]
    sent = [name for name in schemas if name.endswith("Request")]
    assert len(sent) >= 7
    assert all(schemas[name]["additionalProperties"] is False for name in sent)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_no_script_no_style_of_its_own_and_no_other_host(stranger: Any) -> None:
    answer = stranger.get("docs")
    assert answer.status_code == 200
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    page = Page(answer.content.decode())
    assert not [tag for tag, _ in page.tags if tag in {"script", "style", "iframe", "img"}]
    for tag, attributes in page.tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes), tag
        for name in ("href", "src"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or ""), attributes


def test_the_page_shows_every_operation_and_each_link_leads_somewhere(stranger: Any) -> None:
    html = stranger.get("docs").content.decode()
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"] for tag, a in page.tags if tag == "a" and str(a["href"]).startswith("#")}
    assert {str(link)[1:] for link in links} <= set(ids)
    for _, _, operation in operations():
        assert operation["operationId"] in ids
        assert operation["summary"] in html.replace("&#x27;", "'")


def test_everybody_may_read_them_and_a_cache_may_keep_them(stranger: Any) -> None:
    for path in ("openapi.json", "docs"):
        answer = stranger.get(path)
        assert answer["Cache-Control"] == "public, max-age=300"
        assert not answer.cookies


def test_the_document_names_every_kind_of_problem_and_no_other() -> None:
    text = (Path(settings.BASE_DIR) / "docs/api/README.md").read_text("utf-8")
    said = dict(re.findall(r"^\| (\d{3}) \| `(\w+)` \|", text, re.M))
    assert said == {str(status): code for status, (_, code) in KINDS.items()}
