"""Sending on hold: by hand, or because the database was restored from a copy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.campaigns import dispatch
from mailape.campaigns.schedule import Moment
from mailape.core import clock, origin, runs
from mailape.core.models import InstanceSetting
from mailape.delivery import hold, tasks
from mailape.delivery.models import State, SubscriberMessage
from mailape.delivery.tests.conftest import add_readers
from mailape.lists import subscribe
from mailape.lists.models import Method, Status, Subscription

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = subscribe.Origin(Method.FORM, source="/subscribe")


@pytest.fixture
def draft(write, a_list):
    add_readers(a_list, 3)
    return write([a_list])


def restored() -> None:
    """What restoring a copy leaves: an origin that does not fit what lies here."""
    InstanceSetting.objects.filter(name="origin").update(value=[0, "of a copy"])


def work() -> None:
    tasks.sweep()
    tasks.wake()
    tasks.build()
    tasks.send()


def states() -> list[str]:
    return sorted(SubscriberMessage.objects.values_list("state", flat=True))


def test_nothing_is_sent_while_it_is_held_and_all_of_it_afterwards(draft, a_list):
    assert hold.begin("The disk is moved.")
    assert not hold.begin()
    dispatch.send(draft)
    subscribe.sign_up(a_list, "new@example.org", "", ORIGIN)
    work()
    assert states() == []
    draft.refresh_from_db()
    assert draft.status == "queued"
    assert hold.now() == hold.Hold(hold.now().since, "The disk is moved.", None)
    assert hold.release(pause=False) == 0
    work()
    assert states() == ["sent"] * 4


def test_what_was_cancelled_is_wound_up_also_while_it_is_held(draft):
    dispatch.send(draft)
    tasks.build()
    hold.begin()
    dispatch.cancel(draft)
    work()
    assert states() == ["skipped"] * 3


def test_a_restored_database_holds_itself_until_somebody_releases_it(draft):
    work()  # an instance at work: it knows where it lies
    dispatch.send(draft)
    tasks.build()
    before = clock.now()
    runs.ended("delivery.sweep", before, 0.1, failed=False)
    restored()
    work()
    assert states() == ["queued"] * 3
    held = hold.now()
    assert (held.why, held.copied_at) == (hold.RESTORED, before)
    work()
    assert hold.now() == held
    assert hold.release(pause=True) == 1
    work()
    draft.refresh_from_db()
    assert (draft.status, draft.reason, states()) == ("paused", hold.PAUSED, ["queued"] * 3)
    dispatch.resume(draft)
    work()
    assert states() == ["sent"] * 3


def test_it_is_seen_by_whichever_task_comes_first(draft):
    work()
    dispatch.send(draft)
    for task in (tasks.sweep, tasks.wake, tasks.build, tasks.send):
        restored()
        task()
        assert hold.now() is not None
        InstanceSetting.objects.filter(name="sending_held").delete()
    assert states() == []


def test_a_copy_in_which_nothing_waits_is_not_held(draft, a_list):
    work()
    restored()
    work()
    assert hold.now() is None
    dispatch.send(draft)
    work()
    assert states() == ["sent"] * 3


@pytest.mark.parametrize("waiting", ["queued", "scheduled", "paused", "confirmation", "deferred"])
def test_whatever_waits_holds_a_copy(waiting, draft, a_list):
    work()
    if waiting == "confirmation":
        subscribe.sign_up(a_list, "new@example.org", "", ORIGIN)
    elif waiting == "scheduled":
        dispatch.send(draft, at=Moment(clock.now() + timedelta(days=3), "UTC"))
    else:
        dispatch.send(draft)
    if waiting == "paused":
        dispatch.pause(draft)
    if waiting == "deferred":
        work()
        later = clock.now() + timedelta(hours=1)
        SubscriberMessage.objects.filter(pk=SubscriberMessage.objects.first().pk).update(
            state=State.DEFERRED, not_before=later, priority=0
        )
        draft.refresh_from_db()
        type(draft).objects.filter(pk=draft.pk).update(status="sent")
    restored()
    tasks.sweep()
    assert hold.now() is not None


def test_a_newsletter_for_next_week_stays_scheduled_when_the_others_are_paused(draft):
    work()
    dispatch.send(draft, at=Moment(clock.now() + timedelta(days=3), "UTC"))
    restored()
    assert hold.release(pause=True) == 0
    draft.refresh_from_db()
    assert draft.status == "queued"


def test_whoever_releases_before_any_worker_has_looked_releases_it(draft):
    """Or the first worker would hold it again at once."""
    work()
    dispatch.send(draft)
    restored()
    assert hold.release(pause=False) == 0
    work()
    assert states() == ["sent"] * 3


def test_a_second_release_changes_nothing(draft):
    hold.begin()
    assert hold.release(pause=False) == 0
    dispatch.send(draft)
    assert hold.release(pause=True) is None
    draft.refresh_from_db()
    assert draft.status == "queued"


def test_who_dies_after_the_hold_and_before_the_new_origin_leaves_it_held(draft, monkeypatch):
    work()
    dispatch.send(draft)
    restored()
    with monkeypatch.context() as patch:
        patch.setattr(origin, "settle", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tasks.sweep()
    held = hold.now()
    work()
    assert hold.now() == held
    assert states() == []


def test_a_hold_without_a_reason_says_who_held(draft):
    hold.begin("  ")
    assert hold.now().why == hold.BY_HAND


def test_what_confirms_waits_and_is_not_lost(a_list):
    hold.begin()
    subscribe.sign_up(a_list, "new@example.org", "", ORIGIN)
    work()
    one = Subscription.objects.get()
    assert (one.status, one.confirmation_no, one.confirmation_built) == (Status.UNCONFIRMED, 1, 0)
    hold.release(pause=True)
    work()
    assert states() == ["sent"]
