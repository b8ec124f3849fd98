"""A newsletter with readers, and a worker that does in this process what tasks do in theirs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from mailape.campaigns import audience, dispatch
from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery import (
    claim,
    journal,
    leases,
    letters,
    recover,
    status,
    tally,
    tasks,
    transports,
)
from mailape.delivery.leases import SinglesLease
from mailape.delivery.models import State, SubscriberMessage
from mailape.delivery.retry import Result
from mailape.lists import numbers
from mailape.lists.models import MailingList, Status, Subscriber, Subscription
from mailape.senders.models import TransportAccount
from tests.house.people import Person


def add_readers(to: MailingList, count: int, status: str = Status.CONFIRMED) -> list[Subscriber]:
    """Subscribers `reader0@example.org` … on this list; those that exist are put on it."""
    made = [
        Subscriber(
            workspace_id=to.workspace_id,
            email=f"reader{number}@example.org",
            email_key=f"reader{number}@example.org",
            domain="example.org",
            name=f"Reader No {number}",
        )
        for number in range(count)
    ]
    Subscriber.objects.bulk_create(made, ignore_conflicts=True)
    found = list(
        Subscriber.objects.filter(
            workspace_id=to.workspace_id, email_key__in=[one.email_key for one in made]
        ).order_by("pk")
    )
    there = set(Subscription.objects.filter(list=to).values_list("subscriber_id", flat=True))
    new = [Subscription(list=to, subscriber=one, status=status) for one in found
           if one.pk not in there]  # fmt: skip
    Subscription.objects.bulk_create(new)
    numbers.moved(to.pk, "", status, len(new))
    return found


def result(pk: int, state: str = "sent", **fields: Any) -> Result:
    """What became of a delivery just now, at the first attempt."""
    return Result(pk, State(state), clock.now(), 1, **fields)


def deferred(pk: int) -> Result:
    """It is to be tried again, at once."""
    return result(pk, "deferred", not_before=clock.now())


def row(pk: int) -> SubscriberMessage:
    return SubscriberMessage.objects.get(pk=pk)


def near(moment: datetime | None, wanted: datetime) -> bool:
    """Whether this is that moment, as far as a busy machine can tell."""
    return moment is not None and abs(moment - wanted) < timedelta(seconds=5)


def counted(message: Message) -> dict[str, int]:
    """The message's counts that are not zero."""
    return {state: number for state, number in tally.counts(message).items() if number}


def really(message: Message) -> dict[str, int]:
    """The states as they stand in the rows, which the counts must equal."""
    rows = list(message.deliveries.values_list("state", flat=True))
    return {state: rows.count(state) for state in set(rows)}


@pytest.fixture
def held_singles(sent_off: Callable[..., Message]) -> Callable[[int], tuple[Message, SinglesLease]]:
    """A newsletter to so many, all of them deferred once and due, and the lease on them."""

    def make(count: int) -> tuple[Message, SinglesLease]:
        message = sent_off(count)
        lease = claim.batch()
        assert lease is not None
        status.write(lease, [deferred(pk) for pk in lease.open])
        singles = claim.singles(leases.NEWSLETTER)
        assert singles is not None
        return message, singles

    return make


@pytest.fixture
def write(alice: Person) -> Callable[..., Message]:
    """Makes a draft: `write([a_list], subject="…", body="…", format="html")`."""

    def make(lists: list[MailingList], **fields: str) -> Message:
        given = {"subject": "Hello {{ subscriber.first_name }}", "body": "Some *news*.", **fields}
        return Message.objects.create(
            workspace=alice.workspace, author=alice.user, audience=audience.rule(lists), **given
        )

    return make


@pytest.fixture
def sent_off(write: Callable[..., Message], a_list: MailingList) -> Callable[..., Message]:
    """A newsletter to `count` readers of `a_list`, sent off and built: `sent_off(20)`."""

    def make(count: int, **fields: str) -> Message:
        add_readers(a_list, count)
        message = dispatch.send(write([a_list], **fields))
        tasks.build()
        message.refresh_from_db()
        return message

    return make


@pytest.fixture
def waiting(sent_off: Callable[..., Message]) -> Callable[[int], Message]:
    """A newsletter to so many, who have all been put off and are due: `waiting(5)`."""

    def make(count: int) -> Message:
        message = sent_off(count)
        while (lease := claim.batch()) is not None:
            status.write(lease, [deferred(pk) for pk in lease.open])
        return message

    return make


@pytest.fixture
def smtp_url() -> Iterator[Callable[[str], None]]:
    """Points this process's way out at a server: `smtp_url(smtp.url)`."""
    before = settings.SMTP_URL

    def point(url: str) -> None:
        transports.close()
        settings.SMTP_URL = url

    yield point
    transports.close()
    settings.SMTP_URL = before


class Hand:
    """Both clocks of this process: they stand still but for `on`, and whoever sleeps moves them."""

    def __init__(self) -> None:
        self.now, self.monotonic = clock.now(), 1_000.0

    def on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    made = Hand()
    monkeypatch.setattr(clock, "now", lambda: made.now)
    monkeypatch.setattr(clock, "monotonic", lambda: made.monotonic)
    monkeypatch.setattr(time, "sleep", made.on)
    return made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two."""
    monkeypatch.setattr("mailape.delivery.build.BATCH", 2)


@pytest.fixture
def account(db: None) -> TransportAccount:
    """The account by which this process sends."""
    return transports.account()


def recorder(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """Each call of this function from here on, by its arguments; it does what it did."""
    calls: list[Any] = []
    real = getattr(module, name)

    def recorded(*given: Any, **named: Any) -> Any:
        calls.append(given)
        return real(*given, **named)

    monkeypatch.setattr(module, name, recorded)
    return calls


def look_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two looks after the dead, by one process, with as long as a lease lasts between them."""
    recover.look()
    now = clock.monotonic() + leases.length().total_seconds()
    with monkeypatch.context() as later:
        later.setattr(clock, "monotonic", lambda: now)
        recover.look()


def die() -> None:
    """What a kill does to a sender: its journal closes as it is, and nothing is tidied up."""
    mine = journal.mine()
    os.close(mine._file)
    mine._file = -1
    mine._lock.close()
    journal._mine.journal = None


@pytest.fixture(autouse=True)
def journals_of_its_own(settings, tmp_path) -> Iterator[None]:
    """No test finds what another left."""
    settings.DATA = tmp_path
    letters._read.clear()
    yield
    journal._mine.journal = None


@pytest.fixture(autouse=True)
def no_connection_outlives_its_test() -> Iterator[None]:
    yield
    transports.close()
