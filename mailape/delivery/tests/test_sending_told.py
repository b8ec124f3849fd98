"""What the sending says of a message: why it waits, that it is paused, that it goes on."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from mailape.core import clock
from mailape.delivery import claim, leases, notices, progress, send
from mailape.delivery.models import SubscriberMessage
from mailape.delivery.tests.conftest import counted, recorder
from mailape.delivery.tests.ways import UNSIGNED, Way, go
from mailape.delivery.transports.base import Fate, Outcome

pytestmark = pytest.mark.django_db(transaction=True)

DOWN = Outcome(0, Fate.ROUTE_DOWN, 421, "4.3.0", "4.3.0 Closing")
BROKEN = Outcome(0, Fate.ROUTE_BROKEN, 535, "5.7.8", "5.7.8 Wrong password")


@pytest.mark.parametrize(
    ("says", "state", "reason", "mails"),
    [
        (DOWN, "sending", "Waits for the mail server. 421 4.3.0 Closing", 0),
        (BROKEN, "paused", "The mail server refuses us: 535 5.7.8 Wrong password", 1),
        (UNSIGNED, "paused", "The key of example.org cannot be read", 1),
    ],
)
def test_a_route_that_is_closed_is_told_on_the_message_and_blames_nobody(
    sent_off, says, state, reason, mails
):
    message = sent_off(1)
    assert go(Way(says=says)) is False
    message.refresh_from_db()
    assert (message.status, message.reason) == (state, reason)
    assert counted(message) == {"queued": 1}
    assert SubscriberMessage.objects.filter(message__kind="account").count() == mails


@pytest.mark.parametrize(("fault", "state"), [(OperationalError, "sending"), (KeyError, "paused")])
def test_a_pause_and_its_mail_are_one_but_what_cannot_be_told_pauses_too(
    sent_off, monkeypatch, fault, state
):
    """A death between the two would keep it from the owners for ever."""

    def breaks(*_: object) -> None:
        raise fault

    message = sent_off(1)
    with monkeypatch.context() as patched:
        patched.setattr(notices, "route_broken", breaks)
        assert go(Way(says=BROKEN)) is False
    message.refresh_from_db()
    assert message.status == state
    go(Way(says=BROKEN))
    mails = SubscriberMessage.objects.filter(message__kind="account").count()
    assert mails == (state == "sending")


@pytest.mark.parametrize(("count", "state"), [(2, "sent"), (4, "sending")])
def test_when_it_gets_on_the_message_has_no_reason_any_more(small, sent_off, count, state):
    message = sent_off(count)
    go(Way(says=DOWN))
    message.refresh_from_db()
    assert message.reason
    assert go(Way()) is True
    message.refresh_from_db()
    assert (message.status, message.reason) == (state, "")


def test_of_a_message_that_gets_on_nothing_is_written_but_its_end(sent_off, monkeypatch):
    sent_off(2)
    noted = recorder(monkeypatch, progress, "note")
    go(Way())
    assert noted == []


def test_machine_mail_is_no_newsletter_of_which_something_is_said(db, monkeypatch):
    notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/y"})
    said = [recorder(monkeypatch, progress, name) for name in ("note", "pause", "finish")]
    send.run([claim.singles(leases.MACHINE)], Way(says=BROKEN), clock.monotonic() + 60)
    assert said == [[], [], []]
    row = SubscriberMessage.objects.get()
    assert (row.state, row.attempts) == ("deferred", 0)
