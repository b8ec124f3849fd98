"""Calling the API as people do: `api(alice).post("lists", {"name": "Letter"})`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.house.people import Person

CAPITALS = {"get", "post", "patch", "delete", "head", "put", "options", "trace"}


class Api:
    """The API under one token. Paths are written as behind /api/v1/, or whole as in `next`."""

    def __init__(self, token: str = "") -> None:
        self.client = Client(headers={"Authorization": f"Bearer {token}"} if token else {})

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        url = path if path.startswith(("/", "http")) else f"/api/v1/{path}"
        url = "/api/v1/" + url.partition("/api/v1/")[2] if url.startswith("http") else url
        data = b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        found: HttpResponse = self.client.generic(
            method.upper(), url, data, "application/json", headers=named
        )
        return found

    def __getattr__(self, name: str) -> Callable[..., HttpResponse]:
        if name not in CAPITALS:
            raise AttributeError(name)
        return lambda path, body=None, **headers: self.call(name, path, body, **headers)


@pytest.fixture
def api() -> Callable[[Person], Api]:
    """The API with a new token of this person."""
    return lambda person: Api(person.token())


@pytest.fixture
def stranger() -> Api:
    """The API without a token."""
    return Api()
