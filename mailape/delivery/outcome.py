"""What became of a message, added up: by receiving domain, over time, by what the servers said.

The deliveries are the truth and the states' counts are exact at every moment (`tally`). What is
here is a summary with a time on it: added up in a task while the message goes out, ever more seldom
the longer it takes, and once more when it is over. Each time all of it is counted anew, so that
nothing drifts.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Min, QuerySet

from mailape.campaigns.models import Message, Status
from mailape.core import address, bell, clock
from mailape.core.errors import Invalid
from mailape.delivery.models import (
    DeliveryBatch,
    DomainCount,
    FaultGroup,
    MessageReport,
    MomentCount,
    State,
    SubscriberMessage,
)

log = logging.getLogger(__name__)

# While a message goes out: again after this long, and never for more than a twentieth of the time.
AGAIN = timedelta(seconds=10)
SHARE = 20
# Whoever adds up and dies is followed by another after this.
LEASE = timedelta(minutes=5)
DOMAINS = 300
GROUPS = 200
MOMENTS = 240
_AT_WORK = (Status.QUEUED, Status.SENDING, Status.PAUSED)
_WIDTHS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
_PARTS = {
    State.SENT: "sent", State.QUEUED: "open", State.SENDING: "open", State.DEFERRED: "open",
    State.FAILED: "failed", State.QUARANTINED: "failed", State.SKIPPED: "skipped",
    State.UNKNOWN: "unknown",
}  # fmt: skip
_DOMAIN = {
    "postgresql": "lower(split_part(to_address, '@', 2))",
    "sqlite": "lower(substr(to_address, instr(to_address, '@') + 1))",
}
_SECOND = {
    "postgresql": "floor(extract(epoch FROM COALESCE(sent_at, tried_at)))::bigint",
    "sqlite": "CAST(strftime('%%s', COALESCE(sent_at, tried_at)) AS INTEGER)",
}
# All that is filled in is words of ours.
_OF_MESSAGE = "FROM delivery_subscribermessage WHERE message_id = %s AND id BETWEEN %s AND %s"
_BY_DOMAIN = "SELECT {}, state, COUNT(*) " + _OF_MESSAGE + " GROUP BY 1, 2"
_BY_SECOND = (
    "SELECT {}, state, COUNT(*) " + _OF_MESSAGE + " AND state IN ('sent', 'failed')"
    " AND COALESCE(sent_at, tried_at) IS NOT NULL GROUP BY 1, 2"
)
_BY_WORDS = (
    "SELECT state, answer, reason, COUNT(*) FROM delivery_subscribermessage"
    " WHERE message_id = %s AND exception IS NOT NULL GROUP BY 1, 2, 3"
)


# --- when ----------------------------------------------------------------------------------------


def want(message_id: int, wait: timedelta = timedelta(0)) -> None:
    """The message's numbers are added up anew, `wait` from now or earlier."""
    due = clock.now() + wait
    report, made = MessageReport.objects.get_or_create(
        message_id=message_id, defaults={"due_at": due}
    )
    if not made and (report.due_at is None or report.due_at > due):
        MessageReport.objects.filter(pk=message_id).update(due_at=due)
    if not wait:
        bell.ring(bell.REPORT)


def want_without(subscriber_ids: list[int]) -> None:
    """All messages that they got are added up anew: their addresses are taken out of them."""
    hers = SubscriberMessage.objects.filter(subscriber_id__in=subscriber_ids).values("message_id")
    MessageReport.objects.filter(pk__in=hers).update(due_at=clock.now())


def due() -> QuerySet[MessageReport]:
    """Those that are to be added up now."""
    return MessageReport.objects.filter(due_at__isnull=False, due_at__lte=clock.now())


def one() -> bool:
    """Adds up the longest due message; says whether there was one that nobody else had."""
    report = due().select_related("message").order_by("due_at").first()
    if report is None:
        return False
    until = clock.now() + LEASE
    mine = MessageReport.objects.filter(pk=report.pk, due_at=report.due_at)
    if mine.update(due_at=until):
        _add_up(report.message, until)
    return True


def _add_up(message: Message, until: datetime) -> None:
    begun, now = clock.monotonic(), clock.now()
    domains, moments = list(by_domain(message.pk)), list(by_moment(message.pk))
    faults = list(by_words(message.pk))
    took = clock.monotonic() - begun
    with transaction.atomic():
        report = MessageReport.objects.select_for_update().get(pk=message.pk)
        for model in (DomainCount, MomentCount, FaultGroup):
            model.objects.filter(message=message).delete()
        DomainCount.objects.bulk_create(domains)
        MomentCount.objects.bulk_create(moments)
        FaultGroup.objects.bulk_create(faults)
        report.counted_at, report.took = now, took
        if report.due_at == until:  # nobody has asked anew since
            report.due_at = _next(message, took)
        report.save()
    log.info("message %s added up in %.1f s", message.pk, took)


