"""People for tests of access: Alice owns it, Bob is on her team, Charlie must see nothing."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.test import Client

from mailape.accounts import tokens
from mailape.accounts.models import Membership, Role, User, Workspace
from mailape.core import address
from mailape.senders.models import Sender
from tests.house.environment import PASSWORD


@dataclass(frozen=True)
class Person:
    """A user in one workspace, with what it takes to act as that person."""

    member: Membership
    password: str = PASSWORD

    @property
    def user(self) -> User:
        return self.member.user

    @property
    def workspace(self) -> Workspace:
        return self.member.workspace

    @property
    def email(self) -> str:
        return self.user.email

    def client(self, *, enforce_csrf_checks: bool = False) -> Client:
        """A new browser of Django's test client, signed in as this person."""
        client = Client(enforce_csrf_checks=enforce_csrf_checks)
        client.force_login(self.user)
        return client

    def token(self) -> str:
        """The text of a new API token with this person's rights."""
        return tokens.add(self.member, "test")[1]

    def headers(self) -> dict[str, str]:
        """The header of an API call: `client.get(url, headers=alice.headers())`."""
        return {"Authorization": f"Bearer {self.token()}"}


def open_workspace(name: str) -> Person:
    """A new person who owns a new workspace with a default sender: `open_workspace("dora")`."""
    user = _user(name)
    workspace = Workspace.objects.create(name=f"{name.title()}’s workspace")
    Sender.objects.create(
        workspace=workspace, name=name.title(), email=f"{name}@example.org", is_default=True
    )
    return Person(Membership.objects.create(user=user, workspace=workspace, role=Role.OWNER))


def join(person: Person, name: str, role: Role = Role.EDITOR) -> Person:
    """A new person on `person`'s team: `join(alice, "vera", Role.VIEWER)`."""
    member = Membership.objects.create(user=_user(name), workspace=person.workspace, role=role)
    return Person(member)


def _user(name: str) -> User:
    who = address.parse(f"{name}@example.org")
    return User.objects.create(
        email=who.typed, email_key=who.key, name=name.title(), password=make_password(PASSWORD)
    )
