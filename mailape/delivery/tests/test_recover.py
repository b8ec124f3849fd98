"""What a dead sender left is settled once, by its journal, and never taken from a living one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.core import clock
from mailape.delivery import claim, journal, leases, notices, recover, status
from mailape.delivery.leases import DEATHS, LeaseLost
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.retry import noted, read_note
from mailape.delivery.tests.conftest import counted, deferred, die, look_for_long, really, result
from mailape.delivery.transports.base import Fate, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
SENT = "SENT 250 - 2.0.0 queued as 4F"


def begin(lease):
    """The lease noted in this process's journal: its number for each delivery."""
    return lease.noted_in(journal.mine(), 7)


def dots(numbers, *keys):
    for key in keys:
        journal.mine().dots(numbers[key], [key])


def states() -> dict[int, str]:
    return dict(SubscriberMessage.objects.order_by("pk").values_list("pk", "state"))


def test_after_a_death_each_mail_is_what_the_journal_says(sent_off):
    message = sent_off(6)
    lease = claim.batch()
    numbers = begin(lease)
    answered, refused, later, doubtful, *untouched = lease.open
    dots(numbers, answered, refused, doubtful)
    journal.mine().answer(numbers[answered], answered, SENT)
    journal.mine().answer(numbers[refused], refused, "REFUSED 550 - 5.1.1 no such mailbox")
    journal.mine().answer(numbers[later], later, "TRY_LATER 451 - 4.7.1 greylisted")
    die()
    assert recover.look() == 1
    assert states() == {
        answered: "sent", refused: "failed", later: "deferred", doubtful: "unknown",
        **dict.fromkeys(untouched, "queued"),
    }  # fmt: skip
    assert counted(message) == {"sent": 1, "failed": 1, "deferred": 1, "unknown": 1, "queued": 2}
    kept = SubscriberMessage.objects.get(pk=answered)
    assert (kept.answer, kept.transport_account_id) == ("250 2.0.0 queued as 4F", 7)
    assert list(claim.batch().open) == untouched


def test_a_journal_that_cannot_be_opened_holds_up_no_other(sent_off):
    """The sweep failed each time, so nothing was tried again either."""
    sent_off(2)
    begin(lease := claim.batch())
    die()
    bad = journal.folder() / "0-another-user-s.journal"
    bad.mkdir()
    try:
        assert recover.look() == 1
        assert claim.batch().open.keys() == lease.open.keys()
        assert bad.exists()
    finally:
        bad.rmdir()


@pytest.mark.parametrize("said", ["POSTPONED 250 - of a later version", "SENT", "SENT two - x"])
def test_a_journal_that_is_not_understood_holds_up_no_other_and_is_kept(sent_off, small, said):
    sent_off(4)
    numbers = begin(strange := claim.batch())
    first = next(iter(strange.open))
    dots(numbers, first)
    journal.mine().answer(numbers[first], first, said)
    die()
    begin(plain := claim.batch())
    die()
    assert recover.look() == 1
    assert claim.batch().open.keys() == plain.open.keys()
    assert claim.batch() is None
    assert len(journal.names(journal.folder())) == 2  # the strange one, and this process's own


def test_what_was_in_the_database_already_is_not_counted_twice(sent_off):
    message = sent_off(4)
    lease = claim.batch()
    numbers = begin(lease)
    first, second, *_ = lease.open
    dots(numbers, first, second)
    for key in (first, second):
        journal.mine().answer(numbers[key], key, SENT)
    outcome = read_note(first, SENT)
    status.write(lease, recover._results(lease, [outcome], 7))
    die()
    recover.look()
    assert counted(message) == {"sent": 2, "queued": 2}


def test_a_death_in_the_replay_changes_nothing(sent_off, monkeypatch):
    message = sent_off(3)
    lease = claim.batch()
    numbers = begin(lease)
    dots(numbers, *lease.open)
    for key in list(lease.open)[:2]:
        journal.mine().answer(numbers[key], key, SENT)
    die()

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(status, "release", killed)
        with pytest.raises(KeyboardInterrupt):
            recover.look()
    recover.look()
    assert counted(message) == {"sent": 2, "unknown": 1}
    assert journal.names(journal.folder()) == []


def test_machine_mail_in_doubt_is_sent_again(db):
    notices.account_mail("ann@example.org", "password-reset", {"reset_url": "http://x/reset/y"})
    lease = claim.singles(leases.MACHINE)
    (key,) = lease.open
    dots(begin(lease), key)
    die()
    recover.look()
    assert states() == {key: "deferred"}


def test_nothing_is_taken_from_one_that_lives_however_old_its_lease(sent_off):
    sent_off(3)
    lease = claim.batch()
    dots(begin(lease), *lease.open)
    with clock.moved(timedelta(hours=1)):
        assert recover.look() == 0
        assert claim.batch() is None
    assert set(states().values()) == {"queued"}
    status.renew(lease)  # as it does when it goes on


