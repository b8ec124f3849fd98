"""A clock that was ahead and is set right: nobody waits for the time by which it was wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.campaigns import dispatch
from mailape.campaigns.schedule import Moment
from mailape.core import clock
from mailape.delivery import build, claim, leases, notices, retry, set_back, status, tasks
from mailape.delivery.models import DeliveryBatch, Pace, State, SubscriberMessage
from mailape.delivery.tests.conftest import recorder
from mailape.delivery.tests.ways import Way, go
from mailape.delivery.transports.base import Fate, Outcome
from mailape.senders.models import TransportAccount

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
LATER = Outcome(0, Fate.TRY_LATER, 451, "4.3.0", "4.3.0 Try later")


@pytest.fixture(autouse=True)
def looked_before(monkeypatch) -> None:
    monkeypatch.setattr(set_back, "_ahead", None)


def due() -> int:
    return SubscriberMessage.objects.filter(not_before__lte=clock.now()).count()


@pytest.mark.parametrize("by", [HOUR, timedelta(days=1)])
def test_who_was_to_wait_for_a_minute_does_not_wait_for_a_day(sent_off, by):
    sent_off(3)
    set_back.look()
    with clock.moved(by):
        tasks.sweep()
        go(Way(says=LATER))
    assert due() == 0
    tasks.sweep()
    assert len(claim.singles(leases.NEWSLETTER).open) == 3


def test_machine_mail_that_was_asked_for_then_goes_now(db):
    with clock.moved(HOUR):
        notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/y"})
    tasks.sweep()  # the first of this process
    assert len(claim.singles(leases.MACHINE).open) == 1


def test_a_batch_that_was_given_back_for_a_minute_is_free(sent_off):
    sent_off(2)
    with clock.moved(HOUR):
        status.give_back(claim.batch(), timedelta(seconds=60))
    assert not claim.any_batch()
    set_back.look()
    assert len(claim.batch().open) == 2


@pytest.mark.parametrize("named", [False, True])
def test_what_was_sent_off_begins_but_at_a_time_that_was_named_not_before(write, a_list, named):
    with clock.moved(HOUR):
        soon = clock.now() + HOUR
        how = {"at": Moment(soon, "UTC")} if named else {"wait": timedelta(seconds=10)}
        message = dispatch.send(write([a_list]), **how)
    assert not build.due().exists()
    tasks.sweep()
    assert build.due().exists() is not named
    message.refresh_from_db()
    assert (message.not_before == soon) is named


def test_those_held_back_for_their_domain_ask_anew(sent_off, account: TransportAccount):
    sent_off(2)
    Pace.objects.create(account=account, domain="example.org", per_second=1)
    with clock.moved(HOUR):
        lease = claim.batch()
        until = clock.now() + timedelta(seconds=9)
        held = [retry.held(one, clock.now(), until, "Waits for its turn at example.org")
                for one in lease.open.values()]  # fmt: skip
        status.write(lease, held)
        Pace.objects.update(tail_at=until.timestamp())
    tasks.sweep()
    assert due() == 2


def test_what_waits_by_a_clock_that_was_right_goes_on_waiting(sent_off):
    sent_off(3)
    set_back.look()
    go(Way(says=LATER))
    DeliveryBatch.objects.update(done=False, not_before=clock.now() + timedelta(seconds=60))
    assert set_back.mend() == 0
    assert due() == 0


def test_it_mends_at_its_first_look_and_when_the_clock_goes_back(db, monkeypatch):
    mended = recorder(monkeypatch, set_back, "mend")
    for by in (0, 0, 3600, 3600, 3598, 0, 0):
        with clock.moved(timedelta(seconds=by)):
            set_back.look()
    assert len(mended) == 2


def test_what_is_on_its_way_stays_as_it_is(db):
    with clock.moved(HOUR):
        notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/y"})
        claim.singles(leases.MACHINE)
    assert set_back.mend() == 0
    assert SubscriberMessage.objects.get().state == State.SENDING
