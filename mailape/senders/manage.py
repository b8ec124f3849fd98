"""Changing the From identities of a workspace."""

from __future__ import annotations

from django.db import transaction

from mailape.accounts.models import Workspace
from mailape.accounts.users import clean_name
from mailape.core import address
from mailape.core.errors import Invalid
from mailape.senders.models import Sender


@transaction.atomic
def set_default(workspace: Workspace, *, name: str, email: str, reply_to: str = "") -> Sender:
    """Changes the default sender, or makes the first one.

    Raises Invalid with the field whose address will not do.
    """
    sender = Sender.objects.filter(workspace=workspace, is_default=True).first()
    sender = sender or Sender(workspace=workspace, is_default=True)
    sender.name = clean_name(name)
    sender.email = _address(email, "email")
    sender.reply_to = _address(reply_to, "reply_to") if reply_to else ""
    sender.save()
    return sender


def _address(text: str, field: str) -> str:
    try:
        return address.parse(text).typed
    except Invalid as wrong:
        raise Invalid(str(wrong), field) from None
