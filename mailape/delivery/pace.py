"""Pace: how fast mail goes out, by each account and to each receiving domain.

A limit is kept in one row (`Pace`) for all processes and hosts: when the next mail may go. Whoever
sends takes a slice of the future from it, a moment for each mail, in one short transaction, and
never asks per mail. So limits hold in every window of a second, also when a process was stopped:
a moment that is missed is void.

    per account   nothing else can go that way: the sender waits, or gives back what it holds
    per domain    the moments of a second or so are handed out; what is beyond gets `not_before`, at
                  the end of the domain's queue, and everybody else's mail goes on

What nobody limits has no row and costs nothing. A domain that refuses by policy more than half of
its last hundred mails is slowed by itself, to half its speed, and faster again with each mail that
it takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil, inf
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Min, Q, Sum

from mailape.core import address, clock
from mailape.core.errors import Invalid
from mailape.delivery.leases import Row
from mailape.delivery.models import Pace, PaceMinute
from mailape.delivery.transports import shares
from mailape.delivery.transports.base import Fate, Outcome
from mailape.senders.models import TransportAccount

# So far ahead, in seconds, moments are handed out: to newsletters; to those who waited in a queue,
# which is looked at once a second; to machine mail, which so never stands behind the others for
# longer than their slices.
SLICE = 0.5
QUEUE_SLICE = 1.5
MACHINE_SLICE = 3.0
# A moment that was missed by so many seconds is void, or two of them would fall into one.
LATE = 0.1
# Mails of an hour's allowance that a process takes at a time, where there is no limit per second.
LOT = 100
# How many refusals among a domain's last hundred mails are too many.
LAST = 100
TOO_MANY = 50
# Mails per second: what a domain that was unlimited is taken to have had at most, and how slow a
# domain gets at the least. What each mail that is taken adds.
FASTEST = 50.0
SLOWEST = 0.1
STEP = 0.05
_HOUR = 60  # minutes
ROUNDING = 1e-3  # seconds since 1970 as a float are exact to a quarter of a microsecond


@dataclass(slots=True)
class Limit:
    """What holds for one row now."""

    pace_id: int
    rate: float | None  # mails per second
    per_hour: int | None
    slowed: bool = False

    @property
    def is_none(self) -> bool:
        return self.rate is None and self.per_hour is None

    @property
    def steady(self) -> float:
        """Mails per second that this allows for ever."""
        return min(self.rate or inf, self.per_hour / 3600 if self.per_hour else inf)


class Booked(NamedTuple):
    """Moments that were handed out: `moments` of them from `start`, `step` seconds apart.

    `again`: in how many seconds it makes sense to ask for more. The rest of what was wanted is held
    from `held` on, `held_step` apart. `minute`: where the hour's count is kept. Times are in
    seconds since 1970.
    """

    moments: int
    start: float
    step: float
    again: float
    held: float = 0.0
    held_step: float = 0.0
    minute: int = 0


@transaction.atomic
def book(
    limit: Limit, wanted: int, *, ahead: float = SLICE, hold: bool = False, behind: bool = False
) -> Booked:
    """Hands out up to `wanted` moments within the next `ahead` seconds.

    With `hold` what is beyond gets a place at the end of the row's queue. With `behind` all of it
    does while there is a queue: whoever waits there was first.
    """
    row = Pace.objects.select_for_update(of=("self",)).get(pk=limit.pace_id)
    now = clock.now().timestamp()
    step = 1 / limit.rate if limit.rate else 0.0
    if row.next_at > now + 2 * MACHINE_SLICE + 2 * step:  # the clock was put back
        row.next_at = row.tail_at = now + MACHINE_SLICE
    start = max(row.next_at, now)
    left, free_at, minute = _of_the_hour(limit, now)
    room = ceil((now + ahead - start) / step - ROUNDING) if step else wanted
    queued = behind and row.tail_at > now + ahead
    count = 0 if queued else max(0, min(wanted, room, left))
    row.next_at = start + count * step
    if count and limit.per_hour is not None:
        _count(limit.pace_id, minute, count)
    again = max(start - now - ahead, free_at - now if left <= count else 0.0, 0.01)
    found = Booked(count, start, step, again, minute=minute)
    if hold and count < wanted:
        held_step = 1 / limit.steady
        held = max(row.tail_at, row.next_at, now + ahead, free_at if left <= count else 0.0)
        row.tail_at = held + (wanted - count) * held_step
        found = found._replace(held=held, held_step=held_step)
    Pace.objects.filter(pk=row.pk).update(next_at=row.next_at, tail_at=row.tail_at)
    return found


def unbook(limit: Limit, booked: Booked, unused: int) -> None:
    """Gives back what was not used of the end of a slice, if nobody took anything after it."""
    end = booked.start + booked.moments * booked.step
    if booked.step:
        Pace.objects.filter(
            pk=limit.pace_id, next_at__gt=end - 0.001, next_at__lt=end + 0.001
        ).update(next_at=F("next_at") - unused * booked.step)
    if limit.per_hour is not None:
        PaceMinute.objects.filter(pace_id=limit.pace_id, minute=booked.minute).update(
            count=F("count") - unused
        )


def _of_the_hour(limit: Limit, now: float) -> tuple[int, float, int]:
    """How many may go within this hour's limit, when there will be more, and the minute it is."""
    minute = int(now) // 60
    if limit.per_hour is None:
        return 10**9, 0.0, minute
    # One minute more than an hour, because the first of them is over only in part.
    counted = PaceMinute.objects.filter(
        pace_id=limit.pace_id, minute__range=(minute - _HOUR, minute), count__gt=0
    ).aggregate(sent=Sum("count"), first=Min("minute"))
    free_at = ((counted["first"] or minute) + _HOUR + 1) * 60.0
    return max(0, limit.per_hour - (counted["sent"] or 0)), free_at, minute


