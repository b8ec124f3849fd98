"""Adding up: by domain, over time, by what was said; in a task, and never while a page waits."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Sum

from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery import outcome, tasks
from mailape.delivery.models import (
    DeliveryBatch,
    DomainCount,
    FaultGroup,
    MessageReport,
    MomentCount,
    SubscriberMessage,
)
from mailape.lists.models import Subscriber
from mailape.privacy.erase import erase

pytestmark = pytest.mark.django_db(transaction=True)
START = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def over(write, a_list) -> Callable[..., Message]:
    """A message with these deliveries: `over([{"to_address": "a@b.example", "state": "sent"}])`."""

    def make(rows: list[dict[str, object]]) -> Message:
        message = write([a_list])
        made = SubscriberMessage.objects.bulk_create(
            SubscriberMessage(
                message=message,
                subscriber_id=number,
                batch=1,
                **{
                    "state": "sent",
                    "sent_at": START,
                    "to_address": f"r{number}@one.example",
                    **row,
                },
            )
            for number, row in enumerate(rows, 1)
        )
        DeliveryBatch.objects.create(
            message=message, number=1, first_id=made[0].pk, last_id=made[-1].pk, size=len(made)
        )
        outcome.want(message.pk)
        tasks.report()
        return message

    return make


def test_deliveries_are_counted_by_the_domain_that_receives_them(over):
    over(
        [{"to_address": f"r{n}@{'One' if n % 2 else 'one'}.example"} for n in range(5)]
        + [{"to_address": "x@münchen.example", "state": "failed", "sent_at": None}]
        + [{"to_address": "y@two.example", "state": state} for state in ("queued", "deferred")]
        + [{"to_address": "", "state": "sent"}]
    )
    rows = DomainCount.objects.order_by("-sent", "domain")
    assert [(one.domain, one.sent, one.open, one.failed) for one in rows] == [
        ("one.example", 5, 0, 0),
        ("", 1, 0, 0),  # erased: of no domain any more
        ("two.example", 0, 2, 0),
        ("xn--mnchen-3ya.example", 0, 0, 1),
    ]


def test_small_domains_are_one_row_together(over, monkeypatch):
    monkeypatch.setattr(outcome, "DOMAINS", 2)
    over([{"to_address": f"r{n}@d{min(n, 4)}.example"} for n in range(9)])
    assert [(one.domain, one.sent, one.domains) for one in DomainCount.objects.order_by("pk")] == [
        ("d4.example", 5, 1),
        ("d0.example", 1, 1),
        ("", 3, 3),
    ]


def test_moments_are_wide_enough_for_few_rows_and_lose_nothing(over):
    some = random.Random(4)
    message = over(
        [{"sent_at": START + timedelta(seconds=some.randrange(9_000))} for _ in range(900)]
        + [{"state": "failed", "sent_at": None, "tried_at": START + timedelta(days=2)}]
    )
    rows = list(MomentCount.objects.order_by("at"))
    assert len(rows) <= outcome.MOMENTS
    assert sum(one.sent for one in rows) == 900
    assert (rows[-1].failed, rows[-1].at.date().day) == (1, 24)
    assert {one.seconds for one in rows} == {60}
    assert message.added_up.due_at is None


REFUSALS = [
    "550 5.1.1 <…>: Recipient address rejected: User unknown (in reply to RCPT) AB12CD34EF",
    "550 5.1.1 <…>: Recipient address rejected: User unknown (in reply to RCPT) 99ZZ77XX11",
]


def test_what_differs_only_in_ids_of_a_server_is_one_group(over):
    over([{"state": "failed", "answer": words, "reason": "Refused"} for words in REFUSALS * 2])
    (group,) = FaultGroup.objects.all()
    assert (group.number, group.words in REFUSALS, group.said_by_server) == (4, True, True)


def test_groups_tell_servers_and_our_own_reasons_apart(over):
    over(
        [
            {"state": "failed", "answer": "550 5.1.1 No such user"},
            {"state": "failed", "answer": "552 5.2.2 Mailbox full"},
            {"state": "skipped", "reason": "unsubscribed"},
            {"state": "deferred", "answer": "451 4.7.1 Greylisted, try in 00:04:59"},
            {"state": "deferred", "answer": "451 4.7.1 Greylisted, try in 00:03:21"},
        ]
    )
    found = {(one.state, one.words[:9], one.number) for one in FaultGroup.objects.all()}
    assert found == {
        ("failed", "550 5.1.1", 1),
        ("failed", "552 5.2.2", 1),
        ("skipped", "unsubscri", 1),
        ("deferred", "451 4.7.1", 2),
    }


@pytest.mark.parametrize(
    "words",
    [*REFUSALS, "100% wrong_thing \\ here", "552 at 100% abc12345 of it", "", "550", "x" * 500],
)
def test_a_pattern_fits_what_it_was_made_of(over, words):
    message = over([{"state": "failed", "answer": words, "reason": "Refused"}])
    found = SubscriberMessage.objects.filter(message=message).extra(
        where=["COALESCE(NULLIF(answer, ''), reason) LIKE %s ESCAPE '\\'"],
        params=[FaultGroup.objects.get().pattern],
    )
    assert found.count() == 1


def test_all_that_was_made_is_in_the_numbers_by_domain(sent_off):
    message = sent_off(25)
    with clock.moved(outcome.AGAIN + timedelta(seconds=1)):
        tasks.report()
    assert DomainCount.objects.aggregate(Sum("open"))["open__sum"] == 25
    tasks.send()
    message.refresh_from_db()
    assert message.status == "sent"
    tasks.report()
    sums = DomainCount.objects.aggregate(Sum("open"), Sum("sent"))
    assert (sums["open__sum"], sums["sent__sum"]) == (0, 25)
    report = MessageReport.objects.get()
    assert report.due_at is None
    assert report.counted_at is not None


def test_the_sweep_finds_what_is_due_and_nothing_else(over):
    message = over([{}])
    assert not outcome.due().exists()
    outcome.want(message.pk, timedelta(seconds=5))
    assert not outcome.due().exists()
    with clock.moved(timedelta(seconds=6)):
        assert outcome.due().exists()


def test_of_two_who_add_up_at_once_one_does_and_a_dead_one_is_followed(over, monkeypatch):
    message = over([{}])
    outcome.want(message.pk)
    monkeypatch.setattr(outcome, "_add_up", lambda *_: None)  # dies with the lease in its hand
    assert outcome.one()
    assert not outcome.one()
    monkeypatch.undo()
    with clock.moved(outcome.LEASE + timedelta(seconds=1)):
        assert outcome.one()
        assert not outcome.one()


def test_what_is_asked_for_meanwhile_is_not_forgotten(over, monkeypatch):
    message = over([{}])
    outcome.want(message.pk)
    by_words = outcome.by_words

    def and_then_something_moves(message_id: int):
        outcome.want(message_id)
        MessageReport.objects.filter(pk=message_id).update(due_at=clock.now())
        return by_words(message_id)

    monkeypatch.setattr(outcome, "by_words", and_then_something_moves)
    outcome.one()
    assert outcome.due().exists()


def test_erasing_a_person_takes_her_domain_out_of_the_reports(sent_off):
    message = sent_off(3)
    her = Subscriber.objects.earliest("pk")
    SubscriberMessage.objects.filter(subscriber_id=her.pk).update(to_address="ida@ida.example")
    tasks.send()
    tasks.report()
    assert message.domain_counts.filter(domain="ida.example").exists()
    erase(her)
    tasks.report()
    assert sorted(message.domain_counts.values_list("domain", "sent")) == [
        ("", 1),
        ("example.org", 2),
    ]
