"""Taking back and building at one moment: one of the two has it, never both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.campaigns.schedule import Moment
from mailape.core import clock
from mailape.core.errors import Conflict
from mailape.delivery import build, tasks
from mailape.delivery.models import SubscriberMessage
from mailape.delivery.tests.conftest import add_readers
from mailape.lists.models import MailingList

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def draft(write: Callable[..., Message], a_list: MailingList) -> Message:
    add_readers(a_list, 3)
    return write([a_list])


def test_nothing_is_built_before_the_ten_seconds_are_over(draft):
    dispatch.send(draft, wait=dispatch.GRACE)
    tasks.build()
    assert not SubscriberMessage.objects.exists()
    with clock.moved(timedelta(seconds=11)):
        assert tasks._to_build()
        tasks.build()
    draft.refresh_from_db()
    assert (draft.status, SubscriberMessage.objects.count()) == ("sending", 3)
    with pytest.raises(Conflict, match="too late"):
        dispatch.take_back(draft)


def test_a_scheduled_message_begins_at_its_time_or_when_the_machine_is_back(draft):
    at = clock.now() + timedelta(days=1)
    dispatch.send(draft, at=Moment(at, "UTC"))
    with clock.moved(timedelta(hours=23)):
        assert not tasks._to_build()
    with clock.moved(timedelta(days=3)):  # it was off when it was due
        tasks.build()
    draft.refresh_from_db()
    assert draft.status == "sending"
    assert draft.started_at - draft.not_before > timedelta(days=1)


def test_what_is_taken_back_and_written_anew_goes_out_as_it_is_written_now(draft):
    dispatch.send(draft, wait=dispatch.GRACE)
    with clock.moved(timedelta(seconds=11)):
        held = build.claim()
        assert held is not None
        assert held.message.revision_id is None
        build._put_off(held)  # its builder failed before anything began
        dispatch.take_back(draft)
        Message.objects.filter(pk=draft.pk).update(subject="Another")
        dispatch.send(draft)
        tasks.build()
        draft.refresh_from_db()
        assert draft.revision.subject == "Another"
        # The builder of before wakes up: its fence is old, and it may write nothing.
        assert build._held(held).update(reason="stale") == 0


@pytest.mark.parametrize("_round", range(5))
def test_of_a_builder_and_one_who_takes_it_back_exactly_one_wins(draft, _round):
    dispatch.send(draft, wait=timedelta(seconds=1))
    start, won = threading.Barrier(6), []

    def taken_back() -> None:
        try:
            start.wait()
            dispatch.take_back(Message.objects.get(pk=draft.pk))
            won.append("taken back")
        except Conflict:
            pass
        finally:
            connection.close()

    def built() -> None:
        try:
            start.wait()
            if build.claim() is not None:
                won.append("built")
        finally:
            connection.close()

    deeds = [taken_back, built] * 3
    with clock.moved(timedelta(seconds=2)):
        threads = [threading.Thread(target=deed) for deed in deeds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(won) == 1
    draft.refresh_from_db()
    assert draft.status == ("draft" if won == ["taken back"] else "queued")
    assert (draft.build_lease_until is None) == (won == ["taken back"])
