"""Pages of people: whatever is wanted, page after page gives exactly those who fit, in order."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from mailape.core import clock
from mailape.core.errors import Invalid
from mailape.lists import find, manage, numbers, people, search, subscribe
from mailape.lists.models import Status, Subscriber, Subscription
from mailape.lists.search import Wanted
from mailape.lists.tests.conftest import OWNER

NAMES = ["", "Anna", "Anna Maria Müller", "Ben Amber", "ÉMILE Zola", "anders and", "Straße Groß"]
NOW = clock.now().replace(microsecond=0)


@pytest.fixture
def town(letter):
    """Ninety people on two lists of one workspace, and a stranger's workspace beside it."""
    random.seed(7)
    other = manage.create(letter.workspace, "Other")
    made = []
    for n in range(90):
        local = random.choice(["ann", "ben", "cleo", "a.miller", "zoe"])
        domain = random.choice(["example.org", "exa.example", "mail.example"])
        name = random.choice(NAMES)
        key = f"{local}{n}@{domain}"
        made.append(Subscriber(workspace=letter.workspace, email=key, email_key=key, domain=domain,
                               name=name, created_at=NOW - timedelta(hours=n % 31)))  # fmt: skip
    Subscriber.objects.bulk_create(made)
    for person in made:
        for which in (letter, other):
            if random.random() < 0.7:
                Subscription.objects.create(
                    list=which, subscriber=person, status=random.choice(Status.values),
                    created_at=NOW - timedelta(hours=random.randrange(20)),
                )  # fmt: skip
    numbers.mend(letter)
    numbers.mend(other)
    return letter


def expected(wanted: Wanted) -> list[int]:
    """The same by brute force."""
    rows = []
    subscriptions = list(Subscription.objects.filter(list__archived_at=None).order_by("pk"))
    for person in Subscriber.objects.filter(workspace=wanted.workspace_id):
        hers = [one for one in subscriptions if one.subscriber_id == person.pk]
        if wanted.list:
            hers = [one for one in hers if one.list_id == wanted.list.pk]
        if wanted.status:
            hers = [one for one in hers if one.status == wanted.status]
        one = hers[0] if hers else None
        if (wanted.list or wanted.status) and one is None:
            continue
        since, tie = person.created_at, person.email_key
        if wanted.list:
            since = one.created_at
            tie = person.pk if wanted.sort == "joined" else tie
        if (wanted.since and since < wanted.since) or (wanted.until and since >= wanted.until):
            continue
        if wanted.q and not fits(person, wanted.q.casefold()):
            continue
        key = {"joined": since, "email": person.email_key, "name": person.name_key}[wanted.sort]
        rows.append((key, tie, person.pk))
    return [row[2] for row in sorted(rows, reverse=wanted.falling)]


def fits(person: Subscriber, q: str) -> bool:
    if q.startswith("@"):
        return person.domain.startswith(q[1:])
    keys = [person.email_key, person.name_key] + ([] if "@" in q else [person.family_key])
    return any(key.startswith(q) for key in keys)


def walked(wanted: Wanted) -> list[int]:
    """All pages forwards; and from the last one backwards, which must give the same."""
    size, there, after = 7, [], None
    back, before = [], None
    for _ in range(200):
        page = find.page(wanted, after=after, size=size)
        there += page.people
        after = page.after
        if page.people:
            back, before = page.people, page.before
        if after is None:
            break
    for _ in range(200):
        if before is None:
            break
        page = find.page(wanted, before=before, size=size)
        back = page.people + back
        before = page.before
    assert back == there
    return there


@pytest.mark.parametrize("few", [0, 12, 5000], ids=["many", "between", "few"])
@pytest.mark.parametrize("sort", list(find.SORTS))
def test_pages_give_exactly_those_who_fit_in_order(town, few, sort, monkeypatch):
    monkeypatch.setattr(find, "FEW", few)
    monkeypatch.setattr(find, "MOST", 2 * few)
    monkeypatch.setattr(find, "STRETCHES", (5, 11, 13))
    choices = itertools.product(
        [None, town], ["", "confirmed"], ["", "a", "@exa", "müller", "ann1"], [False, True],
        [(None, None), (NOW - timedelta(hours=9), NOW - timedelta(hours=2))],
    )  # fmt: skip
    for which, status, q, falling, (since, until) in random.sample(list(choices), 30):
        wanted = Wanted(town.workspace_id, which, status, q, since, until, sort, falling)
        assert walked(wanted) == expected(wanted), wanted


