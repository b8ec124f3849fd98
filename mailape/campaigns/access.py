"""The one door to newsletters. Another workspace's is NotFound, always."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.campaigns.models import Kind, Message
from mailape.core import ids, rows


def newsletters(workspace: Workspace) -> QuerySet[Message]:
    """The workspace's newsletters that are not archived, newest first."""
    return Message.objects.filter(
        workspace=workspace, kind=Kind.NEWSLETTER, archived_at__isnull=True
    ).order_by("-pk")


def newsletter(workspace: Workspace, public_id: str) -> Message:
    """The newsletter with this opaque id. Raises NotFound."""
    return rows.first(
        newsletters(workspace)
        .select_related("sender", "workspace", "revision", "edited_by")
        .filter(pk=ids.private("message", public_id)),
        _("There is no such message."),
    )


def removed(workspace: Workspace, public_id: str) -> Message:
    """The removed newsletter with this opaque id, so that it can be brought back; one that is back
    already is found too. Raises NotFound."""
    found = Message.objects.filter(workspace=workspace, kind=Kind.NEWSLETTER)
    return rows.first(
        found.filter(pk=ids.private("message", public_id)), _("There is no such message.")
    )


def by_form(workspace: Workspace, key: str) -> Message:
    """The newsletter that the form with this key made. Raises NotFound."""
    found = Message.objects.filter(workspace=workspace, draft_key=key).exclude(draft_key="")
    return rows.first(found.select_related("edited_by"), _("There is no such message."))
