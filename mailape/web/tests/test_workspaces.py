"""Somebody with two workspaces, who has both open at once."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from mailape.accounts import access
from mailape.accounts.models import Membership, Role
from mailape.campaigns.models import Message
from mailape.web.doors import OPENED_IN
from mailape.web.tests import worlds
from tests.house.people import Person


@pytest.fixture
def elsewhere(alice: Person, charlie: Person) -> Client:
    """Alice, who is an editor in Charlie's workspace too and has chosen it."""
    Membership.objects.create(user=alice.user, workspace=charlie.workspace, role=Role.EDITOR)
    client = alice.client()
    client.post(reverse("web:switch"), {"workspace": charlie.workspace.public_id})
    return client


def chosen(client: Client) -> int:
    return client.session[access.CURRENT]


def test_what_is_looked_at_in_another_of_her_workspaces_chooses_it(alice, elsewhere):
    world = worlds.build(alice)
    assert elsewhere.get(f"/lists/{world.list.public_id}").status_code == 200
    assert chosen(elsewhere) == alice.workspace.pk


def test_what_is_saved_in_another_of_her_workspaces_leaves_the_choice_as_it_is(
    alice, charlie, elsewhere
):
    draft = worlds.build(alice).draft
    data = {"subject": "Said later", "body": "x", "version": draft.version, "format": "markdown"}
    answer = elsewhere.post(reverse("web:message-autosave", args=[draft.public_id]), data)
    assert answer.status_code == 200
    draft.refresh_from_db()
    assert draft.subject == "Said later"
    assert chosen(elsewhere) == charlie.workspace.pk


def test_what_a_form_makes_is_made_where_the_form_was_opened(alice, charlie, elsewhere):
    elsewhere.post(reverse("web:switch"), {"workspace": alice.workspace.public_id})
    html = elsewhere.get(reverse("web:message-new")).content.decode()
    assert f'name="{OPENED_IN}" value="{alice.workspace.public_id}"' in html
    elsewhere.post(reverse("web:switch"), {"workspace": charlie.workspace.public_id})
    data = {"subject": "New", "body": "x", OPENED_IN: alice.workspace.public_id}
    assert elsewhere.post(reverse("web:message-new"), data).status_code == 302
    assert Message.objects.get(subject="New").workspace == alice.workspace


def test_a_role_counts_where_the_thing_is(alice, charlie, elsewhere):
    world = worlds.build(charlie)
    elsewhere.post(reverse("web:switch"), {"workspace": alice.workspace.public_id})
    assert elsewhere.get(f"/lists/{world.list.public_id}").status_code == 200
    assert elsewhere.get(f"/lists/{world.list.public_id}/edit").status_code == 403


@pytest.mark.parametrize("opened", ["", "x", "theirs"])
def test_a_workspace_that_is_not_hers_is_never_found(alice, charlie, opened):
    world = worlds.build(charlie)
    client = alice.client()
    assert client.get(f"/lists/{world.list.public_id}").status_code == 404
    there = charlie.workspace.public_id if opened == "theirs" else opened
    client.post(reverse("web:list-new"), {"name": "Mine", OPENED_IN: there})
    assert not charlie.workspace.lists.filter(name="Mine").exists()
