"""Pages of people among a million, which never cost more than a bounded look.

- *few* who fit (up to FEW, by one of the conditions): they are fetched, checked and sorted here;
- *many*: the index of the wanted order is walked in stretches that grow, each with two ends, and
  every row on the way is looked at, until the page is full or all STRETCHES were walked. Then the
  page says so and offers to go on from there.

So no query sorts and cuts what another condition filters: a planner that guesses such a one wrong
reads a whole table, and neither database guesses well here (SQLite has no statistics at all).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value

from mailape.lists import numbers, search
from mailape.lists.models import Subscriber, Subscription
from mailape.lists.search import FEW, Wanted

MOST = 2 * FEW
STRETCHES = (500, 4_000, 8_000, 8_000, 8_000)  # rows of an index that are looked at for one page
SORTS = {"joined": "created_at", "email": "email_key", "name": "name_key"}
SIZE = 50


@dataclass(frozen=True)
class Found:
    """A page of people's keys, in order, and the keys that its neighbours begin behind or before.

    `cut` when not all rows could be looked at: then there may be more in the direction gone.
    """

    people: list[int]
    before: int | None = None
    after: int | None = None
    cut: bool = False


def page(
    wanted: Wanted, *, after: int | None = None, before: int | None = None, size: int = SIZE
) -> Found:
    """The page behind the person `after`, or before the person `before`; else the first one.

    Raises Invalid for a text that cannot be searched for. A person who is gone begins anew.
    """
    drive = _drive(wanted)
    person = before or after
    cursor = drive.key_of(person) if person else None
    backwards = bool(before and cursor)
    fits = _conditions(drive, wanted)
    few = _few(wanted) if fits is not None else None
    if few is None:
        walked = _walk(drive, wanted, fits, cursor, size, backwards)
    else:
        walked = _cut(_in_order(few, wanted), wanted, cursor, size, backwards)
    return _page(walked, cursor is not None, size, backwards)


class Walked(NamedTuple):
    """People in the direction that was gone, one more than a page where there is more."""

    people: list[int]
    stopped_at: int | None = None


def _page(walked: Walked, moved: bool, size: int, backwards: bool) -> Found:
    more, people = len(walked.people) > size, walked.people[:size]
    onwards = people[-1] if more else walked.stopped_at
    back = people[0] if people and moved else None
    if backwards:
        return Found(people[::-1], before=onwards, after=back, cut=walked.stopped_at is not None)
    return Found(people, before=back, after=onwards, cut=walked.stopped_at is not None)


# --- few -----------------------------------------------------------------------------------------


class Row(NamedTuple):
    """What a person is checked and sorted by; the last three of the subscription, if one counts."""

    person: int
    email_key: str
    name_key: str
    family_key: str
    domain: str
    created_at: datetime
    subscription: int = 0
    joined_at: datetime | None = None
    status: str = ""


_OF_A_PERSON = ("pk", "email_key", "name_key", "family_key", "domain", "created_at")
_OF_HER = (
    *("subscriber_id" if name == "pk" else f"subscriber__{name}" for name in _OF_A_PERSON),
    *("pk", "created_at", "status"),
)


def _few(wanted: Wanted) -> list[Row] | None:
    """Everybody who fits, where one condition alone leaves few; None where none does."""
    for source in (_by_list, _by_text, _by_time):
        rows = source(wanted)
        if rows is not None:
            return _checked(rows, wanted)
    return None


def _by_list(wanted: Wanted) -> list[Row] | None:
    if wanted.list is None:
        return None
    kept = numbers.counts([wanted.list])[wanted.list.pk]
    if (kept[wanted.status] if wanted.status else sum(kept.values())) > FEW:
        return None
    found = [Row(*values) for values in search.subscriptions(wanted).values_list(*_OF_HER)[:MOST]]
    return found if len(found) < MOST else None  # should the kept numbers be wrong


def _by_text(wanted: Wanted) -> list[Row] | None:
    rows: dict[int, Row] = {}
    if not wanted.q:
        return None
    people = Subscriber.objects.filter(workspace=wanted.workspace_id)
    for start in search.starts(wanted.q):
        found = people.filter(start.fits())
        if found.values("pk")[FEW : FEW + 1]:
            return None
        rows |= {values[0]: Row(*values) for values in found.values_list(*_OF_A_PERSON)}
    return list(rows.values())


def _by_time(wanted: Wanted) -> list[Row] | None:
    if not (wanted.since or wanted.until):
        return None
    if wanted.list is not None:
        names: tuple[str, ...] = _OF_HER
        dated: Any = Subscription.objects.filter(search.between(wanted), list=wanted.list)
    else:
        names = _OF_A_PERSON
        dated = Subscriber.objects.filter(search.between(wanted), workspace=wanted.workspace_id)
    rows = [Row(*values) for values in dated.values_list(*names)[: FEW + 1]]
    return rows if len(rows) <= FEW else None


def _checked(rows: list[Row], wanted: Wanted) -> list[Row]:
    """Those who fit in everything."""
    if wanted.q:
        begins = search.starts(wanted.q)
        rows = [row for row in rows if any(getattr(row, c).startswith(t) for c, t in begins)]
    if wanted.list is not None or wanted.status:
        rows = _subscribed(rows, wanted)
    since, until = wanted.since, wanted.until
    return [
        row
        for row in rows
        if (since is None or _since(row) >= since) and (until is None or _since(row) < until)
    ]


def _since(row: Row) -> datetime:
    return row.joined_at or row.created_at


def _subscribed(rows: list[Row], wanted: Wanted) -> list[Row]:
    """Those with such a subscription; with a list, each with what counts of it."""
    if rows and rows[0].subscription:
        return [row for row in rows if wanted.status in ("", row.status)]
    found = search.subscriptions(wanted).filter(subscriber__in=[row.person for row in rows])
    # With the status, which no index of a list's order holds: for what `subscription_joined` could
    # answer alone, SQLite would read all of it rather than look up a dozen.
    columns = ("subscriber_id", "pk", "created_at", "status")
    hers = {one[0]: one[1:] for one in found.values_list(*columns)}
    there = [row for row in rows if row.person in hers]
    if wanted.list is None:
        return there
    return [
        row._replace(subscription=hers[row.person][0], joined_at=hers[row.person][1])
        for row in there
    ]


def _in_order(rows: list[Row], wanted: Wanted) -> list[tuple[Any, Any, int]]:
    """Key, what parts those of one key, and person; in rising order."""
    if wanted.sort == "joined" and wanted.list is not None:
        return sorted((row.joined_at, row.person, row.person) for row in rows)
    column = SORTS[wanted.sort]
    return sorted((getattr(row, column), row.email_key, row.person) for row in rows)


def _cut(
    rows: list[tuple[Any, Any, int]], wanted: Wanted, cursor: Any, size: int, backwards: bool
) -> Walked:
    keys = [row[:2] for row in rows]
    if wanted.falling != backwards:
        end = bisect_left(keys, cursor) if cursor else len(rows)
        chosen = rows[max(0, end - size - 1) : end][::-1]
    else:
        begin = bisect_right(keys, cursor) if cursor else 0
        chosen = rows[begin : begin + size + 1]
    return Walked([row[2] for row in chosen])


# --- many ----------------------------------------------------------------------------------------


class Beside(Func):
    """(column, tie) < (value, value): one bound of an index, for both databases.

    Said with AND and OR, an index would be used for the column alone, and people who were imported
    in one moment have the same in it. On SQLite `tie` must not be the rowid.
    """

    output_field = BooleanField()
    template = "(%(left)s) %(side)s (%(right)s)"

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> Any:  # type: ignore[override]
        """The comparison of both rows."""
        parts = [compiler.compile(one) for one in self.get_source_expressions()]
        sql = [part[0] for part in parts]
        said = {"left": ", ".join(sql[:2]), "right": ", ".join(sql[2:]), "side": self.extra["side"]}
        return self.template % said, [value for part in parts for value in part[1]]


@dataclass(frozen=True)
class Drive:
    """The index that is walked: its rows, the column of the order, what parts equals, and whose
    row it is."""

    rows: QuerySet[Any]
    column: str
    tie: str
    person: str

    def key_of(self, person: int) -> tuple[Any, Any] | None:
        """Where a person stands in this order; None for one who is gone."""
        found = self.rows.filter(**{self.person: person}).values_list(self.column, self.tie)
        return found.first()

    def behind(self, key: tuple[Any, Any], falling: bool, *, with_it: bool = False) -> Beside:
        """The rows behind a key in that direction, and with `with_it` the row itself."""
        field = self.rows.model._meta.get_field
        columns = (self.column, self.tie)
        values = [
            Value(value, output_field=_plain(field(name)))
            for name, value in zip(columns, key, strict=True)
        ]
        sides = ("<" if falling else ">") + ("=" if with_it else "")
        return Beside(*map(F, columns), *values, side=sides)

    def ordered(self, rows: QuerySet[Any], falling: bool) -> QuerySet[Any]:
        """In order, as column, tie and person."""
        sign = "-" if falling else ""
        return rows.order_by(f"{sign}{self.column}", f"{sign}{self.tie}").values_list(
            self.column, self.tie, self.person
        )


def _plain(field: Any) -> Any:
    """The field that a value of this one is given to the database as."""
    return field.target_field if field.is_relation else field


def _drive(wanted: Wanted) -> Drive:
    if wanted.sort == "joined" and wanted.list is not None:
        subscriptions = Subscription.objects.filter(list=wanted.list)
        return Drive(subscriptions, "created_at", "subscriber_id", "subscriber_id")
    people = Subscriber.objects.filter(workspace=wanted.workspace_id)
    return Drive(people, SORTS[wanted.sort], "email_key", "pk")


def _conditions(drive: Drive, wanted: Wanted) -> Q | None:
    """What a row on the way must fit in besides its place; None for nothing."""
    by_subscription = drive.person == "subscriber_id"
    if wanted.everybody and (wanted.list is None or by_subscription):
        return None
    return _of_subscription(wanted) if by_subscription else _of_person(wanted)


def _of_subscription(wanted: Wanted) -> Q:
    fits = search.between(wanted)
    if wanted.status:
        fits &= Q(status=wanted.status)
    if wanted.q:
        her = Subscriber.objects.filter(pk=OuterRef("subscriber_id"))
        fits &= Q(Exists(her.filter(search.glimpsed(wanted.q))))
    return fits


def _of_person(wanted: Wanted) -> Q:
    fits = search.glimpsed(wanted.q) if wanted.q else Q()
    if wanted.list is None:
        fits &= search.between(wanted)
    if wanted.list is not None or wanted.status:
        hers = search.subscriptions(wanted).filter(subscriber=OuterRef("pk"))
        fits &= Q(Exists(hers.filter(search.between(wanted)) if wanted.list else hers))
    return fits


def _walk(
    drive: Drive, wanted: Wanted, fits: Q | None, cursor: Any, size: int, backwards: bool
) -> Walked:
    falling = wanted.falling != backwards
    if drive.column == "created_at":
        drive = replace(drive, rows=drive.rows.filter(search.between(wanted)))
    if fits is None:
        rows = drive.rows.filter(drive.behind(cursor, falling)) if cursor else drive.rows
        return Walked([row[2] for row in drive.ordered(rows, falling)[: size + 1]])
    found: list[int] = []
    end: Any = None
    for length in STRETCHES:
        rows = drive.rows.filter(drive.behind(cursor, falling)) if cursor else drive.rows
        end = drive.ordered(rows, falling)[length - 1 : length].first()
        if end is not None:
            rows = rows.filter(drive.behind(end[:2], not falling, with_it=True))
        fitting = drive.ordered(rows.filter(fits), falling)[: size + 1 - len(found)]
        found += [row[2] for row in fitting]
        if end is None or len(found) > size:
            return Walked(found)
        cursor = end[:2]
    return Walked(found, stopped_at=end[2])
