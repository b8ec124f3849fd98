"""Making, changing and archiving lists."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.accounts.users import clean_name
from mailape.core import clock
from mailape.core.errors import Invalid
from mailape.lists.models import MailingList


def create(workspace: Workspace, name: str, description: str = "") -> MailingList:
    """Makes a list. Raises Invalid for an empty name."""
    return MailingList.objects.create(
        workspace=workspace, name=_name(name), description=description.strip()[:500]
    )


def change(which: MailingList, *, name: str | None = None, description: str | None = None) -> None:
    """Changes what is given and leaves the rest. Raises Invalid for an empty name."""
    if name is not None:
        which.name = _name(name)
    if description is not None:
        which.description = description.strip()[:500]
    which.save(update_fields=["name", "description"])


def archive(which: MailingList) -> None:
    """Takes the list out of sight; its records stay. A second time changes nothing."""
    MailingList.objects.filter(pk=which.pk, archived_at__isnull=True).update(
        archived_at=clock.now()
    )


def unarchive(which: MailingList) -> None:
    """Undoes `archive`."""
    MailingList.objects.filter(pk=which.pk).update(archived_at=None)


def subscribe_url(which: MailingList) -> str:
    """The public page where people sign up for this list."""
    return f"{settings.SITE_URL}/subscribe/{which.public_id}"


def _name(text: str) -> str:
    name = clean_name(text)
    if not name:
        raise Invalid(_("A list needs a name."), "name")
    return name
