"""Mails larger than the mail server takes: a clear end, no loop, and the way stays open."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError

from mailape.campaigns import dispatch
from mailape.core import clock
from mailape.delivery import progress, tally, tasks
from mailape.delivery.models import SubscriberMessage
from mailape.delivery.tests.conftest import add_readers, counted, really
from mailape.delivery.tests.ways import TAKEN, Way, at, go
from mailape.delivery.transports.base import Fate, Outcome
from mailape.lists import manage, subscribe, wording
from mailape.lists.models import Method, Subscriber
from tests.house.smtp import Stage

pytestmark = pytest.mark.django_db(transaction=True)
FORM = subscribe.Origin(Method.FORM)
LARGE = "word " * 6_000
PERSONAL = "{{ subscriber.name }} " * 200
TAKES = 20_000  # octets: a plain newsletter has half of that
TOO_LARGE = Outcome(0, Fate.TOO_LARGE, 552, "5.3.4", "5.3.4 The mail has 9 octets")


@pytest.fixture
def small(smtp_server, smtp_url):
    """A server that takes small mails only; `size` may be changed for connections to come."""
    server = smtp_server(size=TAKES)
    smtp_url(server.url)
    return server


def owners_mails() -> int:
    return SubscriberMessage.objects.filter(message__name="route-broken").count()


def test_a_message_that_is_too_large_pauses_blames_nobody_and_says_why(sent_off, small):
    message = sent_off(5, body=LARGE)
    tasks.send()
    message.refresh_from_db()
    assert message.status == "paused"
    said = "The mail server takes no mail as large as this one: 552 5.3.4 The mail has "
    assert message.reason.startswith(said)
    assert message.reason.endswith(f" octets and the server takes {TAKES}")
    assert counted(message) == really(message) == {"queued": 5}
    assert owners_mails() == 1
    tasks.send()
    assert small.refusals == small.letters == []  # it was not even tried


def test_once_the_server_takes_more_it_goes_on(sent_off, small, smtp_url):
    message = sent_off(5, body=LARGE)
    tasks.send()
    message.refresh_from_db()
    smtp_url(small.url)  # which opens new connections
    small.size = 10 * TAKES
    dispatch.resume(message)
    tasks.build()
    tasks.send()
    message.refresh_from_db()
    assert (message.status, message.reason, counted(message)) == ("sent", "", {"sent": 5})


def test_other_messages_go_out_past_it(sent_off, write, a_list, small):
    large = sent_off(5, body=LARGE)
    fits = dispatch.send(write([a_list]))
    tasks.build()
    tasks.send()
    for message in (large, fits):
        message.refresh_from_db()
    assert (large.status, fits.status) == ("paused", "sent")
    assert counted(fits) == {"sent": 5}


@pytest.mark.parametrize("who", ["first", "last"])
def test_one_mail_that_is_too_large_fails_alone(write, a_list, small, who):
    """Her name stands in it two hundred times, and is longer than everybody else's."""
    found = add_readers(a_list, 5)
    her = found[0 if who == "first" else -1]
    Subscriber.objects.filter(pk=her.pk).update(name="Adaeze " * 20)
    message = dispatch.send(write([a_list], body=PERSONAL))
    tasks.build()
    tasks.send()
    tasks.send()  # for what was left while nobody knew whether others fit
    message.refresh_from_db()
    assert (message.status, owners_mails()) == ("sent", 0)
    assert counted(message) == really(message) == {"sent": 4, "failed": 1}
    row = SubscriberMessage.objects.get(state="failed")
    assert row.to_address == her.email
    assert row.reason.startswith("Refused: 552 5.3.4 The mail has ")


@pytest.mark.parametrize("words", ["5.3.4 Too big", "message size exceeds the fixed limit"])
def test_552_to_the_size_that_we_said_is_about_the_message_too(sent_off, smtp, smtp_url, words):
    smtp_url(smtp.url)
    rule = smtp.answer(f"552 {words}", at=Stage.MAIL)
    message = sent_off(2)
    tasks.send()
    message.refresh_from_db()
    assert message.status == "paused"
    assert message.reason == f"The mail server takes no mail as large as this one: 552 {words}"
    smtp.forget(rule)
    dispatch.resume(message)
    tasks.build()
    tasks.send()
    assert counted(message) == {"sent": 2}


def test_a_confirmation_that_is_too_large_is_tried_ever_more_seldom_and_holds_up_nobody(
    alice, a_list, small
):
    wordy = manage.create(alice.workspace, "Wordy")
    wording.change(wordy, {"confirmation_body": "word " * 1_900 + "{{ confirm_url }}"})
    for number in range(3):
        for to in (wordy, a_list):
            subscribe.sign_up(to, f"{to.pk}-{number}@example.org", "", FORM)
    tasks.wake()
    assert len(small.letters) == 3
    assert SubscriberMessage.objects.filter(state="deferred").count() == 3
    row = SubscriberMessage.objects.filter(state="deferred").first()
    assert (row.state, row.attempts) == ("deferred", 1)
    assert row.reason.startswith("Try later: 552 5.3.4 The mail has ")
    with clock.moved(timedelta(seconds=61)):
        tasks.wake()
        row.refresh_from_db()
        assert row.attempts == 2
        assert row.not_before - clock.now() > timedelta(minutes=4)


def test_a_database_that_is_away_then_decides_nothing(sent_off, monkeypatch):
    message = sent_off(2)

    def away(message_id: int) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(tally, "has_sent", away)
    go(way := Way(says=TOO_LARGE))
    message.refresh_from_db()
    assert (message.status, counted(message)) == ("sending", {"queued": 2})
    assert len(way.taken) == 1, "nothing more is begun"


class Changing(Way):
    """A way that takes less, or more, from a certain mail on."""

    def takes(self, until: int, then: Outcome) -> None:
        told = self._told

        def tell(count: int) -> None:
            told(count)
            at(until, lambda: setattr(self, "_says", then))(count)

        self._told = tell


def test_ten_in_a_row_pause_a_message(sent_off, monkeypatch):
    paused: list[int] = []
    way = Way(says=TOO_LARGE)
    monkeypatch.setattr(progress, "pause", lambda *_: paused.append(len(way.taken)))
    sent_off(12)
    go(way)
    assert paused == [10, 11, 12]


def test_a_server_that_takes_less_from_now_on_pauses_the_rest(sent_off):
    message, way = sent_off(30), Changing()
    way.takes(6, TOO_LARGE)
    go(way)
    message.refresh_from_db()
    assert message.status == "paused"
    done = counted(message)
    assert (done["sent"], done["failed"]) == (5, 9)
    assert done == really(message) == {"sent": 5, "failed": 9, "queued": 16}


def test_what_goes_out_between_them_begins_the_count_anew(sent_off):
    message, way = sent_off(30), Changing(says=TOO_LARGE)
    way.takes(10, TAKEN)
    go(way)
    assert counted(message) == {"sent": 21, "queued": 9}
    go(Changing(says=TOO_LARGE))
    message.refresh_from_db()
    assert (message.status, counted(message)) == ("sent", {"sent": 21, "failed": 9})


def test_one_that_fits_among_many_that_do_not_keeps_the_rest_going(sent_off):
    """Nine too large, one that fits, nine too large: never ten in a row."""
    message, way = sent_off(19), Changing(says=TOO_LARGE)
    way.takes(10, TAKEN)
    way.takes(11, TOO_LARGE)
    go(way)
    message.refresh_from_db()
    assert (message.status, len(way.taken)) == ("sending", 19)
    assert counted(message) == {"sent": 1, "failed": 9, "queued": 9}
