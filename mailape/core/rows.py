"""The row that a door leads to, or the error that every face turns into a 404."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from mailape.core.errors import NotFound

Row = TypeVar("Row", bound=Model)


def first(found: QuerySet[Row], said: str) -> Row:
    """The first of these rows. Raises NotFound, which says `said`, where there is none."""
    row = found.first()
    if row is None:
        raise NotFound(said)
    return row