def _count(pace_id: int, minute: int, count: int) -> None:
    # The row of Pace is locked, so nobody else makes this minute's in this moment.
    if not PaceMinute.objects.filter(pace_id=pace_id, minute=minute).update(
        count=F("count") + count
    ):
        PaceMinute.objects.create(pace_id=pace_id, minute=minute, count=count)


class Gate:
    """What this process may send under one limit: the rest of its slice."""

    def __init__(self, limit: Limit, *, machine: bool) -> None:
        self.limit = limit
        self._ahead = MACHINE_SLICE if machine else SLICE
        self._wanted = 5 if machine else LOT
        self._booked: Booked | None = None
        self._left = 0
        self._next = 0.0
        self._asks_from = 0.0

    def wait(self) -> float:
        """Seconds until the next mail may go; nothing when it may go now."""
        now = clock.monotonic()
        self._skip_missed(now)
        if not self._left and now >= self._asks_from:
            self._ask(now)
        return max(0.0, (self._next if self._left else self._asks_from) - now)

    def use(self) -> None:
        """A mail goes."""
        self._left -= 1
        if self._booked is not None:
            self._next += self._booked.step

    def give_back(self) -> None:
        """What is left of the slice is for others."""
        if self._left and self._booked is not None:
            unbook(self.limit, self._booked, self._left)
        self._left = 0

    def _ask(self, now: float) -> None:
        wanted = self._wanted
        if self.limit.rate:
            wanted = max(1, ceil(self.limit.rate * SLICE)) if self._ahead == SLICE else wanted
        self._booked = booked = book(self.limit, wanted, ahead=self._ahead)
        self._left, self._next = booked.moments, _monotonic(booked.start)
        # Several processes ask in turn: not more often than ten times a second.
        self._asks_from = now + (max(booked.again, SLICE / 5) if not booked.moments else 0.0)

    def _skip_missed(self, now: float) -> None:
        step = self._booked.step if self._booked else 0.0
        while self._left and step and self._next < now - LATE:
            self._next += step
            self._left -= 1


@dataclass(slots=True)
class Plan:
    """What becomes of a lease's rows that have a limit; the others go at once."""

    timed: list[tuple[float, Row]] = field(default_factory=list)  # by the monotonic clock
    held: list[tuple[Row, datetime, str]] = field(default_factory=list)


