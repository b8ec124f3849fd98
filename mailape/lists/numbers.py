"""How many people a list has, and what happened on it each day, without counting subscriptions.

Whoever moves a subscription adds a row that says so, in the same transaction: rows are only added,
so that no counter is hot, however many sign up at once. A sweep folds them into one row for each
list and one for each day; a reading is the sum of both, from one statement, so it is exact at every
commit. `mend` compares with the subscriptions themselves and adds what is missing as one more move.
docs/decisions says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection, transaction

from mailape.core import clock
from mailape.lists.models import (
    ListCount,
    ListDay,
    ListMove,
    MailingList,
    Status,
)

AT_ONCE = 5_000  # moves folded in one transaction
CHECK_EVERY = timedelta(days=1)
_STANDING = tuple(Status.values)
_OF_A_DAY = ("joined", "confirmations", "departures", "growth")
_MEMBERS = {Status.UNCONFIRMED, Status.CONFIRMED}

Counts = dict[str, int]


# --- writing -------------------------------------------------------------------------------------


def moved(
    list_id: int, before: str, after: str, number: int = 1, *, undone: bool = False
) -> ListMove | None:
    """Records that `number` subscriptions went from one state to another, "" being none at all.

    Call it inside the transaction that moves them. With `undone` it takes back what was recorded
    for the move from `before` to `after`, so that the day does not count it either.
    """
    if before == after or not number:
        return None
    sign = -number if undone else number
    what = dict.fromkeys(_STANDING, 0)
    if before:
        what[before] -= sign
    if after:
        what[after] += sign
    gained = int(after == Status.CONFIRMED) - int(before == Status.CONFIRMED)
    return ListMove.objects.create(
        list_id=list_id,
        day=today(),
        joined=sign * int(after in _MEMBERS and before not in _MEMBERS),
        confirmations=sign * int(after == Status.CONFIRMED),
        departures=sign * int(after == Status.UNSUBSCRIBED),
        growth=sign * gained,
        **what,
    )


def today() -> date:
    """The day that a move of now belongs to, in UTC."""
    return clock.now().date()


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """What happened on a list on one day, and how many were confirmed at its end."""

    day: date
    joined: int = 0
    confirmed: int = 0
    unsubscribed: int = 0
    total: int = 0


def counts(which: Iterable[MailingList]) -> dict[int, Counts]:
    """Subscriptions by status for each list's key, with zeros where there are none."""
    return _counts([one.pk for one in which])


def _counts(keys: list[int]) -> dict[int, Counts]:
    found = {key: dict.fromkeys(_STANDING, 0) for key in keys}
    if found:
        standing = ListCount.objects.filter(list__in=keys).values_list("list_id", *_STANDING)
        moves = ListMove.objects.filter(list__in=keys).values_list("list_id", *_STANDING)
        for list_id, *values in standing.union(moves, all=True):
            for status, value in zip(_STANDING, values, strict=True):
                found[list_id][status] += value
    return found


def daily(which: Iterable[MailingList], days: int) -> dict[int, list[Day]]:
    """The last `days` days of each list's key, today's last, with zeros where nothing happened.

    Days are those of UTC. Two queries, whatever the number of lists and days.
    """
    keys = [one.pk for one in which]
    first = today() - timedelta(days=days - 1)
    happened = _days(keys, first)
    standing = _counts(keys)
    return {key: _filled(first, days, happened[key], standing[key]["confirmed"]) for key in keys}


def together(each: Iterable[list[Day]]) -> list[Day]:
    """The sum of several lists, day by day. A person on two lists counts twice."""
    return [
        Day(
            row[0].day,
            sum(one.joined for one in row),
            sum(one.confirmed for one in row),
            sum(one.unsubscribed for one in row),
            sum(one.total for one in row),
        )
        for row in zip(*each, strict=True)
    ]


def _days(keys: list[int], first: date) -> dict[int, dict[date, list[int]]]:
    found: dict[int, dict[date, list[int]]] = {key: {} for key in keys}
    if not found:
        return found
    names = ("list_id", "day", *_OF_A_DAY)
    days = ListDay.objects.filter(list__in=keys, day__gte=first).values_list(*names)
    moves = ListMove.objects.filter(list__in=keys, day__gte=first).values_list(*names)
    for list_id, day, *values in days.union(moves, all=True):
        row = found[list_id].setdefault(day, [0] * len(_OF_A_DAY))
        for place, value in enumerate(values):
            row[place] += value
    return found


