"""`mailape token`: keys for scripts."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from mailape.accounts import access, tokens
from mailape.accounts.models import Membership, User
from mailape.core import clock
from mailape.ops.command import Command as Plain


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 36_500):
        raise ArgumentTypeError("must be a number of days from 1 to 36500")
    return int(text)


class Command(Plain):
    help = "API tokens: each has one user's rights in one workspace."

    def add_arguments(self, parser: ArgumentParser) -> None:
        deeds = parser.add_subparsers(dest="deed", required=True, metavar="add|list|revoke")
        add = deeds.add_parser("add", help="print a new token, this once")
        add.add_argument("email", help="whose rights it has")
        add.add_argument("--workspace", metavar="ID", help="needed for a user in several")
        add.add_argument("--name", default="command line", help="what it is for")
        add.add_argument("--days", type=_days, help="how long it is good; for ever unless said")
        self.add_json(add)
        shown = deeds.add_parser("list", help="a user's tokens, without their texts")
        shown.add_argument("email")
        self.add_json(shown)
        revoke = deeds.add_parser("revoke", help="end a token at once")
        revoke.add_argument("id", help="as `mailape token list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['deed']}")(**options)

    def _add(self, email: str, **options: Any) -> None:
        member = _member(access.user(email), options["workspace"])
        days = options["days"]
        until = clock.now() + timedelta(days=days) if days else None
        made, text = tokens.add(member, options["name"], until)
        data = {"token": text, "id": made.public_id, "workspace": member.workspace.public_id}
        self.show(text, data, as_json=options["json"])

    def _list(self, email: str, **options: Any) -> None:
        rows = [
            {
                "id": one.public_id,
                "name": one.name,
                "begins": one.prefix,
                "workspace": one.workspace.public_id,
                "last_used_at": one.last_used_at and one.last_used_at.isoformat(),
                "expires_at": one.expires_at and one.expires_at.isoformat(),
            }
            for one in tokens.living(access.user(email))
        ]
        lines = [
            f"{row['id']}  {row['begins']}…  {row['name']}  workspace {row['workspace']}, "
            f"last used {row['last_used_at'] or 'never'}"
            for row in rows
        ]
        self.show("\n".join(lines) or "No tokens.", {"tokens": rows}, as_json=options["json"])

    def _revoke(self, id: str, **options: Any) -> None:
        tokens.revoke(access.token(id))
        self.stdout.write("Revoked.")


def _member(user: User, workspace: str | None) -> Membership:
    if workspace is not None:
        return access.workspace_of(user, workspace)
    members = access.memberships(user)
    if not members:
        raise CommandError(f"{user.email} belongs to no workspace.")
    if len(members) > 1:
        known = ", ".join(f"{one.workspace.public_id} ({one.workspace.name})" for one in members)
        raise CommandError(f"Say which workspace with --workspace ID, one of: {known}.")
    return members[0]
