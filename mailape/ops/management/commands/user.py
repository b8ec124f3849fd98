"""`mailape user`: people who work here."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import CommandError

from mailape.accounts import access, users
from mailape.accounts.models import Membership, User
from mailape.ops.command import Command as Plain
from mailape.senders.open_account import open_account


class Command(Plain):
    help = "People who work here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        deeds = parser.add_subparsers(dest="deed", required=True, metavar="add|list|password")
        add = deeds.add_parser("add", help="a user with a workspace and a default sender")
        add.add_argument("email")
        add.add_argument("--password-stdin", action="store_true", help="read the password there")
        add.add_argument("--admin", action="store_true", help="an administrator of the instance")
        add.add_argument("--name", default="", help="how the person is called")
        add.add_argument("--workspace", default="", help="the name of the workspace")
        self.add_json(add)
        self.add_json(deeds.add_parser("list", help="all users and their workspaces"))
        password = deeds.add_parser("password", help="a new password; ends the person's sessions")
        password.add_argument("email")
        password.add_argument("--password-stdin", action="store_true", help="read it there")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['deed']}")(**options)

    def _add(self, email: str, **options: Any) -> None:
        member = open_account(
            email,
            _password(options["password_stdin"]),
            name=options["name"],
            workspace_name=options["workspace"],
            admin=options["admin"],
        )
        text = f"Added {member.user.email} with the workspace {member.workspace.name}."
        if member.user.is_admin:
            text += " This user is an administrator of the instance."
        self.show(text, _shown(member.user, [member]), as_json=options["json"])

    def _list(self, **options: Any) -> None:
        rows = [_shown(user, access.memberships(user)) for user in User.objects.order_by("pk")]
        lines = [
            f"{row['email']}{'  (administrator)' if row['admin'] else ''}  "
            + ", ".join(f"{w['name']} [{w['id']}] as {w['role']}" for w in row["workspaces"])
            for row in rows
        ]
        self.show(
            "\n".join(lines) or "There are no users.", {"users": rows}, as_json=options["json"]
        )

    def _password(self, email: str, **options: Any) -> None:
        user = access.user(email)
        users.set_password(user, _password(options["password_stdin"]))
        self.stdout.write(f"{user.email} has a new password and is signed out everywhere.")


def _shown(user: User, members: list[Membership]) -> dict[str, Any]:
    return {
        "id": user.public_id,
        "email": user.email,
        "admin": user.is_admin,
        "workspaces": [
            {"id": one.workspace.public_id, "name": one.workspace.name, "role": one.role}
            for one in members
        ],
    }


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError("Say --password-stdin to give the password on standard input.")
    given = getpass("Password: ")
    if getpass("Once more: ") != given:
        raise CommandError("The two passwords differ; nothing was done.")
    return given
