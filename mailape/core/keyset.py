"""Rows behind a key, at any depth as fast as at the first: all pages by keyset are cut from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet


def nearest(
    found: QuerySet[Any] | Sequence[QuerySet[Any]],
    key: Any,
    number: int,
    *,
    ascending: bool,
    field: str = "pk",
) -> list[Any]:
    """The `number` rows that lie nearest behind `key`, in the order that they are come upon.

    Without a key from the beginning. Several querysets are merged: three that each follow an index
    beat one that follows none.
    """
    rows: list[Any] = []
    for one in [found] if isinstance(found, QuerySet) else found:
        some = one if key is None else _behind(one, f"{field}__{'gt' if ascending else 'lt'}", key)
        rows += some.order_by(field if ascending else f"-{field}")[:number]
    rows.sort(key=lambda row: getattr(row, field), reverse=not ascending)
    return rows[:number]


def _behind(found: QuerySet[Any], lookup: str, key: Any) -> QuerySet[Any]:
    narrowed = found.filter(**{lookup: key})
    # Its condition before all others: of two bounds on one side SQLite takes the first, and a
    # message's deliveries have bounds of their own, from which it would walk to the key.
    conditions = narrowed.query.where.children
    conditions.insert(0, conditions.pop())
    return narrowed
