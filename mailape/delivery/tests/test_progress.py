"""What the engine says of a message, each thing once and only where it applies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from mailape.campaigns.models import Message, Status
from mailape.core import bell, clock
from mailape.delivery import claim, notices, outcome, progress, status, tally, tasks
from mailape.delivery.models import DeliveryBatch, MessageReport, State
from mailape.delivery.retry import Result

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "The server talks " * 30


@pytest.fixture
def newsletter(write, a_list) -> Callable[..., Message]:
    """A newsletter in this status, with these fields and no delivery: `newsletter("queued")`."""

    def make(status: str, **fields: object) -> Message:
        message = write([a_list])
        Message.objects.filter(pk=message.pk).update(status=status, **fields)
        message.refresh_from_db()
        return message

    return make


def seen(message: Message) -> tuple[str, str]:
    """Its status and reason as they are now."""
    return Message.objects.values_list("status", "reason").get(pk=message.pk)


def report_due(message: Message) -> datetime | None:
    return MessageReport.objects.get(pk=message.pk).due_at


# --- it begins -----------------------------------------------------------------------------------


def test_it_begins_once_and_whatever_held_it_is_forgotten(newsletter):
    message = newsletter("queued", reason="The mail server refuses us")
    assert progress.begin(message.pk) is True
    assert seen(message) == ("sending", "")
    assert progress.begin(message.pk) is False


def test_after_a_pause_it_still_started_when_it_first_began(newsletter):
    message = newsletter("queued")
    progress.begin(message.pk)
    message.refresh_from_db()
    started = message.started_at
    Message.objects.filter(pk=message.pk).update(status="queued")
    with clock.moved(timedelta(hours=1)):
        progress.begin(message.pk)
    message.refresh_from_db()
    assert message.started_at == started


def test_its_first_report_is_due_soon_and_not_at_once(newsletter):
    message = newsletter("queued")
    progress.begin(message.pk)
    wait = report_due(message) - clock.now()
    assert outcome.AGAIN - timedelta(seconds=5) < wait <= outcome.AGAIN


# --- it does not get on --------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["queued", "sending"])
def test_the_engine_pauses_what_goes_out_and_the_log_says_so_once(newsletter, caplog, before):
    message = newsletter(before)
    with caplog.at_level(logging.ERROR, logger=progress.log.name):
        assert progress.pause(message.pk, "The key is gone") is True
        assert progress.pause(message.pk, "Another reason") is False
    assert seen(message) == ("paused", "The key is gone")
    assert [one.getMessage() for one in caplog.records] == [
        f"message {message.pk} paused: The key is gone"
    ]


@pytest.mark.parametrize("before", ["queued", "sending", "paused"])
def test_only_what_goes_out_can_fail_and_the_log_says_so_once(newsletter, caplog, before):
    message = newsletter(before)
    with caplog.at_level(logging.ERROR, logger=progress.log.name):
        progress.fail(message.pk, "An unknown tag")
        progress.fail(message.pk, "Another reason")
    if before == "paused":
        assert seen(message) == ("paused", "")
        assert not caplog.records
    else:
        assert seen(message) == ("failed", "An unknown tag")
        assert [one.getMessage() for one in caplog.records] == [
            f"message {message.pk} failed: An unknown tag"
        ]


@pytest.mark.parametrize("deed", [progress.pause, progress.note, progress.fail])
def test_of_a_long_reason_is_kept_what_fits(newsletter, deed):
    message = newsletter("sending")
    deed(message.pk, LONG)
    assert seen(message)[1] == LONG[:300]


def test_a_note_goes_when_it_gets_on(newsletter):
    message = newsletter("sending", reason="Waits for the mail server.")
    progress.note(message.pk, "")
    assert seen(message) == ("sending", "")


@pytest.mark.parametrize("before", ["queued", "paused", "sent", "cancelled"])
def test_only_of_what_is_being_sent_is_noted_why_it_waits(newsletter, before):
    message = newsletter(before, reason="As it was")
    progress.note(message.pk, "Waits for the mail server.")
    assert seen(message) == (before, "As it was")


def test_machine_mail_is_never_paused_noted_or_failed(db):
    made = notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/y"})
    for deed in (progress.pause, progress.note, progress.fail):
        deed(made.message_id, "The server refuses us")
    assert seen(made.message) == ("sending", "")


# --- it is over ----------------------------------------------------------------------------------


def over(lease) -> None:
    """All that this lease holds went out, and nobody has said yet that the message is over."""
    status.write(lease, [Result(pk, State.SENT, clock.now(), 1) for pk in lease.open])


def test_it_is_finished_once_when_all_went_out_and_its_report_is_due_now(sent_off, monkeypatch):
    message = sent_off(3)
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    lease = claim.batch()
    assert progress.finish(message.pk) is False
    over(lease)
    Message.objects.filter(pk=message.pk).update(reason="Waits for the mail server.")
    assert progress.finish(message.pk) is True
    assert seen(message) == ("sent", "")
    assert report_due(message) <= clock.now()
    assert rung == [bell.REPORT]
    assert progress.finish(message.pk) is False


def test_it_is_not_finished_before_it_is_built(sent_off):
    message = sent_off(2)
    over(claim.batch())
    Message.objects.filter(pk=message.pk).update(built_at=None)
    assert not progress.to_finish().exists()
    assert progress.finish(message.pk) is False
    assert seen(message)[0] == "sending"


def test_what_a_person_opened_in_the_last_moment_is_not_finished(sent_off, monkeypatch):
    message = sent_off(2)
    over(claim.batch())
    answers = [True, False]  # it is over; and then, under the lock, it is not
    monkeypatch.setattr(tally, "is_over", lambda _: answers.pop(0))
    assert progress.finish(message.pk) is False
    assert answers == []
    assert seen(message)[0] == "sending"


def test_what_a_person_paused_in_the_last_moment_is_not_finished(sent_off, monkeypatch):
    message = sent_off(2)
    over(claim.batch())

    def and_then_she_pauses(_: int) -> bool:
        Message.objects.filter(pk=message.pk).update(status="paused")
        return True

    monkeypatch.setattr(tally, "is_over", and_then_she_pauses)
    assert progress.finish(message.pk) is False
    assert seen(message)[0] == "paused"


def test_only_a_message_without_an_open_batch_is_perhaps_over(sent_off):
    message = sent_off(2)
    assert message not in progress.to_finish()
    over(claim.batch())
    assert list(progress.to_finish()) == [message]
    DeliveryBatch.objects.update(done=False)
    assert not progress.to_finish().exists()


def test_one_that_is_opened_again_is_sending_without_an_end_and_reports_soon(newsletter):
    message = newsletter("sent", reason="An old word", finished_at=clock.now())
    progress.reopen(message.pk)
    assert seen(message) == ("sending", "")
    message.refresh_from_db()
    assert message.finished_at is None
    assert report_due(message) > clock.now() + outcome.AGAIN / 2


def test_while_a_message_is_locked_senders_go_on_counting(sent_off):
    """A lock as for a change of its key would hold up each row that names it."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock for all who write")
    message = sent_off(1)
    counted = threading.Event()

    def count() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        tally.moved([(message.pk, "", State.QUEUED)])
        counted.set()
        connection.close()

    with transaction.atomic():
        messages = Message.objects.select_related("revision").filter(pk=message.pk)
        assert progress.locked(messages) == message
        thread = threading.Thread(target=count)
        thread.start()
        assert counted.wait(4)
    thread.join()


