"""The one door to senders and transport accounts."""

from __future__ import annotations

from email.utils import parseaddr

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.core import address, ids, rows
from mailape.core.errors import Invalid
from mailape.senders.models import DkimKey, Sender


def senders(workspace: Workspace) -> QuerySet[Sender]:
    """The workspace's senders, the default one first."""
    return Sender.objects.filter(workspace=workspace, archived_at__isnull=True).order_by(
        "-is_default", "pk"
    )


def sender(workspace: Workspace, public_id: str) -> Sender:
    """The sender with this opaque id. Raises NotFound, also for another workspace's."""
    return rows.first(
        senders(workspace).filter(pk=ids.private("sender", public_id)),
        _("There is no such sender."),
    )


def any_sender(workspace: Workspace, public_id: str) -> Sender:
    """The sender with this opaque id, also one that was removed: so that a second click on the
    button finds it. Raises NotFound.
    """
    every = Sender.objects.filter(workspace=workspace)
    return rows.first(
        every.filter(pk=ids.private("sender", public_id)), _("There is no such sender.")
    )


def default_sender(workspace: Workspace) -> Sender | None:
    """The sender that a message without one is sent as."""
    return senders(workspace).first()


def sent_as(workspace: Workspace, chosen: Sender | None) -> Sender | None:
    """The sender that a message is sent as: the one that was chosen for it, while it is there."""
    if chosen is not None and chosen.archived_at is None:
        return chosen
    return default_sender(workspace)


def instance_from() -> str:
    """The From of account mail: DEFAULT_FROM, or the site's own no-reply address."""
    return settings.DEFAULT_FROM or f"MailApe <no-reply@{settings.SITE_HOST or 'localhost'}>"


def domains(workspace: Workspace) -> list[str]:
    """The domains of the workspace's senders, and those that it has keys for."""
    mine = {_domain(one.email) for one in senders(workspace)}
    keys = DkimKey.objects.filter(workspace=workspace)
    return sorted((mine | set(keys.values_list("domain", flat=True).distinct())) - {""})


def all_domains() -> list[str]:
    """The domains of all senders of the instance, each once."""
    living = Sender.objects.filter(archived_at__isnull=True).order_by()
    return sorted({_domain(email) for email in living.values_list("email", flat=True)} - {""})


def domain_of(sender: Sender | None) -> str:
    """The domain that mail of this sender comes from; without one, the instance's."""
    return _domain(sender.email) if sender else instance_domain()


def instance_domain() -> str:
    """The domain that account mail comes from."""
    return _domain(parseaddr(instance_from())[1])


def dkim_key(workspace: Workspace | None, public_id: str) -> DkimKey:
    """The key with this opaque id, of the workspace or of the instance. Raises NotFound."""
    pk = ids.private("dkim", public_id)
    return rows.first(
        DkimKey.objects.filter(workspace=workspace, pk=pk), _("There is no such key.")
    )


def _domain(email: str) -> str:
    """The domain of an address as A-label; nothing for what is no address."""
    try:
        return address.parse(email).key.rpartition("@")[2]
    except Invalid:
        return ""