def test_everybody_who_fits_is_counted_and_stepped_through(town):
    for which, status, q in itertools.product([None, town], ["", "confirmed"], ["", "a", "@exa"]):
        wanted = Wanted(town.workspace_id, which, status, q)
        there = sorted(expected(wanted))
        assert search.count(wanted) == len(there)
        assert sorted(search.matching(wanted).values_list("pk", flat=True)) == there
        assert [key for some in search.steps(wanted, 9) for key in some] == there


def test_what_is_typed_may_be_the_beginning_of_address_name_or_last_word(letter):
    for email, name in [("Mia@Example.org", "Anna Maria Ångström"), ("jo@bücher.example", "Jo")]:
        subscribe.add(letter, email, name, OWNER, confirmed=True)
    mia, jo = Subscriber.objects.order_by("pk")

    def found(q: str) -> list[int]:
        return find.page(Wanted(letter.workspace_id, q=q, sort="email", falling=False)).people

    assert found("MI") == found("mia@example") == found("anna  maria") == found("ångs") == [mia.pk]
    assert found("maria") == found("example") == []
    assert found("@example.org") == found("@exa") == [mia.pk]
    assert found("@bücher.example") == found("jo@bücher.example") == found("@xn--b") == [jo.pk]
    assert found("@") == [jo.pk, mia.pk]
    assert found("100%_") == []
    with pytest.raises(Invalid):
        find.page(Wanted(letter.workspace_id, q="a\x00b"))


def test_names_sort_by_what_is_shown(letter):
    for email, name in [("zoe@x.example", "Anna"), ("ben@x.example", ""), ("a@x.example", "Carl")]:
        subscribe.add(letter, email, name, OWNER, confirmed=True)
    page = find.page(Wanted(letter.workspace_id, sort="name", falling=False))
    shown = Subscriber.objects.in_bulk(page.people)
    assert [shown[key].name or shown[key].email for key in page.people] == [
        "Anna", "ben@x.example", "Carl",
    ]  # fmt: skip


def test_a_new_name_is_found_and_the_old_one_is_not(letter):
    person = subscribe.add(letter, "a@x.example", "Old Name", OWNER, confirmed=True)[0].subscriber
    people.change(person, name="Zoë Ångström")
    person.refresh_from_db()
    assert (person.name_key, person.family_key) == ("zoë ångström", "ångström")
    people.change(person, name="")
    person.refresh_from_db()
    assert (person.name_key, person.family_key) == ("a@x.example", "")


def test_a_look_that_ends_early_says_so_and_goes_on(town, monkeypatch):
    monkeypatch.setattr(find, "FEW", 0)
    monkeypatch.setattr(find, "STRETCHES", (3, 3))
    page = find.page(Wanted(town.workspace_id, q="zoe", sort="email", falling=False))
    assert (page.people, page.cut) == ([], True)
    assert page.after is not None


def test_one_who_is_gone_begins_anew(town):
    wanted = Wanted(town.workspace_id)
    assert find.page(wanted, after=987_654_321) == find.page(wanted)


def test_the_migration_fills_the_keys_of_those_who_are_there(letter):
    for n, name in enumerate([*NAMES, "A B", "Plain", "O'Neil  Ann-Lee"]):
        key = f"reader{n}@x.example"
        Subscriber.objects.create(
            workspace=letter.workspace, email=key, email_key=key, domain="x.example",
            name=" ".join(name.split()),
        )  # fmt: skip
    keys = Subscriber.objects.order_by("pk").values_list("name_key", "family_key")
    before = list(keys)
    Subscriber.objects.update(name_key="", family_key="")
    filling = import_module("mailape.lists.migrations.0007_fill_search_keys")
    filling.fill(apps, SimpleNamespace(connection=connection))
    assert list(keys.all()) == before
