"""What goes into a revision, gathered for newsletters, mails of lists and MailApe's own mails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from email.utils import parseaddr
from typing import Any

from django.conf import settings

from mailape.accounts import workspaces
from mailape.accounts.models import Workspace
from mailape.campaigns import audience, pictures
from mailape.campaigns.models import Format, Kind, Message
from mailape.core import address
from mailape.core.errors import Invalid
from mailape.core.models import InstanceSetting
from mailape.delivery import markup
from mailape.delivery.compile import Source
from mailape.lists import wording
from mailape.lists.models import MailingList
from mailape.senders.access import default_sender, instance_from, sent_as
from mailape.senders.models import Sender

# The longest name of a message of MailApe's own is that of its file.
CONFIRMATION = "confirmation"
WELCOME = "welcome"
PRECEDENCE = "precedence_bulk"


def newsletter(message: Message) -> Source:
    """A newsletter as it is written now."""
    workspace, lists = message.workspace, audience.lists_of(message)
    return Source(
        kind=message.kind,
        subject=message.subject,
        preview_text=message.preview_text,
        body=message.body,
        format=message.format,
        lists={str(one.pk): _named(one) for one in lists},
        language=_language(lists, workspace),
        precedence=_precedence(),
        images=_images(workspace, message.body) if message.format == Format.MARKDOWN else {},
        **_from(sent_as(workspace, message.sender) if workspace else message.sender),
        **_workspace(workspace),
    )


def confirmation(on: MailingList, *, worded: bool = True) -> Source:
    """The confirmation mail of a list; with its owner's own words, unless told otherwise."""
    return _of_a_list(on, Kind.CONFIRMATION, CONFIRMATION, worded)


def welcome(on: MailingList, *, worded: bool = True) -> Source:
    """The welcome mail of a list; with its owner's own words, unless told otherwise."""
    found = _of_a_list(on, Kind.WELCOME, WELCOME, worded)
    return replace(found, precedence=False)  # one mail that somebody just caused is not bulk


def _of_a_list(on: MailingList, kind: str, name: str, worded: bool) -> Source:
    language = wording.language(on)
    subject, body = own_mail(name, language)
    if worded:
        subject = wording.text(on, f"{name}_subject") or subject
        body = wording.text(on, f"{name}_body") or body
    return Source(
        kind=kind,
        subject=subject,
        body=body,
        format=Format.MARKDOWN,
        lists={str(on.pk): _named(on)},
        language=language,
        images=_images(on.workspace, body),
        **_from(default_sender(on.workspace)),
        **_workspace(on.workspace),
    )


def own(kind: str, name: str, language: str = wording.FALLBACK) -> Source:
    """A mail of MailApe itself: its text is the file of that name in `delivery/mails/`."""
    subject, body = own_mail(name, language)
    return Source(
        kind=kind,
        subject=subject,
        body=body,
        format=Format.MARKDOWN,
        site=_site(),
        language=language,
        **_from(None),
    )


def logos() -> str:
    """What the address of every workspace's logo begins with, as web/urls.py has it."""
    return f"{settings.SITE_URL}/logo/"


def own_mail(name: str, language: str = wording.FALLBACK) -> tuple[str, str]:
    """Subject and body of a text in `delivery/mails/`: its first line, and the rest."""
    subject, _, body = markup.mail_file(f"{name}.md", language).partition("\n")
    return subject, body


def _language(lists: Sequence[MailingList], workspace: Workspace | None) -> str:
    """That of the first list: the footer speaks it, and readers' programs are told."""
    if lists and lists[0].language:
        return lists[0].language
    return (workspace.language if workspace else "") or wording.FALLBACK


def _from(sender: Sender | None) -> dict[str, Any]:
    if sender is not None and _is_usable(sender.email):
        return {
            "from_name": sender.name,
            "from_email": sender.email,
            "reply_to": sender.reply_to,
        }
    name, email = parseaddr(instance_from())
    return {"from_name": name, "from_email": email}


def _is_usable(email: str) -> bool:
    try:
        return address.parse(email).typed.rpartition("@")[0].isascii()
    except Invalid:
        return False


def _workspace(workspace: Workspace | None) -> dict[str, Any]:
    if workspace is None:
        return {"site": _site()}
    return {
        "site": _site(),
        "workspace": {
            "id": workspace.public_id,
            "name": workspace.name,
            "postal_address": workspace.postal_address,
        },
        "postal_address": workspace.postal_address,
        "logo": _logo(workspace),
        "accent": workspace.accent,
    }


def _images(workspace: Workspace | None, text: str) -> dict[str, tuple[int, int]]:
    """Sizes of the pictures in a text of Markdown. HTML is its writer's own."""
    return pictures.sizes(workspace, text) if workspace else {}


def _logo(workspace: Workspace | None) -> dict[str, Any]:
    """Where the workspace's logo is and how wide it stands; empty where it does not."""
    if workspace is None or not (width := workspaces.width_in_mails(workspace)):
        return {}
    place = f"{workspace.public_id}/{workspace.logo_digest}"
    return {"url": f"{logos()}{place}", "width": width}


def _named(one: MailingList) -> dict[str, str]:
    return {"id": one.public_id, "name": one.name}


def _site() -> str:
    return str(settings.SITE_URL).partition("//")[2]


def _precedence() -> bool:
    """`Precedence: bulk` on newsletters, unless the operator turned it off."""
    kept = InstanceSetting.objects.filter(name=PRECEDENCE).first()
    return kept is None or bool(kept.value)
