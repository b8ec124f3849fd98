"""Finding people among a million: by the beginning of what one remembers, in any order.

What may be typed: the beginning of an address, of a name, of its last word; "@" and the beginning
of a domain. Each of the four is a range of one index (`models.Subscriber.Meta`). `lists.find` makes
pages of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from mailape.core import address
from mailape.core.errors import Invalid
from mailape.lists import numbers
from mailape.lists.models import MailingList, Subscriber, Subscription

# Behind every letter that a key can hold: the end of the range of those that begin alike.
LAST = chr(0x10FFFF)
FEW = 5_000  # people, who may be fetched to be looked at here
STEP = 1_000


@dataclass(frozen=True)
class Wanted:
    """Who is looked for, and in which order. Times are moments; `until` itself is not wanted.

    With a list, times are of the subscription to it; without one, of the person.
    """

    workspace_id: int
    list: MailingList | None = None
    status: str = ""
    q: str = ""
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "joined"
    falling: bool = True

    @property
    def everybody(self) -> bool:
        """Whether nobody of the list or workspace is left out."""
        return not (self.status or self.q or self.since or self.until)


class Start(NamedTuple):
    """That a column begins with a text."""

    column: str
    text: str

    def fits(self) -> Q:
        """As a condition: a range, which every database answers by an index."""
        return Q(**{f"{self.column}__gte": self.text, f"{self.column}__lt": self.text + LAST})


def starts(q: str) -> list[Start]:
    """What a text may be the beginning of: any of these. Raises Invalid."""
    text = _text(q)
    if text.startswith("@"):
        return [Start("domain", _domain(text[1:]))]
    whole = [Start("email_key", _address(text)), Start("name_key", text)]
    return whole if "@" in text else [*whole, Start("family_key", text)]


def _text(q: str) -> str:
    text = " ".join(q.split()).casefold()
    if not text.isprintable():
        raise Invalid(_("Search by the beginning of an address or a name."), "q")
    return text


def _domain(start: str) -> str:
    if start.isascii():
        return start
    with suppress(Invalid):  # only a whole domain can be turned into its A-label
        return address.parse(f"x@{start}").domain
    return start


def _address(start: str) -> str:
    if "@" in start and not start.rpartition("@")[2].isascii():
        with suppress(Invalid):
            return address.parse(start).key
    return start


def typed(q: str) -> Q:
    """Whoever a text may mean, as a condition. Raises Invalid."""
    fits = Q()
    for one in starts(q):
        fits |= one.fits()
    return fits


def glimpsed(q: str) -> Q:
    """As `typed`, for rows that are looked at one after the other by another index.

    LIKE, because SQLite has no index for it: a range would lead it to one that holds everybody.
    """
    fits = Q()
    for one in starts(q):
        fits |= Q(**{f"{one.column}__startswith": one.text})
    return fits


def by_address(workspace_id: int, q: str) -> QuerySet[Subscriber]:
    """People whose address begins with `q`, in any letter case. Raises Invalid."""
    start = Start("email_key", _address(_text(q)))
    return Subscriber.objects.filter(start.fits(), workspace=workspace_id)


def few(workspace_id: int, q: str) -> set[int] | None:
    """The keys of those whom `q` may mean; None where they are many. Raises Invalid."""
    keys: set[int] = set()
    for start in starts(q):
        people = Subscriber.objects.filter(start.fits(), workspace=workspace_id)
        some = people.values_list("pk", flat=True)[: FEW + 1]
        keys.update(some)
        if len(some) > FEW:
            return None
    return keys


def hers(q: str, keys: set[int] | None) -> Q:
    """That a row's `subscriber_id` is one of the few, as a condition.

    Where many are meant, each row's person is looked at on the way of another index: a page of them
    is full soon.
    """
    if keys is not None:
        return Q(subscriber_id__among=keys)
    return Q(Exists(Subscriber.objects.filter(glimpsed(q), pk=OuterRef("subscriber_id"))))


def between(wanted: Wanted) -> Q:
    """The times that are wanted, of a column `created_at`."""
    fits = Q()
    if wanted.since:
        fits &= Q(created_at__gte=wanted.since)
    if wanted.until:
        fits &= Q(created_at__lt=wanted.until)
    return fits


def subscriptions(wanted: Wanted) -> QuerySet[Subscription]:
    """The subscriptions that make somebody fit; meant for where a list or a status is wanted."""
    if wanted.list is not None:
        found = Subscription.objects.filter(list=wanted.list)
    else:
        found = Subscription.objects.filter(list__archived_at__isnull=True)
    return found.filter(status=wanted.status) if wanted.status else found


def matching(wanted: Wanted) -> QuerySet[Subscriber]:
    """Everybody who fits, in no order. Raises Invalid for a text that cannot be searched for."""
    found = Subscriber.objects.filter(workspace=wanted.workspace_id)
    if wanted.q:
        found = found.filter(typed(wanted.q))
    if wanted.list is None:
        found = found.filter(between(wanted))
    if wanted.list is None and not wanted.status:
        return found
    hers = subscriptions(wanted).filter(subscriber=OuterRef("pk"))
    return found.filter(Exists(hers.filter(between(wanted)) if wanted.list else hers))


def count(wanted: Wanted) -> int:
    """How many fit. Kept numbers where they say it; else all are counted: 0.1 to 1 s a million."""
    if wanted.list is not None and not (wanted.q or wanted.since or wanted.until):
        kept = numbers.counts([wanted.list])[wanted.list.pk]
        return kept[wanted.status] if wanted.status else sum(kept.values())
    return matching(wanted).count()


def steps(wanted: Wanted, size: int = STEP, after: int = 0) -> Iterator[list[int]]:
    """The keys of everybody who fits, by rising key, some at a time; for what takes them all.

    Each step is a query of its own, so nothing is held open and nobody comes twice.
    """
    while keys := step(wanted, size, after):
        yield keys
        after = keys[-1]


def step(wanted: Wanted, size: int, after: int, upto: int | None = None) -> list[int]:
    """The next `size` keys of people who fit, behind `after`."""
    if wanted.list is not None:  # follows one_subscription; the other way round would probe it
        found = subscriptions(wanted).filter(between(wanted), subscriber__gt=after)
        if wanted.q:
            her = Subscriber.objects.filter(pk=OuterRef("subscriber_id"))
            found = found.filter(Exists(her.filter(typed(wanted.q))))
        found = found.filter(subscriber__lte=upto) if upto is not None else found
        keys = found.order_by("subscriber_id").values_list("subscriber_id", flat=True)
        return list(keys[:size])
    people = matching(wanted).filter(pk__gt=after)
    people = people.filter(pk__lte=upto) if upto is not None else people
    return list(people.order_by("pk").values_list("pk", flat=True)[:size])
