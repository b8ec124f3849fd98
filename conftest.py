"""Fixtures for every test. docs/develop/testing.md lists them with examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db.backends.postgresql.operations import DatabaseOperations

from mailape.core import keys
from mailape.lists.models import MailingList
from tests.house import people
from tests.house.people import Person

pytest_plugins = ["tests.house.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    """What differs from production in the process of the tests, and nothing else."""
    # Three hundred thousand rounds of hashing per sign-in would be most of the suite's time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Without collectstatic there is no manifest; the processes that tests start have the real one.
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    # TRUNCATE makes new files for each table and index: 66 ms a test, for next to no rows.
    DatabaseOperations.sql_flush = _emptied  # type: ignore[method-assign, assignment]


def _emptied(
    of: DatabaseOperations, style: object, tables: Sequence[str], **how: bool
) -> list[str]:
    """The statements that empty these tables. Foreign keys are looked at when all is done."""
    return [f"DELETE FROM {of.quote_name(table)}" for table in tables]  # noqa: S608 - our own


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The SMTP client and the octets of a mail know neither database nor broker, beyond reading a
    row that a test made: they are asked on one stack."""
    for item in items:
        if any(
            of in item.path.as_posix() for of in ("/delivery/transports/wire/", "/delivery/mime/")
        ):
            item.add_marker(pytest.mark.once)


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Each test has a database of its own, so what was remembered of the last one is wrong."""
    keys.forget()
    yield
    keys.forget()
    if settings.REDIS_URL:
        cache.clear()


@pytest.fixture
def alice(db: None) -> Person:
    """Owns a workspace."""
    return people.open_workspace("alice")


@pytest.fixture
def bob(alice: Person) -> Person:
    """On Alice's team, as an editor."""
    return people.join(alice, "bob")


@pytest.fixture
def charlie(db: None) -> Person:
    """Owns another workspace and must see nothing of Alice's."""
    return people.open_workspace("charlie")


@pytest.fixture
def a_list(alice: Person) -> MailingList:
    """A list in Alice's workspace."""
    return MailingList.objects.create(workspace=alice.workspace, name="Weekly letter")
