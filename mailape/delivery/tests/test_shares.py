"""Connections at once: shares of a limit that processes hold, and turns where there are too few."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.core import bell, clock
from mailape.delivery import tally, tasks, transports
from mailape.delivery.models import ConnectionShare, DeliveryBatch
from mailape.delivery.transports import shares
from mailape.lists import subscribe
from mailape.lists.models import Method
from mailape.senders.models import TransportAccount
from tests.house.smtp import Stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(smtp, smtp_url) -> TransportAccount:
    smtp_url(smtp.url)
    return TransportAccount.objects.get(pk=transports.current().account_id)


@pytest.fixture
def as_process(monkeypatch):
    def become(name: str) -> None:
        monkeypatch.setattr(shares, "_owner", lambda: name)

    return become


def test_nobody_gets_more_than_the_others_leave(account, as_process):
    as_process("a")
    assert shares.take(account.pk, 5, 4) == 4
    as_process("b")
    assert shares.take(account.pk, 5, 4) == 1
    as_process("c")
    assert shares.take(account.pk, 5, 4) == 0


def test_what_is_still_open_counts_until_it_is_closed(account, as_process):
    as_process("a")
    shares.take(account.pk, 4, 4)
    assert shares.take(account.pk, 4, 2, still_open=4) == 2
    as_process("b")
    assert shares.take(account.pk, 4, 2) == 0
    as_process("a")
    shares.take(account.pk, 4, 2, still_open=2)
    as_process("b")
    assert shares.take(account.pk, 4, 2) == 2


def test_who_goes_without_is_next(account, as_process):
    as_process("a")
    assert shares.take(account.pk, 1, 1) == 1
    as_process("b")
    assert shares.take(account.pk, 1, 1) == 0
    as_process("a")
    assert shares.take(account.pk, 1, 1, still_open=1) == 0
    assert shares.take(account.pk, 1, 1) == 0
    as_process("b")
    assert shares.take(account.pk, 1, 1) == 1


def test_the_share_of_the_dead_ends_by_itself(account, as_process):
    as_process("a")
    shares.take(account.pk, 1, 1)
    as_process("b")
    with clock.moved(shares.LASTS + timedelta(seconds=1)):
        assert shares.take(account.pk, 1, 1) == 1


def test_a_share_is_renewed_only_while_it_is_old(account):
    shares.take(account.pk, 1, 1)
    until = ConnectionShare.objects.get().until
    shares.renew(account.pk)
    assert ConnectionShare.objects.get().until == until
    with clock.moved(timedelta(seconds=12)):
        shares.renew(account.pk)
    assert ConnectionShare.objects.get().until > until


def test_no_more_connections_than_were_allowed(account, sent_off, smtp):
    TransportAccount.objects.update(connections=2)
    smtp.delay(0.01, at=Stage.RCPT)
    message = sent_off(60)
    tasks.send()
    assert tally.counts(message)["sent"] == 60
    assert smtp.most_at_once == 2
    assert ConnectionShare.objects.get().connections == 2


def test_no_more_mails_on_a_connection_than_were_allowed(account, sent_off, smtp):
    TransportAccount.objects.update(mails_per_connection=7)
    on: dict[int, int] = {}
    held = []  # or an id could be another session's later

    def count(session) -> None:
        held.append(session)
        on[id(session)] = on.get(id(session), 0) + 1

    smtp.call(count, at=Stage.MAIL)
    message = sent_off(60)
    tasks.send()
    assert tally.counts(message)["sent"] == 60
    assert max(on.values()) == 7
    assert len(on) >= 60 / 7


def test_a_sender_that_has_no_connection_takes_nothing(account, sent_off, smtp, as_process):
    TransportAccount.objects.update(connections=1)
    as_process("another")
    shares.take(account.pk, 1, 1)
    as_process("we")
    message = sent_off(5)
    tasks.send()
    assert not smtp.letters
    assert tally.counts(message)["queued"] == 5


def test_who_has_no_connection_passes_the_bell_on_unless_another_sends(
    account, sent_off, as_process, monkeypatch
):
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    TransportAccount.objects.filter(pk=account.pk).update(connections=1)
    as_process("another")
    shares.take(account.pk, 1, 1)
    as_process("this")
    sent_off(3)
    rung.clear()
    tasks.send()
    assert rung == [bell.SEND]
    until = clock.now() + timedelta(seconds=30)
    DeliveryBatch.objects.update(owner="another", lease_until=until)
    rung.clear()
    tasks.send()
    assert rung == []


def test_a_confirmation_does_not_wait_for_whose_share_ends(
    account, a_list, as_process, monkeypatch
):
    TransportAccount.objects.filter(pk=account.pk).update(connections=1)
    as_process("another")
    shares.take(account.pk, 1, 1)
    as_process("this")
    subscribe.sign_up(a_list, "ann@example.org", "", subscribe.Origin(Method.FORM))
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    assert tasks.wake() == {"made": 1, "tried": 0}
    assert rung == [bell.WAKE]


def test_a_process_that_ends_leaves_its_share(account, sent_off):
    TransportAccount.objects.update(connections=2)
    sent_off(1)
    tasks.send()
    transports.close()
    assert not ConnectionShare.objects.exists()
