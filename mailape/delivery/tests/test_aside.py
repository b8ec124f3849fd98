"""Singles of a paused message: put off in lots, for ever longer, and due again when it goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.campaigns import dispatch
from mailape.core import clock
from mailape.delivery import aside, claim, leases, status, tasks
from mailape.delivery.models import SubscriberMessage
from mailape.delivery.tests.conftest import counted, near, really, recorder, result

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


def due() -> int:
    return SubscriberMessage.objects.filter(not_before__lte=clock.now()).count()


def test_those_who_wait_in_a_paused_message_are_put_off_in_few_steps(waiting, monkeypatch):
    """They were taken fifty at a time: half a million kept a sender busy for half a minute, and
    each half minute anew, while the mails of all others waited."""
    message = waiting(2100)
    dispatch.pause(message)
    looks = recorder(monkeypatch, claim, "_due")
    assert claim.singles(leases.NEWSLETTER) is None
    assert (len(looks), due()) == (4, 0)


def test_a_claim_looks_only_so_often_before_others_have_their_turn(waiting, monkeypatch):
    monkeypatch.setattr(aside, "LOT", 10)
    dispatch.pause(waiting(300))
    assert claim.singles(leases.NEWSLETTER) is None
    assert due() == 300 - 10 * claim.LOOKS


@pytest.mark.parametrize(
    ("lasted", "wait"), [(0, 0.5), (3, 0.5), (40, 5), (80, 10), (600, 10), (-600, 0.5)]
)
def test_the_longer_a_pause_lasts_the_longer_they_are_put_off(waiting, lasted, wait):
    """In minutes; also where the clock was put back meanwhile."""
    dispatch.pause(waiting(2))
    with clock.moved(lasted * MINUTE):
        SubscriberMessage.objects.update(not_before=clock.now())
        claim.singles(leases.NEWSLETTER)
        moments = set(SubscriberMessage.objects.values_list("not_before", flat=True))
        assert near(moments.pop(), clock.now() + wait * MINUTE)
        assert not moments


def test_when_the_message_goes_on_they_are_due_at_once_and_nobody_else_is(waiting):
    message = waiting(3)
    greylisted = SubscriberMessage.objects.order_by("pk").first()
    later = clock.now() + timedelta(hours=1)
    SubscriberMessage.objects.filter(pk=greylisted.pk).update(not_before=later)
    dispatch.pause(message)
    with clock.moved(80 * MINUTE):
        SubscriberMessage.objects.filter(pk=greylisted.pk).update(not_before=clock.now() + MINUTE)
        assert claim.singles(leases.NEWSLETTER) is None
        dispatch.resume(message)
        tasks.build()
        lease = claim.singles(leases.NEWSLETTER)
        assert len(lease.open) == 2
        assert greylisted.pk not in lease.open
        status.write(lease, [result(pk) for pk in lease.open])
    assert counted(message) == really(message) == {"sent": 2, "deferred": 1}
    assert set(SubscriberMessage.objects.values_list("owner", flat=True)) == {""}


def test_who_is_cancelled_while_set_aside_is_skipped(waiting):
    message = waiting(3)
    dispatch.pause(message)
    claim.singles(leases.NEWSLETTER)
    dispatch.cancel(message)
    tasks.build()
    assert counted(message) == really(message) == {"skipped": 3}