def _next(message: Message, took: float) -> datetime | None:
    if message.status not in _AT_WORK:
        return None
    return clock.now() + max(AGAIN, timedelta(seconds=took * SHARE))


# --- what ----------------------------------------------------------------------------------------


def by_domain(message_id: int) -> Iterator[DomainCount]:
    """A row for each of the largest domains, and one for all the rest together."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for domain, state, number in _rows(message_id, _BY_DOMAIN.format(_DOMAIN[connection.vendor])):
        found[_key(domain)][_PARTS[State(state)]] += number
    ranked = sorted(found.items(), key=lambda item: (-item[1].total(), item[0]))
    # What has no address any more belongs to nobody's domain.
    named = [item for item in ranked if item[0]][:DOMAINS]
    for domain, numbers in named:
        yield DomainCount(message_id=message_id, domain=domain, **numbers)
    kept = {domain for domain, _ in named}
    rest = [numbers for domain, numbers in ranked if domain not in kept]
    if rest:
        together: Counter[str] = sum(rest, Counter())
        yield DomainCount(message_id=message_id, domain="", domains=len(rest), **together)


def by_moment(message_id: int) -> Iterator[MomentCount]:
    """When mails went out and when they failed, in steps that are wide enough for few rows."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for second, state, number in _rows(message_id, _BY_SECOND.format(_SECOND[connection.vendor])):
        found[int(second)][state] += number
    width = next((w for w in _WIDTHS if len({at // w for at in found}) <= MOMENTS), _WIDTHS[-1])
    together: dict[int, Counter[str]] = defaultdict(Counter)
    for at, numbers in found.items():
        together[at // width * width] += numbers
    for at, numbers in sorted(together.items()):
        yield MomentCount(
            message_id=message_id, at=datetime.fromtimestamp(at, UTC), seconds=width, **numbers
        )


def by_words(message_id: int) -> Iterator[FaultGroup]:
    """What did not go out, by what was said of it: the most frequent first."""
    groups: dict[tuple[str, str], FaultGroup] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_WORDS, [message_id])
        for state, answer, reason, number in _each(cursor):
            words = answer or reason
            pattern = alike(words)
            group = groups.setdefault(
                (state, pattern),
                FaultGroup(
                    message_id=message_id, state=state, words=words, pattern=pattern,
                    key=_key_of(state, pattern), said_by_server=bool(answer), number=0,
                ),
            )  # fmt: skip
            group.number += number
    yield from sorted(groups.values(), key=lambda one: -one.number)[:GROUPS]


def _rows(message_id: int, sql: str) -> list[tuple[Any, ...]]:
    # Between the keys that the batches know: by message alone there is no index.
    keys = DeliveryBatch.objects.filter(message_id=message_id).aggregate(
        first=Min("first_id"), last=Max("last_id")
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [message_id, keys["first"] or 0, keys["last"] or 0])
        return list(_each(cursor))


def _each(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(2_000):
        yield from rows


def _key(domain: str) -> str:
    """The domain as an A-label: addresses are kept as they were typed."""
    if domain.isascii():
        return domain
    try:
        return address.parse(f"x@{domain}").domain
    except Invalid:
        return domain


def in_group(found: QuerySet[SubscriberMessage], group: FaultGroup) -> QuerySet[SubscriberMessage]:
    """Those of which the same was said as of this group."""
    column = "answer" if group.said_by_server else "reason"
    like = f"delivery_subscribermessage.{column} LIKE %s ESCAPE '\\'"
    found = found.filter(exception=group.state).extra(where=[like], params=[group.pattern])  # noqa: S610
    return found if group.said_by_server else found.filter(answer="")


# --- what was said, without what is each one's own -----------------------------------------------

_CODE = re.compile(
    r"[245]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?[:,;.]?|[245]\.\d{1,3}\.\d{1,3}[:,;.]?"
)
# Ids of the server's queue, addresses, times: five letters and more with a digit, or in brackets.
_OWN = re.compile(r"<[^>]*>|\S*@\S*|\S*…\S*|(?=\S*\d)\S{5,}")
_RUN = re.compile(r"(?<!\S)%(?:\s+%)+(?!\S)")
_SPECIAL = re.compile(r"([\\%_])")


def alike(words: str) -> str:
    """A pattern for LIKE that fits whatever says the same as `words`."""
    # Only what stands for something: a percent sign of the server's own is escaped.
    return _RUN.sub("%", "".join(_generalised(words)))[:1000]


def _key_of(state: str, pattern: str) -> str:
    return hashlib.blake2b(f"{state} {pattern}".encode(), digest_size=8).hexdigest()


def _generalised(words: str) -> Iterable[str]:
    for part in re.split(r"(\s+)", words):
        if _CODE.fullmatch(part) or not _OWN.search(part):
            yield _SPECIAL.sub(r"\\\1", part)
        else:
            yield "%"
