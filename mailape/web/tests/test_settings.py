"""Settings of the workspace, members, API tokens."""

from __future__ import annotations

import re

import pytest

from mailape.accounts import tokens
from mailape.accounts.models import ApiToken, Membership
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person

GIVEN = {
    "name": "The Orchard",
    "postal_address": "Gate 1\n12 Lane",
    "sender_name": "Mara",
    "email": "mara@example.org",
    "reply_to": "",
}


def test_name_address_and_sender_are_saved(alice: Person):
    assert alice.client().post("/settings/save", GIVEN)["Location"] == "/settings"
    alice.workspace.refresh_from_db()
    assert alice.workspace.name == "The Orchard"
    assert alice.workspace.postal_address == "Gate 1\n12 Lane"
    sender = alice.workspace.senders.get()
    assert (sender.name, sender.email) == ("Mara", "mara@example.org")


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("email", "x"), ("reply_to", "x"), ("email", "")]
)
def test_what_will_not_do_is_said_at_its_field_and_nothing_is_saved(
    alice: Person, field: str, value: str
):
    refused = alice.client().post("/settings/save", {**GIVEN, field: value})
    assert refused.status_code == 400
    assert f'id="{field}-fault"' in refused.content.decode()
    assert "12 Lane" in refused.content.decode()
    alice.workspace.refresh_from_db()
    assert alice.workspace.name == "Alice’s workspace"


def test_a_viewer_reads_the_settings_without_a_form(alice: Person):
    viewer = people.join(alice, "vic", "viewer")
    html = viewer.client().get("/settings").content.decode()
    assert "alice@example.org" in html
    assert "/settings/save" not in html


def test_members_are_listed_with_their_roles(alice: Person, bob: Person, charlie: Person):
    html = alice.client().get("/settings/members").content.decode()
    assert re.search(r"bob@example\.org.*Editor", html, re.DOTALL)
    assert "charlie@example.org" not in html


def test_a_token_is_shown_once_and_works(alice: Person):
    browser = alice.client()
    made = browser.post("/settings/tokens", {"name": "script", "days": "30"}).content.decode()
    text = re.search(r'value="(ma_[\w-]+)"', made)
    assert text
    found = tokens.find(text[1])
    assert found
    assert found.expires_at is not None
    assert text[1] not in browser.get("/settings/tokens").content.decode()
    assert "no-store" in browser.get("/settings/tokens")["Cache-Control"]


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x", "days": "0"}, {"name": "x", "days": "x"},
              {"name": "x", "days": "9" * 30}],
)  # fmt: skip
def test_a_token_with_wrong_values_is_not_made(alice: Person, wrong: dict[str, str]):
    assert alice.client().post("/settings/tokens", wrong).status_code == 400
    assert not ApiToken.objects.exists()


def test_revoking_ends_ones_own_token_and_nobody_elses(world: World, bob: Person):
    url = f"/settings/tokens/{world.token.public_id}/revoke"
    Membership.objects.filter(pk=bob.member.pk).update(role="owner")
    assert bob.client().post(url).status_code == 404
    world.token.refresh_from_db()
    assert world.token.revoked_at is None
    for _ in range(2):
        assert world.owner.client().post(url)["Location"] == "/settings/tokens"
    world.token.refresh_from_db()
    assert world.token.revoked_at is not None
    assert "Apples" not in bob.client().get("/settings/tokens").content.decode()
