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

from mailape.core import ids, keyset
from mailape.core.errors import Invalid, NotFound
from mailape.lists import access, find
from mailape.lists.search import Wanted

LIMIT = 100
MOST = 1000
FORWARDS, BACKWARDS = "n", "p"
PARAMETERS = frozenset({"limit", "cursor"})


class Shown:
    """Some rows of a collection, and the addresses of the pages beside them."""

    rows: list[Any]
    next: str | None
    previous: str | None

    def answer(self, results: Any) -> dict[str, Any]:
        """The page as the API shows it."""
        return {"results": results, "next": self.next, "previous": self.previous}


class Page(Shown):
    """One page of `found`, ordered by key; newest first unless `oldest_first`.

    Several querysets are merged. `kind` is the kind of opaque id that the rows' keys have. Raises
    Invalid for a limit or cursor that cannot be used.
    """

    def __init__(
        self,
        request: Request,
        found: QuerySet[Any] | Sequence[QuerySet[Any]],
        kind: str,
        *,
        oldest_first: bool = False,
    ) -> None:
        self._links = _Links(request, kind)
        limit = limit_of(request)
        direction, key = self._links.cursor()
        backwards = direction == BACKWARDS
        # One row more than asked for tells whether there is another page.
        rows = keyset.nearest(found, key, limit + 1, ascending=oldest_first != backwards)
        more, rows = len(rows) > limit, rows[:limit]
        self.rows = rows[::-1] if backwards else rows
        self.next = self._link(FORWARDS, -1) if more or backwards else None
        self.previous = None
        if more if backwards else key is not None:
            self.previous = self._link(BACKWARDS, 0)

    def _link(self, direction: str, row: int) -> str:
        # Behind the last page, when all its rows were deleted meanwhile: begin again.
        return self._links.to(direction, self.rows[row].pk if self.rows else None)


class Found(Shown):
    """One page of the people on a list whom `lists.find` finds; who came last is first.

    Of many rows not all are looked at for one page: it may hold fewer than were asked for, and
    `next` goes on. Raises Invalid as Page does, and for a text that cannot be searched for.
    """

    def __init__(self, request: Request, wanted: Wanted) -> None:
        links = _Links(request, "subscriber")
        direction, person = links.cursor()
        side = "before" if direction == BACKWARDS else "after"
        found = find.page(wanted, size=limit_of(request), **{side: person})
        self.rows = access.subscriptions_of(wanted.list, found.people) if wanted.list else []
        self.next = links.to(FORWARDS, found.after) if found.after else None
        self.previous = links.to(BACKWARDS, found.before) if found.before else None


class _Links:
    """The cursor in an address, and the addresses of the pages beside it."""

    def __init__(self, request: Request, kind: str) -> None:
        self._request, self._kind = request, kind

    def cursor(self) -> tuple[str, int | None]:
        """Its direction, and the key of the row that it names. Raises Invalid."""
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

    def to(self, direction: str, key: int | None) -> str:
        """The address with a cursor in that direction from this row on; None for the beginning."""
        given = self._request.query_params
        kept = {name: given[name] for name in given if name != "cursor"}
        if key is not None:
            kept["cursor"] = direction + ids.public(self._kind, key)
        query = f"?{urlencode(kept)}" if kept else ""
        return f"{settings.SITE_URL}{self._request.path}{query}"


def limit_of(request: Request) -> int:
    """How many rows are wanted. Raises Invalid for what is no number from 1 to 1,000."""
    text = request.query_params.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST and len(text) < 9):
        raise Invalid(f"limit is a number from 1 to {MOST}.", "limit")
    return int(text)
