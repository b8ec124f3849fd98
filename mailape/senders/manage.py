"""Changing the From identities of a workspace: one of them is always the default."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.accounts.users import clean_name
from mailape.core import address, clock
from mailape.core.errors import Conflict, Invalid
from mailape.senders import domains
from mailape.senders.access import domain_of
from mailape.senders.models import Sender

MOST = 50


@transaction.atomic
def set_default(workspace: Workspace, *, name: str, email: str, reply_to: str = "") -> Sender:
    """Changes the default sender, or makes the first one.

    Raises Invalid with the field whose address will not do.
    """
    sender = Sender.objects.filter(workspace=workspace, is_default=True).first()
    sender = sender or Sender(workspace=workspace, is_default=True)
    return change(sender, name=name, email=email, reply_to=reply_to)


@transaction.atomic
def add(workspace: Workspace, *, name: str, email: str, reply_to: str = "") -> Sender:
    """Adds a sender; the workspace's first one is its default. Raises Invalid, Conflict."""
    _lock(workspace)
    _must_fit(workspace)
    living = Sender.objects.filter(workspace=workspace, archived_at__isnull=True)
    default = not living.filter(is_default=True).exists()
    return change(
        Sender(workspace=workspace, is_default=default), name=name, email=email, reply_to=reply_to
    )


def change(sender: Sender, *, name: str, email: str, reply_to: str = "") -> Sender:
    """Sets name and addresses; messages that are being sent keep those they began with. Invalid."""
    sender.name = clean_name(name)
    sender.email = _address(email, "email")
    sender.reply_to = _address(reply_to, "reply_to") if reply_to else ""
    sender.save()
    if settings.SMTP_URL:
        domains.ask(domain_of(sender))
    return sender


@transaction.atomic
def make_default(sender: Sender) -> None:
    """Messages that name no sender are sent as this one. A second time changes nothing."""
    _lock(sender.workspace)
    Sender.objects.filter(workspace=sender.workspace, is_default=True).update(is_default=False)
    Sender.objects.filter(pk=sender.pk).update(is_default=True)


@transaction.atomic
def remove(sender: Sender) -> None:
    """Takes the sender out of sight; what was sent as it stays as it was.

    Raises Conflict for the default one. A second time changes nothing. Whether a message waits for
    it, `campaigns.write.remove_sender` asks.
    """
    _lock(sender.workspace)
    if Sender.objects.filter(pk=sender.pk, is_default=True).exists():
        raise Conflict(_("This is the default sender. Make another one the default first."))
    Sender.objects.filter(pk=sender.pk, archived_at__isnull=True).update(archived_at=clock.now())


@transaction.atomic
def restore(sender: Sender) -> None:
    """Takes back `remove`. Done twice, it is done once. Raises Conflict where there are enough."""
    _lock(sender.workspace)
    gone = Sender.objects.filter(pk=sender.pk, archived_at__isnull=False)
    if gone.exists():
        _must_fit(sender.workspace)
        gone.update(archived_at=None)


def _must_fit(workspace: Workspace) -> None:
    if Sender.objects.filter(workspace=workspace, archived_at__isnull=True).count() >= MOST:
        raise Conflict(_("A workspace may have %(most)s senders.") % {"most": MOST})


def _lock(workspace: Workspace) -> None:
    Workspace.objects.select_for_update().get(pk=workspace.pk)


def _address(text: str, field: str) -> str:
    try:
        return address.parse(text).typed
    except Invalid as wrong:
        raise Invalid(str(wrong), field) from None
