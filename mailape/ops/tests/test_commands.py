"""The operator's small commands: what they do, in the process of the tests."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mailape.accounts import access, tokens
from mailape.accounts.models import ApiToken, Membership, Role, User, Workspace
from mailape.core.errors import Conflict, Invalid, NotFound
from mailape.senders.models import Sender
from tests.house import people
from tests.house.people import Person

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command and returns what it printed; `given` is its standard input."""

    def run(*words: str, given: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        out = io.StringIO()
        call_command(*words, stdout=out)
        return out.getvalue()

    return run


def test_the_first_user_owns_a_workspace_and_administers_the_instance(run: Run) -> None:
    said = run("user", "add", "Ada@example.org", "--password-stdin", given=f"{PASSWORD}\n")
    assert said.startswith("Added Ada@example.org with the workspace ")
    member = Membership.objects.get()
    assert member.role == Role.OWNER
    assert member.user.is_admin
    assert member.user.check_password(PASSWORD)
    assert Sender.objects.get().is_default


def test_the_second_user_is_no_administrator_unless_it_is_said(run: Run) -> None:
    run("user", "add", "ada@example.org", "--password-stdin", given=PASSWORD)
    run("user", "add", "bea@example.org", "--password-stdin", given=PASSWORD)
    run("user", "add", "cleo@example.org", "--password-stdin", "--admin", given=PASSWORD)
    assert list(User.objects.order_by("pk").values_list("is_admin", flat=True)) == [
        True,
        False,
        True,
    ]


def test_names_are_taken(run: Run) -> None:
    said = run(
        *("user", "add", "ada@example.org", "--password-stdin", "--name", "Ada Lovelace"),
        *("--workspace", "The Engine", "--json"),
        given=PASSWORD,
    )
    shown = json.loads(said.splitlines()[-1])
    assert shown["workspaces"][0]["name"] == "The Engine"
    assert shown["admin"] is True
    assert User.objects.get().name == "Ada Lovelace"


@pytest.mark.parametrize(
    ("email", "password", "fault"),
    [
        ("no address", PASSWORD, Invalid),
        ("ada@example.org", "short", Invalid),
        ("ada@example.org", "", Invalid),
        ("ALICE@example.org", PASSWORD, Conflict),
    ],
)
def test_what_will_not_do_adds_nobody(
    run: Run, alice: Person, email: str, password: str, fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        run("user", "add", email, "--password-stdin", given=password)
    assert User.objects.count() == 1
    assert Workspace.objects.count() == 1


def test_without_a_terminal_the_password_is_asked_for_on_standard_input(run: Run) -> None:
    with pytest.raises(CommandError, match="--password-stdin"):
        run("user", "add", "ada@example.org", given=PASSWORD)


def test_users_are_listed_with_their_workspaces(run: Run, alice: Person, bob: Person) -> None:
    rows = json.loads(run("user", "list", "--json"))["users"]
    assert [(row["email"], row["workspaces"][0]["role"]) for row in rows] == [
        ("alice@example.org", "owner"),
        ("bob@example.org", "editor"),
    ]
    assert "bob@example.org" in run("user", "list")


def test_a_new_password_ends_every_session(run: Run, alice: Person) -> None:
    browser = alice.client()
    assert browser.get("/api/v1/me").status_code == 200
    run("user", "password", "ALICE@example.org", "--password-stdin", given="another horse battery")
    assert browser.get("/api/v1/me").status_code == 401
    alice.user.refresh_from_db()
    assert alice.user.check_password("another horse battery")


def test_a_token_is_printed_and_nothing_else(run: Run, alice: Person) -> None:
    said = run("token", "add", "alice@example.org", "--name", "cron")
    assert said.count("\n") == 1
    found = tokens.find(said.strip())
    assert found is not None
    assert (found.user, found.workspace, found.name) == (alice.user, alice.workspace, "cron")
    assert found.expires_at is None


def test_a_token_is_good_for_as_long_as_was_said(run: Run, alice: Person) -> None:
    run("token", "add", "alice@example.org", "--days", "30")
    made = ApiToken.objects.get()
    assert made.expires_at is not None
    assert (made.expires_at - made.created_at).days in {29, 30}


def test_who_is_in_several_workspaces_says_which(run: Run, alice: Person, charlie: Person) -> None:
    Membership.objects.create(user=alice.user, workspace=charlie.workspace, role=Role.VIEWER)
    with pytest.raises(CommandError, match=charlie.workspace.public_id):
        run("token", "add", "alice@example.org")
    said = run("token", "add", "alice@example.org", "--workspace", charlie.workspace.public_id)
    found = tokens.find(said.strip())
    assert found is not None
    assert access.membership(found.user, found.workspace).role == Role.VIEWER


def test_no_token_for_a_workspace_of_others(run: Run, alice: Person, charlie: Person) -> None:
    with pytest.raises(NotFound):
        run("token", "add", "alice@example.org", "--workspace", charlie.workspace.public_id)
    with pytest.raises(NotFound):
        run("token", "add", "nobody@example.org")
    assert not ApiToken.objects.exists()


def test_tokens_are_listed_without_their_texts_and_revoked(run: Run, alice: Person) -> None:
    text = alice.token()
    listed = run("token", "list", "alice@example.org", "--json")
    assert text not in listed
    row: dict[str, Any] = json.loads(listed)["tokens"][0]
    assert text.startswith(row["begins"])
    assert row["id"] in run("token", "list", "alice@example.org")
    run("token", "revoke", row["id"])
    run("token", "revoke", row["id"])
    assert tokens.find(text) is None
    assert json.loads(run("token", "list", "alice@example.org", "--json")) == {"tokens": []}
    with pytest.raises(NotFound):
        run("token", "revoke", people.open_workspace("dora").workspace.public_id)


# --- mailape setting ------------------------------------------------------------------------------


def test_a_setting_of_the_instance_is_shown_and_turned(run: Run) -> None:
    assert "session_network_address is off" in run("setting")
    assert "precedence_bulk is on" in run("setting")
    said = run("setting", "session_network_address", "on", "--json")
    assert json.loads(said) == {"settings": {"session_network_address": True}}
    run("setting", "session_network_address", "off")
    assert "session_network_address is off" in run("setting", "session_network_address")


def test_a_setting_that_is_not_there_is_refused(run: Run) -> None:
    with pytest.raises(CommandError):
        run("setting", "no_such_thing", "on")
