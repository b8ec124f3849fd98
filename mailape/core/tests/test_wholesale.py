"""Hundreds of rows in one step, and statements in one go, on either database."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from mailape.accounts.models import Workspace
from mailape.core import among, wholesale

pytestmark = pytest.mark.django_db(transaction=True)

_NAME = "UPDATE accounts_workspace SET name = %s WHERE id = %s"


@pytest.fixture
def workspaces() -> list[Workspace]:
    return [Workspace.objects.create(name=name) for name in ("one", "two", "three")]


def test_rows_are_fetched_by_their_keys_in_one_step(workspaces: list[Workspace]) -> None:
    table, given = among.these([workspaces[0].pk, workspaces[2].pk, 10**9])
    each = among.each("accounts_workspace", "w")
    found = wholesale.fetch(f"SELECT w.id, w.name FROM {table} {each}", ("id", "name"), [given])
    assert dict(found) == {workspaces[0].pk: "one", workspaces[2].pk: "three"}


def test_statements_in_one_go_know_their_counts_at_the_end(workspaces: list[Workspace]) -> None:
    with transaction.atomic():
        with wholesale.together(), connection.cursor() as hit, connection.cursor() as miss:
            hit.execute(_NAME, ["first", workspaces[0].pk])
            miss.execute(_NAME, ["nobody", 10**9])
        assert (hit.rowcount, miss.rowcount) == (1, 0)
    assert Workspace.objects.get(pk=workspaces[0].pk).name == "first"


def in_one_go(*statements: tuple[str, list[object]]) -> None:
    with transaction.atomic(), wholesale.together(), connection.cursor() as cursor:
        for statement, given in statements:
            cursor.execute(statement, given)


def test_a_fault_among_statements_in_one_go_is_djangos_and_keeps_none_of_them(
    workspaces: list[Workspace],
) -> None:
    names = ["first", None, "third"]
    with pytest.raises(IntegrityError):
        in_one_go(*[(_NAME, [name, w.pk]) for name, w in zip(names, workspaces, strict=True)])
    assert {one.name for one in Workspace.objects.all()} == {"one", "two", "three"}


def test_a_line_that_is_cut_in_one_go_says_that_the_database_is_away(
    workspaces: list[Workspace],
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no line")
    cut = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(OperationalError):
        in_one_go((cut, []), (_NAME, ["first", workspaces[0].pk]))
    connection.close()
    assert Workspace.objects.get(pk=workspaces[0].pk).name == "one"


def test_several_questions_are_answered_in_their_order(workspaces: list[Workspace]) -> None:
    asked = "SELECT name FROM accounts_workspace WHERE id = %s"
    first, none, third = wholesale.answers(
        (asked, [workspaces[0].pk]), (asked, [10**9]), (asked, [workspaces[2].pk])
    )
    assert (first, none, third) == ([("one",)], [], [("three",)])
