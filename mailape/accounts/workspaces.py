"""Making workspaces, and changing what one says of itself."""

from __future__ import annotations

import re

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from mailape.accounts import users
from mailape.accounts.models import Logo, Membership, Role, User, Workspace
from mailape.accounts.users import clean_name
from mailape.core import ids, images, limits, rows
from mailape.core.errors import Invalid, NotAllowed

MADE = limits.Rate(10, 86_400)  # workspaces by one user
# A logo stands at most 240 × 80 CSS pixels large; three times that for fine screens.
LOGO_WIDTH, LOGO_HEIGHT, LOGO_BYTES = 720, 240, 5_000_000
_SHOWN_WIDTH, _SHOWN_HEIGHT = 240, 80
_COLOUR = re.compile(r"#[0-9a-f]{6}")


def change(workspace: Workspace, *, name: str, postal_address: str) -> None:
    """Sets name and postal address, which stand in every newsletter. Raises Invalid."""
    cleaned = clean_name(name)
    if not cleaned:
        raise Invalid(_("A workspace needs a name: readers see it."), "name")
    lines = [clean_name(line) for line in postal_address.splitlines()]
    postal = "\n".join(line for line in lines if line)
    if len(postal) > 300:
        raise Invalid(_("A postal address may have at most 300 characters."), "postal_address")
    workspace.name, workspace.postal_address = cleaned, postal
    workspace.save(update_fields=["name", "postal_address"])


def set_language(workspace: Workspace, language: str) -> None:
    """The language of its lists, and of its members who chose none. Empty: English. Invalid."""
    if language and language not in dict(settings.LANGUAGES):
        raise Invalid(_("Choose one of the languages."), "language")
    workspace.language = language
    workspace.save(update_fields=["language"])


def set_accent(workspace: Workspace, colour: str) -> None:
    """The colour of buttons and links on its public pages. Empty: MailApe's own. Invalid."""
    cleaned = colour.strip().lower()
    if cleaned and not _COLOUR.fullmatch(cleaned):
        raise Invalid(_("Write the colour as # and six digits, for example #0d6b50."), "accent")
    workspace.accent = cleaned
    workspace.save(update_fields=["accent"])


@transaction.atomic
def set_logo(workspace: Workspace, data: bytes) -> Logo:
    """Keeps the picture as the workspace's logo, written anew and made small. Raises Invalid."""
    picture = images.read(
        data, field="logo", widest=LOGO_WIDTH, highest=LOGO_HEIGHT, most_bytes=LOGO_BYTES,
        animated=False,
    )  # fmt: skip
    logo, _new = Logo.objects.update_or_create(
        workspace=workspace,
        defaults={
            "content": picture.content,
            "media_type": picture.media_type,
            "digest": picture.digest,
            "width": picture.width,
            "height": picture.height,
        },
    )
    workspace.logo_digest = picture.digest
    workspace.save(update_fields=["logo_digest"])
    return logo


@transaction.atomic
def remove_logo(workspace: Workspace) -> None:
    """The workspace goes by its name alone. A second time changes nothing."""
    Logo.objects.filter(workspace=workspace).delete()
    workspace.logo_digest = ""
    workspace.save(update_fields=["logo_digest"])


def set_logo_in_mails(workspace: Workspace, wanted: bool) -> None:
    """Whether the logo stands above the text of newsletters, confirmation and welcome mails."""
    workspace.logo_in_mails = wanted
    workspace.save(update_fields=["logo_in_mails"])


def width_in_mails(workspace: Workspace) -> int:
    """How many CSS pixels wide the logo stands in mails; 0 where it does not.

    Outlook needs the number, and makes the height out of it.
    """
    if not (workspace.logo_digest and workspace.logo_in_mails):
        return 0
    size = Logo.objects.filter(workspace=workspace).values_list("width", "height").first()
    if size is None:
        return 0
    return round(size[0] * min(1, _SHOWN_WIDTH / size[0], _SHOWN_HEIGHT / size[1])) or 1


def logo(public_id: str) -> Logo:
    """The logo of the workspace with this id. Raises NotFound."""
    return rows.first(
        Logo.objects.filter(workspace_id=ids.private("workspace", public_id)),
        _("There is no such picture."),
    )


def may_open(user: User) -> bool:
    """Whether the user may make one more workspace.

    On a closed instance not everybody who was invited to look: whoever has a workspace sends by
    this instance's mail server.
    """
    if settings.SIGNUP_OPEN or user.is_admin:
        return True
    return Membership.objects.filter(user=user, role=Role.OWNER).exists()


def open_another(user: User, name: str) -> Membership:
    """Makes a workspace that the user owns. Raises Invalid, NotAllowed, TooMany."""
    if not may_open(user):
        raise NotAllowed(
            _("Only who owns a workspace here, or runs this instance, can make another one.")
        )
    if not clean_name(name):
        raise Invalid(_("A workspace needs a name: readers see it."), "name")
    limits.count("workspace", str(user.pk), MADE)
    return users.open_workspace(user, name)
