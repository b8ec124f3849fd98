"""Faults that the simulator found (`python -m chaos.simulate`), each on its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError

from mailape.campaigns import dispatch
from mailape.core import bell, clock
from mailape.delivery import claim, journal, leases, notices, recover, send, status, tasks, watch
from mailape.delivery.journal import Claim, Journal, JournalBroken
from mailape.delivery.leases import DEATHS
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.tests.conftest import die, look_for_long
from mailape.delivery.transports.base import Fate, Mail, Outcome, Witness
from mailape.lists import subscribe
from mailape.lists.models import Method, Subscriber

pytestmark = pytest.mark.django_db(transaction=True)


def cut_behind(monkeypatch, module, name: str) -> None:
    """The database breaks off right after this, once: it was done, and nobody hears of it."""
    real = getattr(module, name)
    cuts = [OperationalError("cut behind COMMIT")]

    def broken_off(*args):
        found = real(*args)
        if cuts:
            raise cuts.pop()
        return found

    monkeypatch.setattr(module, name, broken_off)


@pytest.mark.parametrize("name", ["_take_batch", "_waiting_in"])
def test_a_claim_that_breaks_off_leaves_no_lease_that_nobody_knows_of(sent_off, monkeypatch, name):
    sent_off(3)
    cut_behind(monkeypatch, claim, name)
    with pytest.raises(OperationalError):
        claim.batch()
    assert not journal.mine().is_clear
    assert claim.batch() is None, "it is leased, to us, who live"
    tasks._tidy_up()
    assert len(claim.batch().open) == 3


def test_a_claim_of_singles_that_breaks_off_is_set_free_by_the_next_task(db, monkeypatch):
    notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/reset/y"})
    cut_behind(monkeypatch, claim.transaction.Atomic, "__exit__")
    with pytest.raises(OperationalError):
        claim.singles(leases.MACHINE)
    tasks._tidy_up()
    assert claim.singles(leases.MACHINE) is not None


def test_a_claim_that_found_nothing_leaves_the_journal_clear(db):
    assert claim.batch() is None
    assert claim.singles(leases.MACHINE) is None
    assert journal.mine().is_clear


def test_the_sweep_rings_for_a_lease_that_its_living_owner_has_forgotten(sent_off, monkeypatch):
    """Else a process that nothing else is due for would never come to set it free."""
    sent_off(3)
    claim.batch()
    living = journal.mine()
    journal._mine.journal = None  # from here on we are another process
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    tasks.sweep()
    assert bell.SEND not in rung
    with clock.moved(leases.length() + timedelta(seconds=1)):
        tasks.sweep()
    assert bell.SEND in rung
    living.close()


def test_the_sweep_tidies_up_its_own_process(sent_off, monkeypatch):
    sent_off(3)
    cut_behind(monkeypatch, claim, "_waiting_in")
    with pytest.raises(OperationalError):
        claim.batch()
    tasks.sweep()
    assert DeliveryBatch.objects.get().lease_until is None


def test_a_line_that_lacks_nothing_but_its_end_stays_torn(tmp_path, monkeypatch):
    """A disk that is full one octet too soon: that dot never went out."""
    kept = Journal(tmp_path)
    (number,) = kept.claim([Claim("batch", 7, 3)])
    real = os.write
    with monkeypatch.context() as full:
        full.setattr(journal.os, "write", lambda file, data: real(file, data[:-1]))
        with pytest.raises(JournalBroken):
            kept.dots(number, [11])
    kept.dots(number, [12])
    (left,) = kept.left()
    assert left.doubtful == {12}


def test_a_look_is_as_old_as_its_beginning(sent_off, monkeypatch):
    """A process that is stopped in the middle of one has read what was true before the stop."""
    sent_off(3)
    sending = send._Sending(iter([]), Way(), clock.monotonic() + 60)
    work = sending._take_up(claim.batch())
    assert work.may_go()
    real, away = clock.monotonic, [0.0]
    unwanted = watch.unwanted

    def stopped(rows):
        away[0] = leases.STALE + 0.1
        return unwanted(rows)

    monkeypatch.setattr(clock, "monotonic", lambda: real() + away[0])
    monkeypatch.setattr(watch, "unwanted", stopped)
    sending._look()
    assert not work.may_go()
    sending._look()
    assert work.may_go()


class Way:
    """A way out that takes all mails, and has to wait before the first may go."""

    account_id = 1

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.out: list[str] = []
        self._meanwhile = meanwhile

    def send(self, mails: Iterable[Mail | None], witness: Witness) -> Iterator[Outcome | None]:
        taken = [mail.made() if hasattr(mail, "made") else mail for mail in mails if mail]
        self._meanwhile()
        yield None
        for mail in taken:
            goes = mail.may_go() and witness.before_dot(mail)
            if goes:
                self.out.append(mail.recipient)
            outcome = Outcome(mail.delivery_id, Fate.SENT if goes else Fate.NOT_BEGUN, 250)
            witness.answered(outcome)
            witness.told()
            yield outcome

    def close(self) -> None:
        """Nothing is open."""


def go(way: Way) -> None:
    send.run([claim.batch()], way, clock.monotonic() + 60)


@pytest.fixture
def always_looking(monkeypatch):
    monkeypatch.setattr(send, "LOOK", 0.0)


def test_who_leaves_while_her_mail_waits_in_the_way_out_gets_none(sent_off, always_looking):
    """The server lets us wait, and the transport has her mail already."""
    sent_off(5)
    last = Subscriber.objects.order_by("pk").last()
    way = Way(lambda: subscribe.unsubscribe(last.pk, None, subscribe.Origin(Method.LINK)))
    go(way)
    assert last.email not in way.out
    second = Way()
    go(second)
    assert sorted([*way.out, *second.out]) == [f"reader{n}@example.org" for n in range(4)]
    states = dict(SubscriberMessage.objects.values_list("subscriber_id", "state"))
    assert states.pop(last.pk) == "skipped"
    assert set(states.values()) == {"sent"}


def test_nothing_that_waits_in_the_way_out_goes_after_a_pause(sent_off, always_looking):
    message = sent_off(5)
    way = Way(lambda: dispatch.pause(message))
    go(way)
    assert way.out == []
    message.refresh_from_db()
    dispatch.resume(message)
    tasks.build()
    second = Way()
    go(second)
    assert len(second.out) == 5


def test_machine_mail_on_which_senders_die_behind_the_dot_is_set_aside(db):
    """It is sent again when in doubt, but not again and again: each time somebody dies of it."""
    notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/reset/y"})
    for death in range(1, DEATHS + 1):
        with clock.moved(timedelta(days=death)):
            lease = claim.singles(leases.MACHINE)
            (key,) = lease.open
            numbers = lease.noted_in(journal.mine(), 1)
            journal.mine().dots(numbers[key], [key])
            die()
            recover.look()
            assert SubscriberMessage.objects.get().deaths == death
    with clock.moved(timedelta(days=DEATHS + 1)):
        assert claim.singles(leases.MACHINE) is None
    assert SubscriberMessage.objects.get().state == "quarantined"


def test_a_doubt_without_a_death_counts_against_nobody(db):
    notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/reset/y"})
    lease = claim.singles(leases.MACHINE)
    (key,) = lease.open
    numbers = lease.noted_in(journal.mine(), 1)
    journal.mine().dots(numbers[key], [key])
    recover.own()
    kept = SubscriberMessage.objects.get()
    assert (kept.state, kept.deaths) == ("deferred", 0)


@pytest.fixture
def two_singles(db):
    """Two machine mails, leased together; the first was tried and has its result."""
    for name in ("ann", "bob"):
        notices.account_mail(f"{name}@example.org", "password-reset", {"url": "http://x/y"})
    sending = send._Sending(iter([]), Way(), clock.monotonic() + 60)
    lease = claim.singles(leases.MACHINE)
    work = sending._take_up(lease)
    return sending, work, list(lease.open)


def went_out(sending, work, key) -> None:
    """The mail is sent, and its outcome is known to this process only."""
    row = work.ahead.pop(key)
    sending._going[key] = row, work
    work.going += 1
    sending.before_dot(Mail(key, "a@example.org", row.to_address, b"", may_go=work.may_go))
    outcome = Outcome(key, Fate.SENT, 250)
    sending.answered(outcome)
    sending._take(outcome)


def states() -> list[str]:
    return list(SubscriberMessage.objects.order_by("pk").values_list("state", flat=True))


def test_a_commit_whose_answer_was_lost_takes_nothing_from_the_other_singles(
    two_singles, monkeypatch
):
    """The first counted as lost then, and the second with it: it was given back, and sent twice."""
    sending, work, (first, second) = two_singles
    cut_behind(monkeypatch, status, "write")
    monkeypatch.setattr(send.time, "sleep", lambda _: None)
    went_out(sending, work, first)
    sending._look()
    went_out(sending, work, second)
    sending.end()
    assert states() == ["sent", "sent"]


def test_when_one_of_several_singles_is_lost_the_outcomes_of_the_rest_are_written(two_singles):
    sending, work, (first, second) = two_singles
    SubscriberMessage.objects.filter(pk=first).update(fence=99)
    sending._look()
    assert first not in work.ahead
    went_out(sending, work, second)
    sending.end()
    assert states() == ["sending", "sent"]


def test_a_single_that_is_lost_while_it_waits_in_the_way_out_stays_back(two_singles):
    sending, work, (first, _) = two_singles
    row = work.ahead.pop(first)
    sending._going[first] = row, work
    work.going += 1
    SubscriberMessage.objects.filter(pk=first).update(fence=99)
    sending._look()
    mail = Mail(first, "a@example.org", row.to_address, b"", may_go=work.may_go)
    assert not sending.before_dot(mail)


def test_a_stranger_who_is_gone_counts_as_a_death(db, tmp_path, settings, monkeypatch):
    notices.account_mail("ann@example.org", "password-reset", {"url": "http://x/reset/y"})
    claim.singles(leases.MACHINE)
    die()
    settings.DATA = tmp_path / "another-host"
    with clock.moved(leases.length() + recover.STRANGER + timedelta(seconds=1)):
        look_for_long(monkeypatch)
    assert SubscriberMessage.objects.get().deaths == 1


def test_a_stop_in_the_middle_of_settling_breaks_nothing_though_a_stranger_settles_it(
    sent_off, monkeypatch
):
    sent_off(1)
    lease = claim.batch()
    (key,) = lease.open
    journal.mine().dots(lease.noted_in(journal.mine(), 7)[key], [key])
    die()
    right = recover._results

    def stopped_behind(lease, *given):
        strangers = claim.again("batch", lease.batch_id, lease.fence)
        status.write(strangers, right(strangers, *given))
        return right(lease, *given)

    monkeypatch.setattr(recover, "_results", stopped_behind)
    assert recover.look() == 1
    assert states() == ["unknown"]
    assert journal.names(journal.folder()) == []


@pytest.mark.parametrize("task", [tasks.build, tasks.report, tasks.sweep, tasks.tidy])
def test_what_a_process_could_not_write_is_settled_by_whatever_it_hears_next(sent_off, task):
    sent_off(2)
    claim.batch()  # and then the database was away
    assert DeliveryBatch.objects.get().lease_until
    task()
    assert DeliveryBatch.objects.get().lease_until is None