# --- it ended early ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "reason"), [(Status.CANCELLED, "cancelled"), (Status.FAILED, "the message failed")]
)
def test_what_ended_early_is_wound_up_once_and_reported(sent_off, monkeypatch, ended, reason):
    message = sent_off(3)
    MessageReport.objects.all().delete()
    Message.objects.filter(pk=message.pk).update(status=ended)
    assert list(progress.to_wind_up()) == [message]
    message.refresh_from_db()
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    assert progress.wind_up(message) is True
    assert set(message.deliveries.values_list("state", "reason")) == {("skipped", reason)}
    assert not progress.to_wind_up().exists()
    assert report_due(message) <= clock.now()
    assert rung == [bell.REPORT]
    message.refresh_from_db()
    finished = message.finished_at
    with clock.moved(timedelta(hours=1)):
        progress.wind_up(message)
    message.refresh_from_db()
    assert message.finished_at == finished


def test_what_a_worker_holds_keeps_a_cancelled_message_open(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    Message.objects.filter(pk=message.pk).update(status=Status.CANCELLED)
    message.refresh_from_db()
    assert progress.wind_up(message) is False
    assert list(progress.to_wind_up()) == [message]
    status.give_back(lease)
    tasks.build()
    assert not progress.to_wind_up().exists()
