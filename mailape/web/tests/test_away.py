"""A database that takes no writes: pages and API say that it is for a moment, and lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from mailape.lists.models import MailingList
from tests.house.people import Person

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def no_writes() -> Iterator[None]:
    """As where the disk under the database is full, or a stand-by answers."""
    on, off = ("PRAGMA query_only = on", "PRAGMA query_only = off")
    if connection.vendor == "postgresql":
        on, off = (f"SET default_transaction_read_only = {word}" for word in ("on", "off"))
    with connection.cursor() as cursor:
        cursor.execute(on)
        try:
            yield
        finally:
            cursor.execute(off)


def test_a_page_says_that_it_is_for_a_moment_and_the_same_form_works_after_it(alice: Person):
    browser = alice.client()
    browser.raise_request_exception = False
    form = {"name": "Weekly letter"}
    with no_writes():
        assert browser.get("/lists").status_code == 200
        answer = browser.post("/lists/new", form)
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert "try again in a minute" in answer.content.decode()
    assert not MailingList.objects.exists()
    assert browser.post("/lists/new", form).status_code == 302


def test_the_api_says_so_and_the_same_key_works_after_it(alice: Person, client: Client):
    client.raise_request_exception = False
    headers = {**alice.headers(), "Idempotency-Key": "k-1"}

    def post() -> Any:
        body = {"name": "Weekly letter"}
        return client.post("/api/v1/lists", body, "application/json", headers=headers)

    with no_writes():
        answer = post()
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert answer.json()["code"] == "unavailable"
    assert post().status_code == 201


def test_it_is_told_to_whoever_monitors(alice: Person):
    with no_writes(), pytest.raises(Exception, match=r"read-?only"):
        alice.client().post("/lists/new", {"name": "Weekly letter"})
