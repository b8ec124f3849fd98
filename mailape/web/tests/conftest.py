"""Alice's workspace, with one of everything in it."""

import pytest
from django.test import Client

from mailape.web import evenly
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house.people import Person


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for evenness, but where a test measures it."""
    monkeypatch.setattr(evenly, "AT_LEAST", 0.0)


@pytest.fixture
def world(alice: Person) -> World:
    return worlds.build(alice)


@pytest.fixture
def stranger() -> Client:
    """Nobody in particular, with strict CSRF as in a browser."""
    return Client(enforce_csrf_checks=True)
