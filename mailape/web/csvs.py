"""People as CSV: row by row while it is read, and safe in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Prefetch

from mailape.lists import search
from mailape.lists.models import Subscriber, Subscription
from mailape.lists.search import Wanted

# A spreadsheet takes a cell that begins like this for a formula (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
PEOPLE = ("email", "name", "first_name", "known_since")
OF_A_LIST = ("status", "joined", "confirmed", "left")


class _Echo:
    def write(self, text: str) -> str:
        return text


def lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Rows as lines of a file, one after the other; begins with the mark that Excel looks for."""
    writer = csv.writer(_Echo())
    yield "\ufeff"
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])


def safe(cell: Any) -> str:
    """A cell's text; what a spreadsheet would calculate gets an apostrophe in front."""
    text = cell.isoformat(timespec="seconds") if isinstance(cell, datetime) else str(cell or "")
    return f"'{text}" if text.startswith(_FORMULA) else text


def people(wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    """Everybody who fits, by rising key: a thousand are held at a time, and no query stays open."""
    yield (*PEOPLE, *OF_A_LIST) if wanted.list else (*PEOPLE, "lists")
    for keys in search.steps(wanted):
        found = Subscriber.objects.filter(pk__in=keys).defer("fields").order_by("pk")
        for person in found.prefetch_related(_subscriptions(wanted)):
            yield _row(person, wanted)


def _subscriptions(wanted: Wanted) -> Prefetch[Any]:
    hers = Subscription.objects.filter(list__archived_at__isnull=True).select_related("list")
    if wanted.list is not None:
        hers = Subscription.objects.filter(list=wanted.list)
    return Prefetch("subscriptions", queryset=hers.order_by("list_id"), to_attr="hers")


def _row(person: Any, wanted: Wanted) -> tuple[Any, ...]:
    known = (person.email, person.name, person.first_name, person.created_at)
    if wanted.list is None:
        return (*known, "; ".join(f"{one.list.name}: {one.status}" for one in person.hers))
    one = next(iter(person.hers), None)
    if one is None:
        return (*known, "", "", "", "")
    left = one.unsubscribed_at if one.status == "unsubscribed" else None
    return (*known, one.status, one.created_at, one.confirmed_at, left)
