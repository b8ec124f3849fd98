"""Once an hour: what only grows is cut."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.core import clock, limits
from mailape.core.models import IdempotentAnswer, RateCounter, WorkerSign
from mailape.delivery import housekeeping, tasks
from mailape.delivery.models import OutboxMail
from mailape.delivery.transports import outbox
from mailape.delivery.transports.base import Fate, Mail
from mailape.delivery.transports.outbox import Outbox

pytestmark = pytest.mark.django_db(transaction=True)


def keep(count: int) -> None:
    OutboxMail.objects.bulk_create(
        OutboxMail(delivery_id=n, sender="a@x.example", recipient="b@x.example", content=b"x")
        for n in range(count)
    )


def test_the_outbox_keeps_its_last_thousand():
    keep(1_010)
    assert housekeeping.tidy()["outbox"] == 10
    assert OutboxMail.objects.count() == 1_000
    assert OutboxMail.objects.order_by("pk").first().delivery_id == 10


def test_the_outbox_cuts_itself_while_much_is_sent(monkeypatch):
    monkeypatch.setattr(outbox, "KEPT", 10)
    monkeypatch.setattr(outbox, "_TRIM_EVERY", 5)
    mails = (
        Mail(n, "a@x.example", f"r{n}@x.example", b"content", subject="s" * 400) for n in range(30)
    )
    fates = {found.fate for found in Outbox(1).send(mails)}
    assert fates == {Fate.SENT}
    assert OutboxMail.objects.count() <= 1_000


def test_what_has_expired_goes_and_what_has_not_stays():
    limits.count("x", "y", limits.Rate(5, 60))
    old = clock.now() - timedelta(days=2)
    for at in (old, clock.now()):
        IdempotentAnswer.objects.create(
            owner="o", key=str(at), fingerprint="f", created_at=at, status=200
        )
        WorkerSign.objects.create(
            name=str(at), role="worker", version="1", started_at=at, seen_at=at
        )
    done = tasks.tidy()
    assert (done["answers"], done["signs"], done["counters"]) == (1, 1, 0)
    with clock.moved(timedelta(minutes=5)):
        assert housekeeping.tidy()["counters"] == 1
    assert RateCounter.objects.count() == 0


def test_one_part_that_fails_does_not_keep_the_others_from_their_work(monkeypatch):
    def breaks() -> int:
        raise RuntimeError

    monkeypatch.setattr(housekeeping, "PARTS", (breaks, *housekeeping.PARTS))
    keep(1_001)
    done = housekeeping.tidy()
    assert done["breaks"] == "failed: RuntimeError"
    assert done["outbox"] == 1
