"""Deeds on many people: what each does and to whom, step by step, and the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.core import clock
from mailape.core.errors import Conflict, Invalid
from mailape.delivery.models import SubscriberMessage
from mailape.lists import bulk, manage, numbers, subscribe, suppress, tasks
from mailape.lists.models import (
    BulkDeed,
    BulkTouch,
    ConsentRecord,
    DeedKind,
    DeedState,
    Subscriber,
    Subscription,
    Suppression,
)
from mailape.lists.search import Wanted
from mailape.lists.tests.conftest import FORM, LINK, OWNER
from mailape.privacy import erase
from mailape.privacy import tasks as privacy_tasks

WHO = "bob@example.org"


@pytest.fixture
def people(letter, monkeypatch) -> list[Subscriber]:
    """Ten confirmed on the letter; steps of three, so that there are several."""
    monkeypatch.setattr(bulk, "STEP", 3)
    return [
        subscribe.add(letter, f"reader{n}@example.org", "", OWNER, confirmed=True)[0].subscriber
        for n in range(10)
    ]


def asked(letter, kind, *, chosen=None, to=None, **wanted) -> BulkDeed:
    keys = None if chosen is None else [one.pk for one in chosen]
    whom = Wanted(letter.workspace_id, **wanted) if chosen is None else None
    return bulk.ask(letter.workspace, WHO, kind, people=keys, wanted=whom, to=to)


def done(deed: BulkDeed, steps=bulk.STEPS) -> BulkDeed:
    bulk.start(deed)
    bulk.run(deed, steps)
    return deed


def counts(which) -> tuple[int, int, int]:
    assert numbers.differences(which) == {}
    found = numbers.counts([which])[which.pk]
    return found["unconfirmed"], found["confirmed"], found["unsubscribed"]


def test_nothing_happens_before_it_is_started(letter, people):
    deed = asked(letter, DeedKind.REMOVE, to=letter, list=letter)
    assert (deed.total, deed.state) == (10, DeedState.ASKED)
    bulk.run(deed)
    assert counts(letter) == (0, 10, 0)


def test_taking_off_a_list_is_recorded_and_can_be_taken_back(letter, people):
    subscribe.sign_up(letter, "eve@example.org", "", FORM)
    subscribe.unsubscribe(people[0].pk, None, LINK)
    before = numbers.daily([letter], 1)
    deed = done(asked(letter, DeedKind.REMOVE, to=letter, list=letter))
    assert (deed.state, deed.total, deed.changed) == (DeedState.DONE, 11, 10)
    assert counts(letter) == (0, 0, 11)
    kept = ConsentRecord.objects.filter(source=WHO, consent="withdrawn", method="owner")
    assert kept.count() == 10
    bulk.undo(deed)
    bulk.run(deed)
    assert deed.state == DeedState.UNDONE
    assert counts(letter) == (1, 9, 1)
    assert numbers.daily([letter], 1) == before
    assert not BulkTouch.objects.exists()


def test_who_acts_herself_meanwhile_is_not_touched_by_the_way_back(letter, people):
    deed = done(asked(letter, DeedKind.REMOVE, to=letter, chosen=people[:2]))
    subscribe.come_back(people[0].pk, [letter.pk], LINK)
    with clock.moved(timedelta(minutes=1)):
        subscribe.unsubscribe(people[0].pk, None, LINK)
        bulk.undo(deed)
        bulk.run(deed)
    status = dict(Subscription.objects.values_list("subscriber_id", "status"))
    assert (status[people[0].pk], status[people[1].pk]) == ("unsubscribed", "confirmed")


def test_adding_takes_only_those_who_were_never_there_and_are_not_suppressed(letter, people):
    other = manage.create(letter.workspace, "Other")
    subscribe.sign_up(other, people[0].email, "", FORM)
    subscribe.add(other, people[1].email, "", OWNER, confirmed=True)
    subscribe.unsubscribe(people[1].pk, [other.pk], LINK)
    suppress.suppress(letter.workspace, people[2].email)
    deed = asked(letter, DeedKind.ADD, list=letter)
    bulk.start(deed, other)
    bulk.run(deed)
    assert (deed.state, deed.changed) == (DeedState.DONE, 7)
    assert counts(other) == (1, 7, 1)
    record = ConsentRecord.objects.filter(source=WHO).first()
    assert (record.consent, record.method, record.list) == ("given", "owner", other)
    assert "agreed elsewhere" in record.wording
    bulk.undo(deed)
    bulk.run(deed)
    assert counts(other) == (1, 0, 1)
    assert counts(letter) == (0, 10, 0)


def test_suppressing_keeps_the_first_reason_and_is_taken_back(letter, people):
    suppress.suppress(letter.workspace, people[0].email, source="first")
    deed = done(asked(letter, DeedKind.SUPPRESS, q="reader"))
    assert deed.changed == 9
    assert Suppression.objects.count() == 10
    assert Suppression.objects.get(value=people[0].email_key).source == "first"
    bulk.undo(deed)
    bulk.run(deed)
    assert [row.value for row in Suppression.objects.all()] == [people[0].email_key]


def test_erasing_leaves_hashes_and_no_way_back(letter, people):
    SubscriberMessage.objects.all().delete()
    deed = done(asked(letter, DeedKind.ERASE, chosen=people[:7]), erase.STEPS)
    assert (deed.state, deed.changed) == (DeedState.DONE, 7)
    assert Subscriber.objects.count() == 3
    assert Suppression.objects.filter(kind="erased").count() == 7
    assert counts(letter) == (0, 3, 0)
    with pytest.raises(Conflict):
        bulk.undo(deed)


def test_whoever_comes_after_it_was_asked_is_left_alone(letter, people):
    deed = asked(letter, DeedKind.REMOVE, to=letter, list=letter)
    subscribe.add(letter, "new@example.org", "", OWNER, confirmed=True)
    done(deed)
    assert counts(letter) == (0, 1, 10)


def test_another_workspaces_people_are_not_reached(letter, people):
    stranger = manage.create(type(letter.workspace).objects.create(name="Elsewhere"), "Theirs")
    hers = subscribe.add(stranger, "x@example.org", "", OWNER, confirmed=True)[0].subscriber
    with pytest.raises(Invalid):
        asked(letter, DeedKind.ERASE, chosen=[hers])
    done(asked(letter, DeedKind.SUPPRESS))
    assert not Suppression.objects.filter(workspace=stranger.workspace).exists()


def test_started_twice_and_undone_twice_is_once(letter, people):
    deed = asked(letter, DeedKind.REMOVE, to=letter, chosen=people[:1])
    for _ in range(2):
        done(deed)
    assert deed.changed == 1
    for _ in range(2):
        bulk.undo(deed)
        bulk.run(deed)
    assert counts(letter) == (0, 10, 0)


def test_it_can_be_stopped_and_then_taken_back(letter, people, monkeypatch):
    deed = asked(letter, DeedKind.REMOVE, to=letter, list=letter)
    bulk.start(deed)
    bulk._one_step(deed.pk, bulk.STEPS)
    bulk.stop(deed)
    bulk.run(deed)
    deed.refresh_from_db()
    bulk.run(deed)
    assert (deed.state, deed.changed) == (DeedState.DONE, 3)
    bulk.undo(deed)
    bulk.run(deed)
    assert counts(letter) == (0, 10, 0)


def test_after_a_while_there_is_no_way_back(letter, people):
    deed = done(asked(letter, DeedKind.REMOVE, to=letter, chosen=people))
    assert bulk.may_undo(deed)
    with clock.moved(bulk.UNDO_FOR + timedelta(seconds=1)):
        assert not bulk.may_undo(deed)
        with pytest.raises(Conflict):
            bulk.undo(deed)
        assert bulk.tidy() == 10
    assert not BulkTouch.objects.exists()


def test_a_step_that_fails_is_tried_again_and_then_ends_as_failed(letter, people):
    deed = asked(letter, DeedKind.REMOVE, to=letter, chosen=people)

    def breaks(deed, keys):
        raise ValueError("no")

    done(deed, {DeedKind.REMOVE: breaks})
    assert (deed.state, deed.attempts) == (DeedState.FAILED, bulk.ATTEMPTS)
    assert "ValueError" in deed.reason
    assert counts(letter) == (0, 10, 0)


@pytest.mark.django_db(transaction=True)
def test_the_workers_do_what_is_under_way_and_a_sweep_rings_for_it(letter, people):
    assert bulk.bells() == []
    bulk.start(asked(letter, DeedKind.REMOVE, to=letter, list=letter))
    bulk.start(asked(letter, DeedKind.ERASE, chosen=people[:2]))
    assert bulk.bells() == ["lists.bulk", "privacy.erase"]
    tasks.work()
    assert bulk.bells() == ["privacy.erase"]
    privacy_tasks.work()
    assert bulk.bells() == []
    assert counts(letter) == (0, 0, 8)


def test_a_list_is_needed(letter, people):
    with pytest.raises(Invalid):
        bulk.start(asked(letter, DeedKind.ADD, chosen=people))
