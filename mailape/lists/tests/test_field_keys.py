"""Which fields occur in a workspace is known without looking through its people."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.accounts.models import Workspace
from mailape.core import clock
from mailape.lists import field_keys, people
from mailape.lists.models import FieldKey, Subscriber
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def person(workspace: Workspace, email: str, **fields: str) -> Subscriber:
    made = Subscriber.objects.create(
        workspace=workspace, email=email, email_key=email, domain="example.org"
    )
    if fields:
        people.change(made, fields=fields)
    return made


def test_what_people_are_given_is_known_by_the_alphabet_in_their_workspace_only(
    alice: Person, charlie: Person
) -> None:
    person(alice.workspace, "a@example.org", town="Bonn", colour="red")
    person(alice.workspace, "b@example.org", town="Ulm")
    person(charlie.workspace, "a@example.org", pet="cat")
    assert field_keys.of(alice.workspace) == ["colour", "town"]
    assert field_keys.of(charlie.workspace) == ["pet"]
    assert field_keys.lacking(alice.workspace, ["pet", "town", "pet", "zip"]) == ["pet", "zip"]


def test_what_is_known_is_not_written_again_with_each_person(alice: Person) -> None:
    person(alice.workspace, "a@example.org", town="Bonn")
    other = person(alice.workspace, "b@example.org")
    with CaptureQueriesContext(connection) as asked:
        people.change(other, fields={"town": "Ulm"})
    assert not [one for one in asked if "INSERT" in one["sql"]]


def test_a_key_that_nobody_has_any_more_goes_within_a_day(alice: Person) -> None:
    ann = person(alice.workspace, "a@example.org", town="Bonn", twon="Bonn")
    people.change(ann, fields={"town": "Bonn"})
    assert field_keys.forget_unused() == 0
    assert field_keys.of(alice.workspace) == ["town", "twon"]
    with clock.moved(timedelta(days=1, seconds=1)):
        assert field_keys.forget_unused() == 1
        assert field_keys.of(alice.workspace) == ["town"]
        assert field_keys.forget_unused() == 0


def test_a_key_that_is_given_in_this_moment_is_not_forgotten(alice: Person) -> None:
    person(alice.workspace, "a@example.org", town="Bonn")
    Subscriber.objects.update(fields={})
    with clock.moved(timedelta(days=2)):
        field_keys.note(alice.workspace.pk, ["town"])
        assert field_keys.forget_unused() == 0
    assert field_keys.of(alice.workspace) == ["town"]


def test_what_people_had_before_is_noted_by_the_migration(alice: Person) -> None:
    for email, fields in (("a@example.org", {"town": "Bonn"}), ("b@example.org", {"pet": "cat"})):
        Subscriber.objects.filter(pk=person(alice.workspace, email).pk).update(fields=fields)
    migration = import_module("mailape.lists.migrations.0011_note_field_keys")
    migration.note(apps, None)
    migration.note(apps, None)
    assert field_keys.of(alice.workspace) == ["pet", "town"]
    assert FieldKey.objects.count() == 2
