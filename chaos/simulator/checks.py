"""What must hold when all is over. Each sentence names the invariant of faults.md that it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chaos.simulator import seams
from mailape.campaigns.models import Kind, Message
from mailape.delivery import leases, tally
from mailape.delivery.models import OPEN_STATES, State, SubscriberMessage

if TYPE_CHECKING:
    from chaos.simulator.schedule import Schedule

SOON = 2.0  # seconds in which a pause or cancel holds, where nothing is slow
_READ = ("state", "reason", "message__kind", "message__status")
AIR = 0.6  # seconds that the simulated line and steps may add


def wrong(schedule: Schedule) -> list[str]:
    """Everything that does not hold; empty when all does."""
    rows = list(SubscriberMessage.objects.select_related("message").only(*_READ).order_by("pk"))
    found = [*schedule.record.faults]
    found += [f"I10 an exception that nobody caught: {one}" for one in schedule.machine.unexpected]
    found += _stuck(rows)
    for row in rows:
        found += _told_right(schedule, row)
    found += _numbers(schedule, rows)
    found += _after_a_word(schedule)
    found += _doubts(schedule)
    return found


def _stuck(rows: list[SubscriberMessage]) -> Iterator[str]:
    for row in rows:
        if row.state in OPEN_STATES:
            yield f"I6 delivery {row.pk} is {row.state} for ever ({row.reason})"
    for message in Message.objects.filter(kind=Kind.NEWSLETTER):
        if message.finished_at is None:
            yield f"I6 message {message.pk} is {message.status} for ever ({message.reason})"


def _told_right(schedule: Schedule, row: SubscriberMessage) -> Iterator[str]:
    """One delivery: what servers took, and what the record says."""
    record = schedule.record
    copies, doubts = record.copies[row.pk], record.doubts(row.pk)
    machine = row.message.kind != Kind.NEWSLETTER
    stranger = row.pk in record.strangers
    excuses = sum(one.unsynced for one in record.attempts if one.delivery == row.pk)
    excuses += record.sent_again[row.pk]
    if machine:
        excuses += doubts + stranger
    if copies > 1 + excuses:
        yield f"I3 delivery {row.pk} arrived {copies} times, {excuses} explained"
    loose = excuses or stranger
    if row.state == State.SENT and not copies:
        yield f"I1 delivery {row.pk} is called sent and never arrived"
    if copies and row.state not in (State.SENT, State.UNKNOWN) and not loose:
        yield f"I5 delivery {row.pk} arrived and is called {row.state} ({row.reason})"
    if row.state == State.UNKNOWN and not (doubts or loose):
        yield f"I3 delivery {row.pk} is unknown, and nothing about it was in doubt"
    if row.state == State.QUARANTINED and record.deaths[row.pk] < leases.DEATHS:
        yield f"I1 delivery {row.pk} is quarantined after {record.deaths[row.pk]} deaths"
    if row.state == State.FAILED and not _refused(schedule, row.pk):
        yield f"I1 delivery {row.pk} has failed, and nobody refused it ({row.reason})"
    if row.state == State.SKIPPED and not _unwanted(schedule, row):
        yield f"I1 delivery {row.pk} is skipped without a cause ({row.reason})"


def _refused(schedule: Schedule, delivery: int) -> bool:
    return delivery in schedule.record.refused


def _unwanted(schedule: Schedule, row: SubscriberMessage) -> bool:
    left = schedule.stage.subscribers[row.pk] in schedule.record.left
    return left or row.message.status == "cancelled"


def _numbers(schedule: Schedule, rows: list[SubscriberMessage]) -> Iterator[str]:
    """I5: what is shown is what there is; each batch's own counts as well."""
    for key in schedule.stage.newsletters:
        message = Message.objects.get(pk=key)
        states = Counter(row.state for row in rows if row.message_id == key)
        shown = {state: count for state, count in tally.counts(message).items() if count}
        if shown != states:
            yield f"I5 message {key} shows {shown} and has {dict(states)}"
    for key, owner in seams.raw(_LEASED):
        yield f"I6 {key} is still leased by {owner}"


_LEASED = """
    SELECT 'batch ' || id, owner FROM delivery_deliverybatch WHERE lease_until IS NOT NULL
    UNION ALL SELECT 'delivery ' || id, owner FROM delivery_subscribermessage
        WHERE state = 'sending'
"""


def _after_a_word(schedule: Schedule) -> Iterator[str]:
    """I7, I8: no mail goes on its way once it is not wanted any more."""
    record = schedule.record
    late = leases.STALE + AIR
    message_of = {pk: key for key, pks in schedule.stage.deliveries.items() for pk in pks}
    for one in record.attempts:
        left = record.left.get(schedule.stage.subscribers.get(one.delivery, 0))
        if left is not None and one.at > left + late:
            yield f"I7 delivery {one.delivery} went out {one.at - left:.1f} s after she left"
        for since, until in record.halted.get(message_of.get(one.delivery, 0), []):
            limit = late if record.slow else SOON + AIR
            if since + limit < one.at < until:
                yield f"I8 delivery {one.delivery} went out {one.at - since:.1f} s after the word"


def _doubts(schedule: Schedule) -> Iterator[str]:
    """I3: no more mails in doubt than lines allow."""
    bound = schedule.servers.bound
    told: Counter[int] = Counter()
    for one in schedule.record.attempts:
        told[one.process.number] += one.is_doubtful
    lines = {process.number: process.lines_ever for process in schedule.machine.processes}
    for number, count in told.items():
        if count > bound * lines[number]:
            yield f"I3 {count} mails in doubt on {lines[number]} lines of p{number}"
