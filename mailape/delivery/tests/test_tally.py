"""How many deliveries are in which state: of batches, of later moves, and of machine mail."""

from __future__ import annotations

import pytest

from mailape.core import clock
from mailape.delivery import claim, leases, notices, status, tally
from mailape.delivery.models import State, SubscriberMessage
from mailape.delivery.retry import Result

pytestmark = pytest.mark.django_db(transaction=True)
NONE = dict.fromkeys(State.values, 0)


@pytest.fixture
def two_newsletters(sent_off, write, a_list):
    """One of which three went out and two wait for another attempt, and a draft."""
    message = sent_off(5)
    lease = claim.batch()
    now = clock.now()
    first, second, third, *rest = lease.open
    sent = [Result(pk, State.SENT, now, 1) for pk in (first, second, third)]
    status.write(
        lease, [*sent, *(Result(pk, State.DEFERRED, now, 1, not_before=now) for pk in rest)]
    )
    return message, write([a_list])


def test_the_counts_of_several_newsletters_come_by_their_keys(two_newsletters):
    over, draft = two_newsletters
    claim.singles(leases.NEWSLETTER)
    assert tally.of_newsletters([draft, over]) == {
        over.pk: NONE | {"sent": 3, "sending": 2},
        draft.pk: NONE,
    }
    assert tally.counts(over) == NONE | {"sent": 3, "sending": 2}


def test_of_no_newsletters_there_are_no_counts(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert tally.of_newsletters([]) == {}


def test_machine_mail_is_counted_as_it_stands(db):
    for name in ("ann", "bob", "eve"):
        made = notices.account_mail(f"{name}@example.org", "password-reset", {"url": "http://x/y"})
    SubscriberMessage.objects.filter(pk=made.pk).update(state=State.SENT)
    assert tally.counts(made.message) == NONE | {"queued": 2, "sent": 1}


def test_what_moves_there_and_back_leaves_no_row(two_newsletters):
    message, _ = two_newsletters
    before = message.tallies.count()
    tally.moved([(message.pk, State.QUEUED, State.SENT), (message.pk, State.SENT, State.QUEUED)])
    assert message.tallies.count() == before


def test_folding_says_how_many_rows_went_and_leaves_messages_with_few_alone(two_newsletters):
    message, other = two_newsletters
    for _ in range(3):
        tally.moved([(message.pk, State.DEFERRED, State.SENT)])
    tally.moved([(other.pk, "", State.QUEUED)])
    counted = tally.of_newsletters([message, other])
    assert message.tallies.count() == 6
    assert tally.fold(least=7) == 0
    assert tally.fold(least=6) == 4
    assert message.tallies.count() == 2
    assert other.tallies.count() == 1
    assert tally.of_newsletters([message, other]) == counted


def test_folding_forgets_what_comes_to_nothing(two_newsletters):
    message, _ = two_newsletters
    tally.moved([(message.pk, State.DEFERRED, State.SENT)])
    tally.moved([(message.pk, State.SENT, State.DEFERRED)])
    assert tally.fold(least=1) == 4
    assert not message.tallies.exists()