class Pacer:
    """The limits of one account, for one sender while it works."""

    def __init__(self, account_id: int, machine: bool = False) -> None:
        self._account_id, self._machine = account_id, machine
        self._gate: Gate | None = None
        self._domains: dict[str, Limit] = {}
        self._watched: set[str] = set()
        self._told: defaultdict[str, list[str]] = defaultdict(list)
        self._words: dict[str, str] = {}
        self.look()

    @property
    def active(self) -> bool:
        """Whether anything is limited or watched; without it nobody has to ask."""
        return self._gate is not None or bool(self._watched or self._domains)

    def look(self) -> None:
        """Writes what was heard, and reads the limits as they are now."""
        if self._told:
            heard = {
                domain: Heard("".join(marks), self._words.get(domain, ""))
                for domain, marks in self._told.items()
            }
            hear(self._account_id, heard)
            self._told.clear()
        self._read_account()
        rows = list(Pace.objects.filter(account_id=self._account_id).exclude(domain=""))
        limits = {
            row.domain: Limit(row.pk, row.rate, row.per_hour, row.speed is not None) for row in rows
        }
        self._watched = {row.domain for row in rows if row.speed is not None or row.recent}
        self._domains = {name: limit for name, limit in limits.items() if not limit.is_none}

    def _read_account(self) -> None:
        found = TransportAccount.objects.filter(pk=self._account_id)
        limits = found.values_list("per_second", "per_hour", "connections").first()
        per_second, per_hour, connections = limits or (None, None, None)
        if connections:
            shares.renew(self._account_id)
        if per_second is None and per_hour is None:
            self._gate = None
            return
        row, _ = Pace.objects.get_or_create(account_id=self._account_id, domain="")
        limit = Limit(row.pk, per_second, per_hour)
        if self._gate is None or self._gate.limit != limit:
            self._gate = Gate(limit, machine=self._machine)

    def end(self) -> None:
        """Writes what was heard and gives back what is left of the slice."""
        self.look()
        if self._gate is not None:
            self._gate.give_back()

    # --- what goes out ---

    def wait(self) -> float:
        """Seconds until the account lets the next mail go."""
        return self._gate.wait() if self._gate is not None else 0.0

    def use(self) -> None:
        """A mail goes."""
        if self._gate is not None:
            self._gate.use()

    @property
    def why(self) -> str:
        """Why the account lets nothing go for a while, for the message's page."""
        limit = self._gate.limit if self._gate is not None else None
        if limit is None or limit.per_hour is None:
            return "Waits for its turn at the mail server"
        return f"Waits: the limit of {limit.per_hour} mails an hour is reached"

    def plan(self, rows: Iterable[Row], *, fresh: bool) -> Plan:
        """Moments for the rows whose domain is limited, and places in its queue for the rest.

        `fresh`: they were not in the queue before.
        """
        plan = Plan()
        if not self._domains:
            return plan
        by_domain: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if (domain := domain_of(row.to_address)) in self._domains:
                by_domain[domain].append(row)
        for domain, hers in by_domain.items():
            self._plan_domain(plan, domain, hers, fresh)
        return plan

    def _plan_domain(self, plan: Plan, domain: str, rows: list[Row], fresh: bool) -> None:
        limit = self._domains[domain]
        machine = not all(row.counted for row in rows)
        ahead = MACHINE_SLICE if machine else SLICE if fresh else QUEUE_SLICE
        booked = book(limit, len(rows), ahead=ahead, hold=True, behind=fresh and not machine)
        start = _monotonic(booked.start)
        plan.timed += [
            (start + n * booked.step, row) for n, row in enumerate(rows[: booked.moments])
        ]
        reason = _reason(domain, limit)
        for n, row in enumerate(rows[booked.moments :]):
            # Machine mail does not queue behind newsletters: it asks again soon.
            held = clock.now().timestamp() + ahead if machine else booked.held
            at = datetime.fromtimestamp(held + n * booked.held_step, UTC)
            plan.held.append((row, at, reason))

    # --- what comes back ---

    def heard(self, row: Row, outcome: Outcome) -> None:
        """Notes how the domain took a mail, where that is of interest."""
        refused = is_policy(outcome)
        if not refused and (outcome.fate is not Fate.SENT or not self._watched):
            return
        domain = domain_of(row.to_address)
        if refused:
            self._words[domain] = outcome.answer
        if refused or domain in self._watched:
            self._told[domain].append("x" if refused else ".")


# --- domains that are slowed by themselves -------------------------------------------------------


def is_policy(outcome: Outcome) -> bool:
    """Whether a refusal says "not so fast, not from you": it concerns us and not the recipient.

    421 (RFC 5321: closing), 4.7.x and 5.7.x (RFC 3463: security or policy), 4.3.2 (not accepting
    now), and 554 without an enhanced code. Not a full mailbox, not an unknown user.
    """
    if outcome.fate not in (Fate.TRY_LATER, Fate.REFUSED):
        return False
    said = outcome.enhanced
    return (
        outcome.code == 421
        or said[1:4] == ".7."
        or said == "4.3.2"
        or (outcome.code == 554 and not said)
    )


