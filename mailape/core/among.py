"""The lookup `among`: what `in` is, for hundreds of keys at a time.

    Subscriber.objects.filter(pk__among=keys)

`in` writes one parameter per key, which Django prepares one by one: some 40 µs for each of 500 keys
over a worker's queries. Here they are one parameter, and that a text, because PostgreSQL's driver
would write an array in Python, number by number: an array's text for PostgreSQL, JSON for SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import Field, ForeignKey, Lookup


@ForeignKey.register_lookup  # which does not inherit those of Field
@Field.register_lookup
class Among(Lookup):
    """Whole numbers only."""

    lookup_name = "among"
    prepare_rhs = False
    rhs: Collection[int]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """For SQLite."""
        field, values = self.process_lhs(compiler, connection)
        keys = json.dumps([int(key) for key in self.rhs])
        among = f"{field} IN (SELECT value FROM json_each(%s))"  # noqa: S608 - a column's name
        return among, (*values, keys)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """For PostgreSQL."""
        field, values = self.process_lhs(compiler, connection)
        return f"{field} = ANY(%s::bigint[])", (*values, _array(self.rhs))


def these(keys: Collection[int]) -> tuple[str, Any]:
    """For statements written out: a table `k` with the one column `id`, and its parameter.

    table, given = among.these(keys)
    cursor.execute(f"SELECT k.id FROM {table} WHERE ...", [given, ...])
    """
    if connection.vendor == "postgresql":
        return "unnest(%s::bigint[]) AS k(id)", _array(keys)
    return "(SELECT value AS id FROM json_each(%s)) AS k", json.dumps(list(keys))


def each(table: str, alias: str) -> str:
    """Behind `FROM {these}`: the row of `table` for each key, by its primary key.

    As a plain join PostgreSQL, which takes random reads for four times as dear as others, would
    read the whole table for a few hundred rows of it; and of a list that was imported a minute ago
    it has no statistics yet. A LIMIT in a LATERAL leaves it no choice.
    """
    if connection.vendor == "postgresql":
        return f"CROSS JOIN LATERAL (SELECT * FROM {table} WHERE id = k.id LIMIT 1) {alias}"  # noqa: S608
    return f"JOIN {table} {alias} ON {alias}.id = k.id"


def _array(keys: Collection[int]) -> str:
    """An array as PostgreSQL reads it."""
    return "{" + ",".join(str(int(key)) for key in keys) + "}"
