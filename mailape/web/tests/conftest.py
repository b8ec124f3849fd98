"""Alice's workspace, with one of everything in it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from django.test import Client

from mailape.web import evenly
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for evenness, but where a test measures it."""
    monkeypatch.setattr(evenly, "AT_LEAST", 0.0)


@pytest.fixture(scope="module")
def first_world(standing: Callable[[Callable[[], World]], World]) -> World:
    """Alice's, made once for a module that asks each page about it: `usefixtures("first_world")`.

    There `world` and `alice` are copies of it, as they stood before the first test.
    """
    return standing(lambda: worlds.build(people.open_workspace("alice")))


@pytest.fixture
def world(request: pytest.FixtureRequest, db: None) -> World:
    """Alice's workspace with one of everything."""
    if "first_world" in request.fixturenames:
        return copy.deepcopy(request.getfixturevalue("first_world"))
    return worlds.build(request.getfixturevalue("alice"))


@pytest.fixture
def alice(request: pytest.FixtureRequest, db: None) -> Person:
    """Owns a workspace."""
    if "first_world" in request.fixturenames:
        return request.getfixturevalue("world").owner
    return people.open_workspace("alice")


@pytest.fixture
def stranger() -> Client:
    """Nobody in particular, with strict CSRF as in a browser."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def admin(alice: Person) -> Person:
    """Alice, who looks after the instance, too."""
    alice.user.is_admin = True
    alice.user.save()
    return alice
