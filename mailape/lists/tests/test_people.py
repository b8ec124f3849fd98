"""People are changed and found; suppressions are lifted."""

from __future__ import annotations

import re

import pytest
from django.db import connection

from mailape.core import address
from mailape.core.errors import Invalid, NotFound
from mailape.lists import access, people, search, suppress
from mailape.lists.models import MailingList, Status, Subscriber, Subscription
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def person(owner: Person, email: str) -> Subscriber:
    who = address.parse(email)
    return Subscriber.objects.create(
        workspace=owner.workspace, email=who.typed, email_key=who.key, domain=who.domain
    )


def found(owner: Person, text: str) -> list[str]:
    rows = search.by_address(owner.workspace.pk, text)
    return sorted(rows.values_list("email_key", flat=True))


def test_people_are_found_by_the_beginning_in_any_letter_case(
    alice: Person, charlie: Person
) -> None:
    for email in ("Änne@example.org", "anna@example.org", "anna.b@example.org", "a_b@example.org"):
        person(alice, email)
    person(charlie, "anna@example.org")
    assert found(alice, "ANNA") == ["anna.b@example.org", "anna@example.org"]
    assert found(alice, "anna@") == ["anna@example.org"]
    assert found(alice, "ÄN") == ["änne@example.org"]
    assert found(alice, "a_") == ["a_b@example.org"]
    assert found(alice, "%") == []
    assert found(alice, "an\nna") == []
    assert len(found(alice, "")) == 4


@pytest.mark.parametrize("text", ["a\x00", "a\ud800"])
def test_a_text_that_no_address_can_hold_is_invalid(alice: Person, text: str) -> None:
    with pytest.raises(Invalid):
        search.by_address(alice.workspace.pk, text)


def test_the_beginning_is_looked_up_in_an_index(alice: Person) -> None:
    for n in range(50):
        person(alice, f"p{n}@example.org")
    query = search.by_address(alice.workspace.pk, "p7")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE lists_subscriber; SET LOCAL enable_seqscan = off")
        # the index's condition, not a filter over rows
        assert re.search(r"Index Cond: .*workspace_id.*email_key.*>=.*<", query.explain())
    else:
        assert "(workspace_id=? AND email_key>? AND email_key<?)" in query.explain()


@pytest.mark.parametrize("few", [0, 1, 5_000])
def test_many_or_few_the_same_are_found(
    alice: Person, a_list: MailingList, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(search, "FEW", few)
    for email in ("a1@example.org", "b1@example.org", "a2@example.org", "a%3@example.org"):
        Subscription.objects.create(
            list=a_list, subscriber=person(alice, email), status=Status.CONFIRMED
        )

    def found(q: str) -> list[str]:
        hers = search.hers(q, search.few(alice.workspace.pk, q))
        return [row.subscriber.email for row in Subscription.objects.filter(hers).order_by("pk")]

    assert found("A") == ["a1@example.org", "a2@example.org", "a%3@example.org"]
    assert found("a%") == ["a%3@example.org"]
    assert found("@EX") == found("")
    assert found("c") == []


def test_subscriptions_are_found_by_status_one_queryset_each(
    alice: Person, a_list: MailingList
) -> None:
    for email, status in (("a@example.org", "confirmed"), ("b@example.org", "unsubscribed")):
        Subscription.objects.create(list=a_list, subscriber=person(alice, email), status=status)
    assert [len(one) for one in people.on_list(a_list)] == [0, 1, 1]
    assert len(people.on_list(a_list)) == len(Status.values)
    only = people.on_list(a_list, status="confirmed")
    assert [row.subscriber.email for one in only for row in one] == ["a@example.org"]


def test_a_person_is_changed_by_what_is_given(alice: Person) -> None:
    eve = person(alice, "eve@example.org")
    people.change(eve, name="Dr.\nEve  Adams")
    people.change(eve, first_name="Eve")
    eve.refresh_from_db()
    assert (eve.name, eve.first_name, eve.email) == ("Dr. Eve Adams", "Eve", "eve@example.org")


def test_a_suppression_is_found_by_value_and_lifted_once_or_twice(
    alice: Person, charlie: Person
) -> None:
    row, _ = suppress.suppress(alice.workspace, "EVE@example.org")
    suppress.suppress(alice.workspace, "example.net")
    assert list(access.suppressions(alice.workspace, "eve@example.org")) == [row]
    assert access.suppressions(charlie.workspace, "eve@example.org").count() == 0
    with pytest.raises(NotFound):
        access.suppression(charlie.workspace, row.public_id)
    with pytest.raises(Invalid):
        access.suppressions(alice.workspace, "no domain")
    suppress.lift(row)
    suppress.lift(row)
    assert access.suppressions(alice.workspace).count() == 1


def test_subscriptions_to_archived_lists_are_out_of_sight(
    alice: Person, a_list: MailingList
) -> None:
    from mailape.lists import manage

    eve = person(alice, "eve@example.org")
    Subscription.objects.create(list=a_list, subscriber=eve, status=Status.CONFIRMED)
    assert len(access.subscriptions(eve)) == 1
    manage.archive(a_list)
    assert len(access.subscriptions(eve)) == 0
