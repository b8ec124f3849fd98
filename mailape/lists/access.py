"""The one door to lists and people. Another workspace's object is NotFound, always."""

from __future__ import annotations

from django.db.models import QuerySet

from mailape.accounts.models import Workspace
from mailape.core import ids
from mailape.core.errors import NotFound
from mailape.lists.models import MailingList, Subscriber, Subscription


def lists(workspace: Workspace) -> QuerySet[MailingList]:
    """The workspace's lists that are not archived, oldest first."""
    return MailingList.objects.filter(workspace=workspace, archived_at__isnull=True).order_by("pk")


def a_list(workspace: Workspace, public_id: str) -> MailingList:
    """The list with this opaque id. Raises NotFound."""
    found = lists(workspace).filter(pk=ids.private("list", public_id)).first()
    if found is None:
        raise NotFound("There is no such list.")
    return found


def public_list(public_id: str) -> MailingList:
    """The list that a stranger's sign-up names, archived ones not. Raises NotFound."""
    found = (
        MailingList.objects.select_related("workspace")
        .filter(pk=ids.private("list", public_id), archived_at__isnull=True)
        .first()
    )
    if found is None:
        raise NotFound("There is no such list.")
    return found


def subscribers(workspace: Workspace) -> QuerySet[Subscriber]:
    """Every person in the workspace."""
    return Subscriber.objects.filter(workspace=workspace).order_by("pk")


def subscriber(workspace: Workspace, public_id: str) -> Subscriber:
    """The person with this opaque id. Raises NotFound."""
    found = subscribers(workspace).filter(pk=ids.private("subscriber", public_id)).first()
    if found is None:
        raise NotFound("There is no such subscriber.")
    return found


def subscription(on: MailingList, public_id: str) -> Subscription:
    """The subscription to this list of the subscriber with this opaque id. Raises NotFound."""
    found = (
        Subscription.objects.select_related("subscriber", "list")
        .filter(list=on, subscriber_id=ids.private("subscriber", public_id))
        .first()
    )
    if found is None:
        raise NotFound("This person is not on this list.")
    return found
