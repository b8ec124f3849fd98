"""Fifty at once have the effect of one."""

import itertools
import threading

import pytest
from django.db import connection

from mailape.accounts.models import Workspace
from mailape.lists import manage, numbers, subscribe
from mailape.lists.models import ConsentRecord, Subscriber, Subscription
from mailape.lists.tests.conftest import FORM, LINK


def at_once(number, deed):
    """Runs `deed` in `number` threads that start together; returns what was raised."""
    start, raised = threading.Barrier(number), []

    def one():
        start.wait()
        try:
            deed()
        except Exception as fault:
            raised.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.django_db(transaction=True)
def test_fifty_sign_ups_at_once_make_one_person_and_ask_for_one_mail():
    letter = manage.create(Workspace.objects.create(name="Orchard"), "Weekly letter")
    assert at_once(50, lambda: subscribe.sign_up(letter, "ann@example.org", "", FORM)) == []
    assert Subscriber.objects.count() == 1
    assert Subscription.objects.get().confirmation_no == 1


@pytest.mark.django_db(transaction=True)
def test_fifty_confirmations_at_once_record_one_consent():
    letter = manage.create(Workspace.objects.create(name="Orchard"), "Weekly letter")
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    who = Subscription.objects.get().subscriber_id
    assert at_once(50, lambda: subscribe.confirm(letter.pk, who, 1, LINK)) == []
    assert ConsentRecord.objects.filter(method="confirmation").count() == 1


@pytest.mark.django_db(transaction=True)
def test_numbers_stay_exact_while_all_happens_at_once():
    """People come and go, rows are folded and lists compared: nothing is counted twice or lost."""
    letter = manage.create(Workspace.objects.create(name="Orchard"), "Weekly letter")
    turns = itertools.count()

    def deeds():
        turn = next(turns)
        for n in range(5):
            if turn % 5 == 0:
                numbers.fold(most=7)
            elif turn % 5 == 1:
                assert numbers.mend(letter) == {}
            else:
                email = f"reader{turn % 3}{n}@example.org"
                made = subscribe.add(letter, email, "", FORM, confirmed=True, resubscribe=True)[0]
                subscribe.unsubscribe(made.subscriber_id, [letter.pk], LINK)

    assert at_once(15, deeds) == []
    while numbers.fold():
        pass
    assert numbers.differences(letter) == {}
    assert numbers.counts([letter])[letter.pk]["unsubscribed"] == 15
