"""What everything stands on: the tables are there, and they refuse what must never be stored."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from mailape.core import address
from mailape.lists.models import MailingList, Status, Subscriber, Subscription
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def subscriber(owner: Person, email: str) -> Subscriber:
    who = address.parse(email)
    return Subscriber.objects.create(
        workspace=owner.workspace, email=who.typed, email_key=who.key, domain=who.domain
    )


def test_the_stack_is_the_one_that_was_asked_for() -> None:
    assert connection.vendor == ("sqlite" if settings.EMBEDDED_DATABASE else "postgresql")


def test_every_migration_is_applied_and_none_is_missing() -> None:
    call_command("migrate", "--check", verbosity=0)
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_a_subscription_is_unique_per_list(alice: Person, a_list: MailingList) -> None:
    eve = subscriber(alice, "eve@example.org")
    Subscription.objects.create(list=a_list, subscriber=eve, status=Status.UNCONFIRMED)
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.create(list=a_list, subscriber=eve, status=Status.CONFIRMED)
    other = MailingList.objects.create(workspace=alice.workspace, name="Another")
    Subscription.objects.create(list=other, subscriber=eve, status=Status.CONFIRMED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Eve@Example.ORG", "eve@example.org"),
        ("ÉVA@example.org", "éva@example.org"),
        ("eve@bücher.example", "EVE@xn--bcher-kva.example"),
    ],
)
def test_two_spellings_of_an_address_are_one_subscriber(
    alice: Person, one: str, other: str
) -> None:
    subscriber(alice, one)
    with pytest.raises(IntegrityError), transaction.atomic():
        subscriber(alice, other)


def test_the_same_address_may_be_known_in_two_workspaces(alice: Person, charlie: Person) -> None:
    subscriber(alice, "eve@example.org")
    subscriber(charlie, "eve@example.org")
    assert Subscriber.objects.filter(email_key="eve@example.org").count() == 2


def test_a_status_that_nobody_knows_is_refused(alice: Person, a_list: MailingList) -> None:
    eve = subscriber(alice, "eve@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.create(list=a_list, subscriber=eve, status="maybe")
