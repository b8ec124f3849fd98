"""What the address of a table of people asks for: list, status, text, times, order, columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailape.accounts.models import User, Workspace
from mailape.core.errors import NotFound
from mailape.lists import access
from mailape.lists.find import SORTS
from mailape.lists.models import MailingList, PeopleColumns, Status
from mailape.lists.search import Wanted
from mailape.web import sorting
from mailape.web.forms import search_text
from mailape.web.sorting import Sort

NAMES = ("list", "status", "q", "since", "until", "sort")
# The keys in the address; a list's page has its list in the path.
COLUMNS = {
    "name": _("Name"),
    "lists": _("Lists"),
    "joined": _("Joined"),
    "confirmed": _("Confirmed"),
    "left": _("Left"),
    "known": _("Known since"),
}
DEFAULT = {"list": ["name", "joined"], "people": ["name", "lists", "known"]}
OF_A_LIST = {"joined", "confirmed", "left"}


@dataclass(frozen=True)
class Filters:
    """What was asked for, as it was typed, and as `lists` understands it."""

    wanted: Wanted
    since: date | None
    until: date | None
    bad_date: bool

    @property
    def sort(self) -> Sort:
        """The column of the order, for the heads of the table."""
        return Sort(self.wanted.sort, self.wanted.falling)


def read(data: QueryDict, workspace: Workspace, of: MailingList | None = None) -> Filters:
    """The filters of an address; what makes no sense is left out. Days are those of our zone."""
    since, bad_since = _day(data.get("since", ""))
    until, bad_until = _day(data.get("until", ""))
    status = data.get("status", "")
    sort = sorting.read(data, SORTS, "-joined")
    wanted = Wanted(
        workspace.pk,
        of or _list(workspace, data.get("list", "")),
        status if status in Status.values else "",
        search_text(data),
        _morning(since),
        _morning(until + timedelta(days=1) if until else None),
        sort.key,
        sort.falling,
    )
    return Filters(wanted, since, until, bad_since or bad_until)


def kept(data: QueryDict) -> str:
    """The filters of an address as a query string, without what names a page."""
    chosen = QueryDict(mutable=True)
    for name in NAMES:
        if value := data.get(name):
            chosen[name] = value
    return chosen.urlencode()


def _list(workspace: Workspace, public_id: str) -> MailingList | None:
    try:
        return access.a_list(workspace, public_id) if public_id else None
    except NotFound:
        return None


def _day(text: str) -> tuple[date | None, bool]:
    if not text:
        return None, False
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None, True
    return (found, False) if 1900 < found.year < 9000 else (None, True)


def _morning(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time())) if day else None


# --- columns -------------------------------------------------------------------------------------


def columns(user: User, *, of_a_list: bool) -> list[str]:
    """The columns that this person wants to see on this kind of table."""
    chosen = PeopleColumns.objects.filter(user=user).first()
    wanted = DEFAULT["list" if of_a_list else "people"] if chosen is None else chosen.columns
    return [name for name in offered(of_a_list=of_a_list) if name in wanted]


def offered(*, of_a_list: bool) -> Mapping[str, Any]:
    """The columns to choose from."""
    return {name: label for name, label in COLUMNS.items() if of_a_list or name not in OF_A_LIST}


def choose(user: User, chosen: list[str], *, of_a_list: bool) -> None:
    """Remembers what a person wants to see; columns that this table has not stay as they are."""
    before = PeopleColumns.objects.filter(user=user).first()
    default = sorted({*DEFAULT["list"], *DEFAULT["people"]})
    there = offered(of_a_list=of_a_list)
    others = [one for one in (before.columns if before else default) if one not in there]
    names = [one for one in COLUMNS if one in {*others, *(set(chosen) & set(there))}]
    PeopleColumns.objects.update_or_create(user=user, defaults={"columns": names})


def is_local(path: str) -> bool:
    """Whether this is the address of a table of people here, to go back to."""
    return path.startswith(("/people", "/lists/")) and "\\" not in path and path.isprintable()


def back(request: HttpRequest, default: str) -> str:
    """The page that a form came from."""
    path = str(request.POST.get("back", ""))
    return path[:1000] if is_local(path) else default
