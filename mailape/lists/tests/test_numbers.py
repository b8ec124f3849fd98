"""The numbers of a list: kept with every move, folded, read by day, compared and mended."""

from __future__ import annotations

import json
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from mailape.core import clock
from mailape.lists import manage, numbers, subscribe
from mailape.lists.models import ListCount, ListDay, ListMove, Status, Subscriber, Subscription
from mailape.lists.numbers import Day
from mailape.lists.tests.conftest import FORM, LINK, OWNER
from mailape.privacy.erase import erase


def counts(letter) -> tuple[int, int, int]:
    found = numbers.counts([letter])[letter.pk]
    return found["unconfirmed"], found["confirmed"], found["unsubscribed"]


def today(letter) -> tuple[int, int, int, int]:
    day: Day = numbers.daily([letter], 1)[letter.pk][-1]
    return day.joined, day.confirmed, day.unsubscribed, day.total


def confirmed(letter, *addresses: str) -> list[Subscriber]:
    return [
        subscribe.add(letter, one, "", OWNER, confirmed=True)[0].subscriber for one in addresses
    ]


@pytest.fixture(params=[False, True], ids=["as added", "folded"])
def settle(request):
    """Numbers read alike before and after their rows were folded together."""
    return numbers.fold if request.param else lambda: None


def test_each_deed_moves_the_numbers(letter, settle):
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    settle()
    assert (counts(letter), today(letter)) == ((1, 0, 0), (1, 0, 0, 0))
    ann = Subscriber.objects.get()
    subscribe.confirm(letter.pk, ann.pk, 1, LINK)
    settle()
    assert (counts(letter), today(letter)) == ((0, 1, 0), (1, 1, 0, 1))
    subscribe.unsubscribe(ann.pk, None, LINK)
    settle()
    assert (counts(letter), today(letter)) == ((0, 0, 1), (1, 1, 1, 0))
    subscribe.come_back(ann.pk, [letter.pk], LINK)
    settle()
    assert (counts(letter), today(letter)) == ((0, 1, 0), (2, 2, 1, 1))
    erase(ann)
    settle()
    assert (counts(letter), today(letter)) == ((0, 0, 0), (2, 2, 1, 0))
    assert numbers.differences(letter) == {}


def test_a_deed_done_twice_counts_once(letter):
    (ann,) = confirmed(letter, "ann@example.org")
    confirmed(letter, "ann@example.org")
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    for _ in range(3):
        subscribe.unsubscribe(ann.pk, None, LINK)
    assert counts(letter) == (0, 0, 1)
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    assert counts(letter) == (1, 0, 0)
    subscribe.unsubscribe(ann.pk, None, LINK)
    subscribe.add(letter, "ann@example.org", "", OWNER, confirmed=True, resubscribe=True)
    assert counts(letter) == (0, 1, 0)
    assert numbers.differences(letter) == {}


def test_folding_leaves_one_row_for_each_list_and_day(letter):
    other = manage.create(letter.workspace, "Other")
    confirmed(letter, "a@example.org", "b@example.org", "c@example.org")
    with clock.moved(timedelta(days=1)):
        confirmed(other, "a@example.org")
        confirmed(letter, "d@example.org")
    assert numbers.fold(most=2) == 2
    assert numbers.fold() == 3
    assert numbers.fold() == 0
    assert not ListMove.objects.exists()
    assert ListCount.objects.count() == 2
    assert sorted(ListDay.objects.values_list("list__name", "joined")) == [
        ("Other", 1), ("Weekly letter", 1), ("Weekly letter", 3),
    ]  # fmt: skip


