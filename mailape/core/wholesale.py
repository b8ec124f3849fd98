"""Hundreds of rows in one step, for a thread that shares its process with a busy one.

SQLite's driver lets go of the interpreter and takes it back for each row, and each time the other
thread may have it meanwhile: 500 rows then take longer than all that is done with them. So here a
result comes over as one JSON text, and rows to be written go as one. PostgreSQL's driver takes a
result as a whole by itself.

Only whole numbers, text and NULL, in either direction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection

Columns = Sequence[tuple[str, str]]


def fetch(statement: str, columns: Sequence[str], given: Sequence[Any]) -> list[Sequence[Any]]:
    """The rows of a SELECT whose result has these columns, each with a name of its own."""
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            cursor.execute(statement, given)
            return list(cursor.fetchall())
        names = ", ".join(columns)
        cursor.execute(
            f"SELECT json_group_array(json_array({names})) FROM ({statement})",  # noqa: S608
            given,
        )
        rows: list[Sequence[Any]] = json.loads(cursor.fetchone()[0])
        return rows


def table(columns: Columns, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Rows as a table `v` for FROM, and its parameter; columns by name and PostgreSQL's type.

    An array for each column would do as well on PostgreSQL, and takes its driver three times as
    long. Moments are to be given as text.
    """
    if connection.vendor == "sqlite":
        picked = [f"json_extract(value, '$[{n}]') AS {name}" for n, (name, _) in enumerate(columns)]
        source = "json_each(%s)"
    else:
        picked = [f"(value ->> {n})::{kind} AS {name}" for n, (name, kind) in enumerate(columns)]
        source = "jsonb_array_elements(%s::jsonb)"
    return f"(SELECT {', '.join(picked)} FROM {source}) AS v", [json.dumps(rows)]  # noqa: S608


@contextmanager
def together() -> Iterator[None]:
    """Statements in here go to PostgreSQL in one go: `rowcount` is known, and a fault raised, only
    at the end. On SQLite, which has nobody to wait for, they are done one by one.

    Where a busy thread has the interpreter meanwhile, each answer that is waited for costs a
    millisecond.
    """
    if connection.vendor == "sqlite":
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def answers(*asked: tuple[str, Sequence[Any]]) -> list[list[tuple[Any, ...]]]:
    """What several SELECTs give, each with its parameters, asked in one go."""
    with ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in asked]
        with together():
            for cursor, (statement, given) in zip(cursors, asked, strict=True):
                cursor.execute(statement, given)
        return [list(cursor.fetchall()) for cursor in cursors]