def test_a_sender_that_ended_well_but_could_not_give_back_holds_nobody_up(sent_off):
    sent_off(3)
    claim.batch()
    journal.mine().close()
    journal._mine.journal = None
    recover.look()
    again = claim.batch()
    assert len(again.open) == 3
    assert DeliveryBatch.objects.get().attempts == 0


@pytest.mark.parametrize("moment", [1, 2])
def test_a_sender_that_begins_in_the_middle_of_a_look_keeps_its_lease(
    sent_off, monkeypatch, moment
):
    sent_off(3)
    journal.mine().close()
    journal._mine.journal = None
    listed, calls, begun = journal.names, [], []

    def names(folder):
        found = listed(folder)
        calls.append(folder)
        if len(calls) == moment:
            begun.append(claim.batch())
        return found

    monkeypatch.setattr(journal, "names", names)
    recover.look()
    status.check(begun[0])
    assert claim.batch() is None


def test_a_sender_settles_what_it_could_not_write_itself(sent_off):
    message = sent_off(3)
    lease = claim.batch()
    numbers = begin(lease)
    dots(numbers, *lease.open)
    for key in lease.open:
        journal.mine().answer(numbers[key], key, SENT)
    recover.own()  # the database was away when it would have written
    assert counted(message) == {"sent": 3}
    assert journal.mine().is_clear


def test_what_a_stranger_held_is_in_doubt_after_a_while_and_not_sent_again(sent_off, monkeypatch):
    message = sent_off(3)
    claim.batch()
    DeliveryBatch.objects.update(owner="ffffffffffff:1-aaaaaaaaaaaa")
    soon = leases.length() + recover.STRANGER - timedelta(seconds=5)
    with clock.moved(soon):
        look_for_long(monkeypatch)
        assert counted(message) == {"queued": 3}
    with clock.moved(soon + timedelta(seconds=10)):
        recover.look()
        assert counted(message) == {"queued": 3}
        look_for_long(monkeypatch)
    assert counted(message) == {"unknown": 3}


@pytest.fixture
def a_strangers(sent_off):
    """A newsletter to three, and the lease of a stranger on all of them that ended long ago."""
    message = sent_off(3)
    lease = claim.batch()
    DeliveryBatch.objects.update(
        owner="ffffffffffff:1-aaaaaaaaaaaa", lease_until=clock.now() - timedelta(hours=1)
    )
    return message, lease


def test_a_stranger_who_comes_back_while_he_is_settled_is_refused(a_strangers, monkeypatch):
    """Both wrote under one fence: who had been put off was in doubt as well, and counted twice."""
    message, lease = a_strangers
    right = recover._results

    def he_comes_back(*given):
        with pytest.raises(LeaseLost):
            status.write(lease, [deferred(min(lease.open))])
        return right(*given)

    monkeypatch.setattr(recover, "_results", he_comes_back)
    look_for_long(monkeypatch)
    assert counted(message) == really(message) == {"unknown": 3}


def test_whoever_dies_while_settling_a_stranger_leaves_it_to_others(a_strangers, monkeypatch):
    message, _ = a_strangers

    def dies(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(recover, "_results", dies)
        with pytest.raises(ZeroDivisionError):
            look_for_long(patched)
    status.release("ffffffffffff:1-aaaaaaaaaaaa", died=True)  # his own host reads his journal
    assert claim.batch() is None
    look_for_long(monkeypatch)
    assert counted(message) == really(message) == {"unknown": 3}


def test_a_clock_that_is_ahead_takes_nothing_from_a_stranger_who_lives(sent_off, monkeypatch):
    """At each sweep all that others held was in doubt, and what they sent was not recorded."""
    sent_off(3)
    lease = claim.batch()
    DeliveryBatch.objects.update(owner="ffffffffffff:1-aaaaaaaaaaaa")
    began = clock.monotonic()
    for look in range(4):
        later = began + look * leases.length().total_seconds()
        monkeypatch.setattr(clock, "monotonic", lambda later=later: later)
        with clock.moved(timedelta(days=1)):
            recover.look()
        status.renew(lease)
    status.write(lease, [result(pk) for pk in lease.open])
    assert set(states().values()) == {"sent"}


def test_a_delivery_that_three_senders_died_on_is_set_aside(db):
    notices.account_mail("ann@example.org", "password-reset", {"reset_url": "http://x/reset/y"})
    for _ in range(DEATHS):
        begin(claim.singles(leases.MACHINE))
        die()
        recover.look()
    assert claim.singles(leases.MACHINE) is None
    assert set(states().values()) == {"quarantined"}


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(5, Fate.SENT, 250, "2.0.0", "2.0.0 queued as 4F"),
        Outcome(5, Fate.REFUSED, 550, "5.1.1", "5.1.1 no such mailbox: ännchen", "svc-1"),
        Outcome(5, Fate.IN_DOUBT),
    ],
)
def test_an_outcome_comes_back_from_the_journal_as_it_was(outcome):
    assert read_note(5, noted(outcome)) == outcome