class Heard(NamedTuple):
    """How a domain took the last mails: "." for taken, "x" for refused by policy; what it said."""

    marks: str
    words: str = ""


_HEARD = ["recent", "heard_at", "since", "speed", "full_speed", "slowed_at", "why", "hasten"]


@transaction.atomic
def hear(account_id: int, heard: Mapping[str, Heard]) -> None:
    """Takes in how domains took the last mails. Only those that refused something get a row."""
    now = clock.now()
    mine = Pace.objects.filter(account_id=account_id, domain__in=list(heard))
    known = set(mine.values_list("domain", flat=True))
    new = [one for one, said in heard.items() if one not in known and "x" in said.marks]
    Pace.objects.bulk_create(
        [Pace(account_id=account_id, domain=one, since=now) for one in new], ignore_conflicts=True
    )
    rows = list(mine.select_for_update(of=("self",)).order_by("pk"))
    for row in rows:
        _hear_one(row, heard[row.domain], now)
    Pace.objects.bulk_update(rows, _HEARD, batch_size=100)


def _hear_one(row: Pace, heard: Heard, now: datetime) -> None:
    row.recent = (row.recent + heard.marks)[-LAST:]
    row.heard_at, row.since = now, row.since or now
    if row.recent.count("x") > TOO_MANY:
        _slow(row, heard.words)
    elif row.speed is not None:
        _speed_up(row, heard.marks.count("."))
    if row.speed is None and "x" not in row.recent:
        row.recent, row.since = "", None  # as good as any other: nobody has to watch it


def _slow(row: Pace, words: str) -> None:
    seconds = max((clock.now() - row.since).total_seconds(), 0.1) if row.since else 1.0
    usual = min(len(row.recent) / seconds, row.per_second or FASTEST, FASTEST)
    row.full_speed = row.full_speed or max(usual, 1.0)
    row.speed = max((row.speed or row.full_speed) / 2, SLOWEST)
    row.slowed_at, row.why = clock.now(), words[:300]
    row.recent, row.since = "", clock.now()  # the next hundred shows whether that was enough


def _speed_up(row: Pace, taken: int) -> None:
    before = row.speed or SLOWEST
    row.speed = before + taken * STEP
    if row.speed >= (row.full_speed or FASTEST):
        row.speed = row.full_speed = row.slowed_at = None
        row.why, row.hasten = "", True
    elif int(row.speed / SLOWEST).bit_length() > int(before / SLOWEST).bit_length():
        row.hasten = True  # twice as fast: the queue was made for half of it


def _reason(domain: str, limit: Limit) -> str:
    why = "it refuses mail and was slowed" if limit.slowed else "its limit"
    return f"{HELD} {domain} ({why})"[:120]


# What the reason of a delivery that is held back begins with.
HELD = "Waits for its turn at"


def queues_to_hasten() -> list[Pace]:
    """Rows whose queue was made for a slower pace than they have now."""
    return list(Pace.objects.filter(hasten=True).order_by("pk")[:20])


def hastened(row: Pace) -> None:
    """The row's queue is due: whoever is in it asks for a moment anew."""
    Pace.objects.filter(pk=row.pk).update(hasten=False, tail_at=0.0)


def forget_quiet(before: datetime) -> int:
    """Deletes rows without limit or slowness that were not heard of since, and old minutes."""
    minute = int(clock.now().timestamp()) // 60
    PaceMinute.objects.filter(minute__lt=minute - 2 * _HOUR).delete()
    quiet = Pace.objects.filter(
        Q(heard_at__isnull=True) | Q(heard_at__lt=before),
        per_second=None, per_hour=None, speed=None, hasten=False,
    ).exclude(domain="")  # fmt: skip
    return quiet.delete()[0]


def _monotonic(at: float) -> float:
    """A time in seconds since 1970 by the clock that nobody moves."""
    return at - clock.now().timestamp() + clock.monotonic()


def domain_of(to: str) -> str:
    """The receiving domain of an address, as A-label in lower case."""
    domain = to.rpartition("@")[2]
    if domain.isascii():
        return domain.lower()
    try:
        return address.parse(to).key.rpartition("@")[2]
    except Invalid:
        return domain.lower()