def _filled(first: date, days: int, happened: dict[date, list[int]], total: int) -> list[Day]:
    """Backwards from what is now: each day's end is the next one's less what that one gained."""
    rows = []
    for back in range(days - 1, -1, -1):
        day = first + timedelta(days=back)
        joined, confirmed, unsubscribed, growth = happened.get(day, (0, 0, 0, 0))
        rows.append(Day(day, joined, confirmed, unsubscribed, total))
        total -= growth
    return rows[::-1]


# --- folding -------------------------------------------------------------------------------------


def fold(most: int = AT_ONCE) -> int:
    """Adds moves up into one row for each list and day; returns how many rows went.

    The oldest go first, `most` at once. Those that another one folds just now are left to it.
    """
    if not ListMove.objects.exists():
        return 0
    with transaction.atomic():
        moves = list(ListMove.objects.select_for_update(skip_locked=True).order_by("pk")[:most])
        _add_to_counts(moves)
        _add_to_days(moves)
        for first in range(0, len(moves), 500):
            keys = [move.pk for move in moves[first : first + 500]]
            ListMove.objects.filter(pk__in=keys).delete()
    return len(moves)


def _add_to_counts(moves: list[ListMove]) -> None:
    sums: dict[int, list[int]] = {}
    for move in moves:
        row = sums.setdefault(move.list_id, [0] * len(_STANDING))
        for place, status in enumerate(_STANDING):
            row[place] += getattr(move, status)
    rows = [(key, *values) for key, values in sorted(sums.items())]
    _add("lists_listcount", ("list_id",), _STANDING, rows)


def _add_to_days(moves: list[ListMove]) -> None:
    sums: dict[tuple[int, date], list[int]] = {}
    for move in moves:
        row = sums.setdefault((move.list_id, move.day), [0] * len(_OF_A_DAY))
        for place, what in enumerate(_OF_A_DAY):
            row[place] += getattr(move, what)
    rows: list[tuple[int | date, ...]] = [
        (*key, *values) for key, values in sorted(sums.items()) if any(values)
    ]
    _add("lists_listday", ("list_id", "day"), _OF_A_DAY, rows)


def _add(
    table: str, key: tuple[str, ...], sums: tuple[str, ...], rows: Sequence[tuple[int | date, ...]]
) -> None:
    """Adds to the row with this key, or makes it. The words of the statement are ours."""
    names = ", ".join((*key, *sums))
    marks = ", ".join(["%s"] * (len(key) + len(sums)))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    sql = (
        f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}"
    )
    with connection.cursor() as cursor:
        for row in rows:  # in the order of their keys: two that fold never wait for each other
            cursor.execute(sql, row)


# --- comparing and mending -----------------------------------------------------------------------

_COUNTED = ", ".join(f"SUM(CASE status WHEN '{one}' THEN 1 ELSE 0 END)" for one in _STANDING)
_KEPT = ", ".join(f"-SUM({one})" for one in _STANDING)
# One statement, so that all is seen at one instant; it begins with SELECT, because on SQLite
# whatever may write waits for the write lock. All of it is words of ours.
_LACKING = f"""
    SELECT {_COUNTED} FROM lists_subscription WHERE list_id = %s
    UNION ALL SELECT {_KEPT} FROM lists_listcount WHERE list_id = %s
    UNION ALL SELECT {_KEPT} FROM lists_listmove WHERE list_id = %s
"""  # noqa: S608


def differences(which: MailingList) -> Counts:
    """What the kept counts lack, by status; empty where they are right.

    Counts every subscription of the list: 0.1 to 0.3 s a million. Exact while people sign up.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LACKING, [which.pk] * 3)
        rows = cursor.fetchall()
    lacks = {
        status: sum(int(row[place] or 0) for row in rows) for place, status in enumerate(_STANDING)
    }
    return {status: number for status, number in lacks.items() if number}


@transaction.atomic
def mend(which: MailingList) -> Counts:
    """Compares the kept counts with the subscriptions and adds what they lack; returns that.

    What happens meanwhile is not lost: only the difference at one instant is added. The days stay
    as they are, because when it went wrong nobody knows.
    """
    ListCount.objects.get_or_create(list=which)
    # One mender at a time; and a fold waits, which would move numbers from one table to another.
    ListCount.objects.select_for_update().get(list=which)
    lacks = differences(which)
    if lacks:
        ListMove.objects.create(list=which, day=today(), **lacks)
    ListCount.objects.filter(list=which).update(checked_at=clock.now())
    return lacks


def mend_due(most: int = 20) -> int:
    """Mends lists that nobody looked at for a day, a few at once; returns how many were wrong."""
    seen = ListCount.objects.filter(checked_at__gte=clock.now() - CHECK_EVERY)
    due = MailingList.objects.exclude(pk__in=seen.values("list_id")).order_by("pk")[:most]
    return sum(bool(mend(one)) for one in due)