def test_days_go_back_from_today_with_zeros_between(letter, settle):
    with clock.moved(timedelta(days=-3)):
        ann, _ = confirmed(letter, "ann@example.org", "bea@example.org")
    with clock.moved(timedelta(days=-1)):
        subscribe.unsubscribe(ann.pk, None, LINK)
    confirmed(letter, "cora@example.org")
    settle()
    days = numbers.daily([letter], 5)[letter.pk]
    assert [one.joined for one in days] == [0, 2, 0, 0, 1]
    assert [one.unsubscribed for one in days] == [0, 0, 0, 1, 0]
    assert [one.total for one in days] == [0, 2, 2, 1, 2]
    assert days[-1].day == clock.now().date()


def test_lists_are_summed_day_by_day(letter):
    other = manage.create(letter.workspace, "Other")
    confirmed(letter, "a@example.org", "b@example.org")
    confirmed(other, "a@example.org")
    (day,) = numbers.together(numbers.daily([letter, other], 1).values())
    assert (day.joined, day.total) == (3, 3)
    assert numbers.together([]) == []


def test_reading_takes_two_queries_whatever_the_number(letter, django_assert_num_queries):
    many = [letter, *(manage.create(letter.workspace, f"List {n}") for n in range(5))]
    with django_assert_num_queries(1):
        numbers.counts(many)
    with django_assert_num_queries(2):
        numbers.daily(many, 90)
    with django_assert_num_queries(0):
        assert numbers.counts([]) == numbers.daily([], 90) == {}


def test_wrong_numbers_are_found_and_mended(letter):
    confirmed(letter, "ann@example.org")
    numbers.fold()
    gone = Subscriber.objects.create(
        workspace=letter.workspace, email="x@y.example", email_key="x@y.example", domain="y.example"
    )
    Subscription.objects.create(list=letter, subscriber=gone, status=Status.UNSUBSCRIBED)
    ListCount.objects.filter(list=letter).update(confirmed=40)
    assert numbers.differences(letter) == {"confirmed": -39, "unsubscribed": 1}
    assert numbers.mend(letter) == {"confirmed": -39, "unsubscribed": 1}
    assert counts(letter) == (0, 1, 1)
    assert numbers.mend(letter) == {}


def test_each_list_is_looked_at_once_a_day(letter):
    Subscription.objects.all().delete()
    confirmed(letter, "ann@example.org")
    ListMove.objects.all().delete()
    assert numbers.mend_due() == 1
    ListMove.objects.all().delete()
    assert numbers.mend_due() == 0
    with clock.moved(timedelta(hours=25)):
        assert numbers.mend_due() == 1


def test_what_was_taken_back_leaves_no_trace_in_the_day(letter):
    confirmed(letter, "ann@example.org")
    numbers.moved(letter.pk, Status.CONFIRMED, Status.UNSUBSCRIBED, 1)
    numbers.moved(letter.pk, Status.CONFIRMED, Status.UNSUBSCRIBED, 1, undone=True)
    assert (counts(letter), today(letter)) == ((0, 1, 0), (1, 1, 0, 1))


def test_the_migration_fills_them_from_what_is_there(letter):
    with clock.moved(timedelta(days=-2)):
        ann, _ = confirmed(letter, "ann@example.org", "bea@example.org")
        subscribe.sign_up(letter, "eve@example.org", "", FORM)
    with clock.moved(timedelta(days=-1)):
        subscribe.unsubscribe(ann.pk, None, LINK)
    before = numbers.daily([letter], 4)
    ListMove.objects.all().delete()
    filling = import_module("mailape.lists.migrations.0005_fill_numbers")
    filling.fill(apps, SimpleNamespace(connection=connection))
    assert counts(letter) == (1, 1, 1)
    assert numbers.daily([letter], 4) == before


def test_the_command_mends_every_list_and_says_what_was_wrong(letter, capsys):
    confirmed(letter, "ann@example.org", "bea@example.org")
    ListMove.objects.all().delete()
    call_command("recount")
    assert "Weekly letter: confirmed +2" in capsys.readouterr().out
    call_command("recount", "--json")
    assert json.loads(capsys.readouterr().out) == {"lists": 1, "mended": []}
    assert counts(letter) == (0, 2, 0)
