"""Pages by keyset: as fast on the last page of a million rows as on the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from mailape.core import ids, keyset

SIZE = 50
BESIDE = ("after", "before")  # a filter or another order begins at the first page


@dataclass(frozen=True)
class Page:
    """Rows, newest first, and the query strings of the pages beside this one."""

    rows: list[Any]
    newer: str = ""
    older: str = ""
    cut: bool = False  # not all rows could be looked at: there may be more behind the link


def page(
    request: HttpRequest,
    found: QuerySet[Any] | Sequence[QuerySet[Any]],
    *,
    kind: str,
    field: str = "pk",
    size: int = SIZE,
) -> Page:
    """The page that `?after=` or `?before=` names, by falling `field`.

    Several querysets are merged. `kind` is the kind of opaque id that hides the field's value.
    Raises NotFound for a wrong one.
    """
    after, before = request.GET.get("after"), request.GET.get("before")
    beside = before or after
    key = ids.private(kind, beside) if beside else None
    rows = keyset.nearest(found, key, size + 1, ascending=bool(before), field=field)
    more, rows = len(rows) > size, rows[:size]
    if before:
        rows.reverse()
    return Page(
        rows,
        newer=_link(request, kind, "before", rows[0], field)
        if rows and (more if before else after)
        else "",
        older=_link(request, kind, "after", rows[-1], field) if rows and (before or more) else "",
    )


def _link(request: HttpRequest, kind: str, side: str, row: Any, field: str) -> str:
    return link(request, **{side: ids.public(kind, getattr(row, field))})


def link(request: HttpRequest, **changes: Any) -> str:
    """`?…` of this page with some values changed (None takes one away), at its first page."""
    query = request.GET.copy()
    for name in BESIDE:
        query.pop(name, None)
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = value
    return f"?{query.urlencode()}"
