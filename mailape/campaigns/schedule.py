"""When a message goes out: a date and a time as a clock on a wall shows them, and where it hangs.

Twice a year such a time does not exist, or exists twice: both are said, and nothing is guessed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from django.utils.translation import gettext as _

from mailape.core import clock
from mailape.core.errors import Invalid

FURTHEST = timedelta(days=366)
FIRST, SECOND = "first", "second"
# Names that mean a rule of some other zone, or none that anybody lives by.
_NOT_PLACES = ("Etc/", "posix/", "right/", "SystemV/", "US/", "Canada/", "Brazil/", "Chile/")


class Moment(NamedTuple):
    """An instant, in UTC, and the zone in which it was named."""

    at: datetime
    zone: str


class Twice(Invalid):
    """The clocks show this time twice that day: ask which is meant.

    `first` and `second` are the two, with their offsets from UTC.
    """

    def __init__(self, text: str, first: datetime, second: datetime) -> None:
        super().__init__(text, "which")
        self.first, self.second = first, second


def moment(day: str, at: str, zone: str, which: str = "") -> Moment:
    """The instant that this date (`2026-11-29`), time (`09:30`) and zone (`Europe/Berlin`) name.

    `which` is first or second, for a time that the clocks show twice. Raises Invalid with the field
    that will not do: unreadable, not there that day, over already, too far away; Twice.
    """
    where = _zone(zone)
    wall = datetime.combine(_date(day), _time(at))
    first, second = wall.replace(tzinfo=where, fold=0), wall.replace(tzinfo=where, fold=1)
    _must_exist(wall, first, zone)
    if first.utcoffset() == second.utcoffset():
        return Moment(ahead(first), zone)
    if which not in (FIRST, SECOND):
        text = f"On {_day(wall)} the clocks in {zone} show {wall:%H:%M} twice. Say which is meant."
        raise Twice(text, first, second)
    return Moment(ahead(first if which == FIRST else second), zone)


def ahead(at: datetime) -> datetime:
    """`at` in UTC. Raises Invalid where it is over, or more than a year away."""
    now = clock.now()
    if at.utcoffset() is None:
        raise Invalid(
            _("Give the time with its offset from UTC, as 2026-11-29T09:30:00+01:00."), "at"
        )
    if at <= now:
        raise Invalid(_("That time is over already. Choose one that is still to come."), "at")
    if at > now + FURTHEST:
        raise Invalid(_("That is more than a year away. Choose an earlier time."), "at")
    return at.astimezone(UTC)


@lru_cache(maxsize=1)
def zones() -> list[str]:
    """The names of zones that people live by, UTC first."""
    places = [
        name for name in available_timezones() if "/" in name and not name.startswith(_NOT_PLACES)
    ]
    return ["UTC", *sorted(places)]


def _zone(name: str) -> ZoneInfo:
    if name not in zones():
        raise Invalid(_("Choose the time zone from the list."), "zone")
    return ZoneInfo(name)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(
            _("Give the date as year-month-day, for instance 2026-11-29."), "date"
        ) from None


def _time(text: str) -> time:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise Invalid(_("Give the time as hours:minutes, for instance 09:30."), "time")
    return found.replace(second=0, microsecond=0)


def _must_exist(wall: datetime, first: datetime, zone: str) -> None:
    """In the gap of a change to summer time a wall's time comes back from UTC as another one."""
    try:
        back = first.astimezone(UTC).astimezone(first.tzinfo)
    except OverflowError:
        raise Invalid(_("Choose a date within the next year."), "date") from None
    if back.replace(tzinfo=None, fold=0) != wall:
        text = (
            f"On {_day(wall)} the clocks in {zone} are put forward: there is no {wall:%H:%M}. "
            f"Choose another time, for instance {back:%H:%M}."
        )
        raise Invalid(text, "time")


def _day(wall: datetime) -> str:
    return f"{wall.day} {wall:%B %Y}"
