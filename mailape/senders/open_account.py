"""Opening an account: a user, a workspace of that person's own, and a default sender."""

from __future__ import annotations

from email.utils import parseaddr

from django.conf import settings
from django.db import transaction

from mailape.accounts import setup, users
from mailape.accounts.models import Membership
from mailape.senders.models import Sender


@transaction.atomic
def open_account(
    email: str, password: str, *, name: str = "", workspace_name: str = "", admin: bool = False
) -> Membership:
    """Makes all three at once. Raises what `accounts.users.add` raises."""
    member = users.add(email, password, name=name, workspace_name=workspace_name, admin=admin)
    add_default_sender(member)
    return member


@transaction.atomic
def claim_instance(
    token: str, email: str, password: str, *, name: str = "", workspace_name: str = ""
) -> Membership:
    """The first account, by the set-up link. Raises what `accounts.setup.claim` raises."""
    member = setup.claim(token, email, password, name, workspace_name)
    add_default_sender(member)
    return member


def add_default_sender(member: Membership) -> Sender:
    """The sender a new workspace begins with: DEFAULT_FROM, or its owner's own address."""
    name, address = parseaddr(settings.DEFAULT_FROM)
    return Sender.objects.create(
        workspace=member.workspace,
        name=name or member.workspace.name,
        email=address or member.user.email,
        is_default=True,
    )
