"""Pages of a collection by key: quick at any depth, and nothing is lost or doubled in between.

A cursor is a direction and the opaque id of the row to go on from, so it tells nothing and one
that was made up or belongs to another collection is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.request import Request

from mailape.core import ids
from mailape.core.errors import Invalid, NotFound

LIMIT = 100
MOST = 1000
FORWARDS, BACKWARDS = "n", "p"
PARAMETERS = frozenset({"limit", "cursor"})


class Page:
    """One page of `found`, ordered by key; newest first unless `oldest_first`.

    Several querysets are merged: three that each follow an index beat one that follows none.
    `kind` is the kind of opaque id that the rows' keys have. Raises Invalid for a limit or cursor
    that cannot be used.
    """

    def __init__(
        self,
        request: Request,
        found: QuerySet[Any] | Sequence[QuerySet[Any]],
        kind: str,
        *,
        oldest_first: bool = False,
    ) -> None:
        self._request = request
        self._kind = kind
        limit = limit_of(request)
        direction, key = self._cursor()
        backwards = direction == BACKWARDS
        # One row more than asked for tells whether there is another page.
        rows = _nearest(
            [found] if isinstance(found, QuerySet) else found,
            key,
            limit + 1,
            ascending=oldest_first != backwards,
        )
        more, rows = len(rows) > limit, rows[:limit]
        self.rows = rows[::-1] if backwards else rows
        self.next = self._link(FORWARDS, -1) if more or backwards else None
        self.previous = None
        if more if backwards else key is not None:
            self.previous = self._link(BACKWARDS, 0)

    def answer(self, results: Any) -> dict[str, Any]:
        """The page as the API shows it."""
        return {"results": results, "next": self.next, "previous": self.previous}

    def _cursor(self) -> tuple[str, int | None]:
        text = self._request.query_params.get("cursor", "")
        if not text:
            return FORWARDS, None
        try:
            if text[0] not in (FORWARDS, BACKWARDS):
                raise NotFound("")
            return text[0], ids.private(self._kind, text[1:])
        except NotFound:
            raise Invalid(
                "This cursor is not one that this collection gave. Use the links as they are.",
                "cursor",
            ) from None

    def _link(self, direction: str, row: int) -> str | None:
        # Behind the last page, when all its rows were deleted meanwhile: begin again.
        given = self._request.query_params
        kept = {name: given[name] for name in given if name != "cursor"}
        if self.rows:
            kept["cursor"] = direction + ids.public(self._kind, self.rows[row].pk)
        query = f"?{urlencode(kept)}" if kept else ""
        return f"{settings.SITE_URL}{self._request.path}{query}"


def _nearest(
    querysets: Sequence[QuerySet[Any]], key: int | None, number: int, *, ascending: bool
) -> list[Any]:
    """The `number` rows that lie nearest behind `key`, in the order they are come upon."""
    rows: list[Any] = []
    for found in querysets:
        if key is not None:
            found = found.filter(**{"pk__gt" if ascending else "pk__lt": key})
        rows += found.order_by("pk" if ascending else "-pk")[:number]
    rows.sort(key=lambda row: row.pk, reverse=not ascending)
    return rows[:number]


def limit_of(request: Request) -> int:
    """How many rows are wanted. Raises Invalid for what is no number from 1 to 1,000."""
    text = request.query_params.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST and len(text) < 9):
        raise Invalid(f"limit is a number from 1 to {MOST}.", "limit")
    return int(text)
