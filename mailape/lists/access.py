"""The one door to lists and people. Another workspace's object is NotFound, always."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.core import ids, rows
from mailape.lists import suppress
from mailape.lists.models import BulkDeed, MailingList, Subscriber, Subscription, Suppression


def lists(workspace: Workspace) -> QuerySet[MailingList]:
    """The workspace's lists that are not archived, oldest first."""
    return MailingList.objects.filter(workspace=workspace, archived_at__isnull=True).order_by("pk")


def a_list(workspace: Workspace, public_id: str) -> MailingList:
    """The list with this opaque id. Raises NotFound."""
    return rows.first(
        lists(workspace).filter(pk=ids.private("list", public_id)), _("There is no such list.")
    )


def archived(workspace: Workspace, public_id: str) -> MailingList:
    """The archived list with this opaque id, so that it can be brought back. Raises NotFound."""
    gone = MailingList.objects.filter(workspace=workspace, archived_at__isnull=False)
    return rows.first(gone.filter(pk=ids.private("list", public_id)), _("There is no such list."))


def public_list(public_id: str) -> MailingList:
    """The list that a stranger's sign-up names, archived ones not. Raises NotFound."""
    return rows.first(
        MailingList.objects.select_related("workspace").filter(
            pk=ids.private("list", public_id), archived_at__isnull=True
        ),
        _("There is no such list."),
    )


def subscribers(workspace: Workspace) -> QuerySet[Subscriber]:
    """Every person in the workspace."""
    return Subscriber.objects.filter(workspace=workspace).order_by("pk")


def subscriber(workspace: Workspace, public_id: str) -> Subscriber:
    """The person with this opaque id. Raises NotFound."""
    return rows.first(
        subscribers(workspace).filter(pk=ids.private("subscriber", public_id)),
        _("There is no such subscriber."),
    )


def subscription(on: MailingList, public_id: str) -> Subscription:
    """The subscription to this list of the subscriber with this opaque id. Raises NotFound."""
    return rows.first(
        Subscription.objects.select_related("subscriber", "list").filter(
            list=on, subscriber_id=ids.private("subscriber", public_id)
        ),
        _("This person is not on this list."),
    )


def subscriptions_of(on: MailingList, people: list[int]) -> list[Subscription]:
    """The subscriptions to this list of the people with these keys, in their order."""
    found = Subscription.objects.select_related("subscriber").filter(
        list=on, subscriber_id__among=people
    )
    hers = {one.subscriber_id: one for one in found}
    return [hers[key] for key in people if key in hers]


def subscriptions(person: Subscriber) -> QuerySet[Subscription]:
    """The person's subscriptions to lists that are not archived, oldest first."""
    return (
        Subscription.objects.filter(subscriber=person, list__archived_at__isnull=True)
        .select_related("list")
        .order_by("pk")
    )


def suppressions(workspace: Workspace, value: str = "") -> QuerySet[Suppression]:
    """The workspace's suppressions, newest first; with `value` the one of an address or domain.

    Raises Invalid where `value` is neither.
    """
    found = Suppression.objects.filter(workspace=workspace).order_by("-pk")
    if value:
        kind, key = suppress.read(value)
        found = found.filter(kind=kind, value=key)
    return found


def suppression(workspace: Workspace, public_id: str) -> Suppression:
    """The suppression with this opaque id. Raises NotFound."""
    return rows.first(
        suppressions(workspace).filter(pk=ids.private("suppression", public_id)),
        _("There is no such suppression."),
    )


def bulk_deed(workspace: Workspace, public_id: str) -> BulkDeed:
    """The deed on many people with this opaque id. Raises NotFound."""
    found = BulkDeed.objects.select_related("list").filter(workspace=workspace)
    return rows.first(found.filter(pk=ids.private("bulk", public_id)), _("There is no such deed."))
