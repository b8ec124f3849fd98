"""Ten seconds to take it back, and a time to come: until a worker begins, it is only queued."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.campaigns.schedule import Moment
from mailape.campaigns.tests.test_dispatch import a_draft
from mailape.core import clock
from mailape.core.errors import Conflict, Invalid


@pytest.fixture
def draft(db: None) -> Message:
    return a_draft()


def test_a_message_taken_back_is_a_draft_as_before(draft):
    dispatch.send(draft, wait=dispatch.GRACE)
    assert draft.not_before is not None
    assert draft.not_before > clock.now() + timedelta(seconds=9)
    dispatch.take_back(draft)
    assert (draft.status, draft.not_before, draft.audience_frozen) == ("draft", None, None)
    assert (draft.subject, draft.body) == ("Apples", "They are ripe.")


def test_the_form_that_sent_it_does_not_send_it_again_once_it_was_taken_back(draft):
    seen = draft.version
    dispatch.send(draft, seen, wait=dispatch.GRACE)
    dispatch.take_back(draft)
    with pytest.raises(Conflict, match="changed or sent meanwhile"):
        dispatch.send(draft, seen)
    assert dispatch.send(draft, draft.version).status == "queued"


def test_taking_back_twice_says_that_nothing_was_sent(draft):
    dispatch.send(draft, wait=dispatch.GRACE)
    dispatch.take_back(draft)
    with pytest.raises(Conflict, match="nothing of it was sent"):
        dispatch.take_back(draft)


def test_what_a_builder_holds_is_not_taken_back(draft):
    dispatch.send(draft, wait=dispatch.GRACE)
    Message.objects.filter(pk=draft.pk).update(build_lease_until=clock.now())
    with pytest.raises(Conflict, match="too late"):
        dispatch.take_back(draft)
    assert draft.status == "queued"


def test_what_was_begun_and_paused_is_not_taken_back(draft):
    dispatch.send(draft)
    Message.objects.filter(pk=draft.pk).update(started_at=clock.now())
    dispatch.pause(draft)
    for _ in range(2):
        with pytest.raises(Conflict):
            dispatch.take_back(draft)
        Message.objects.filter(pk=draft.pk).update(status="queued")


def test_a_scheduled_message_keeps_its_time_and_zone_until_it_is_taken_back(draft):
    at = clock.now() + timedelta(days=2)
    dispatch.send(draft, at=Moment(at, "Europe/Berlin"))
    assert (draft.status, draft.not_before, draft.zone) == ("queued", at, "Europe/Berlin")
    assert dispatch.is_waiting(draft)
    dispatch.take_back(draft)
    assert (draft.status, draft.zone) == ("draft", "")


def test_a_time_that_is_over_leaves_it_a_draft(draft):
    with pytest.raises(Invalid, match="over already"):
        dispatch.send(draft, at=Moment(clock.now() - timedelta(seconds=1), "UTC"))
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_a_scheduled_message_is_cancelled_or_paused_like_any_other(draft):
    at = clock.now() + timedelta(days=2)
    dispatch.send(draft, at=Moment(at, "UTC"))
    dispatch.pause(draft)
    dispatch.resume(draft)
    assert (draft.status, draft.not_before) == ("queued", at)
    dispatch.cancel(draft)
    assert draft.status == "cancelled"
