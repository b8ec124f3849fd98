"""The one door to senders and transport accounts."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

from mailape.accounts.models import Workspace
from mailape.core import ids
from mailape.core.errors import NotFound
from mailape.senders.models import Sender


def senders(workspace: Workspace) -> QuerySet[Sender]:
    """The workspace's senders, the default one first."""
    return Sender.objects.filter(workspace=workspace, archived_at__isnull=True).order_by(
        "-is_default", "pk"
    )


def sender(workspace: Workspace, public_id: str) -> Sender:
    """The sender with this opaque id. Raises NotFound, also for another workspace's."""
    found = senders(workspace).filter(pk=ids.private("sender", public_id)).first()
    if found is None:
        raise NotFound("There is no such sender.")
    return found


def default_sender(workspace: Workspace) -> Sender | None:
    """The sender that a message without one is sent as."""
    return senders(workspace).first()


def instance_from() -> str:
    """The From of account mail: DEFAULT_FROM, or the site's own no-reply address."""
    return settings.DEFAULT_FROM or f"MailApe <no-reply@{settings.SITE_HOST or 'localhost'}>"
