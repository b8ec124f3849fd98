"""What goes into a revision, gathered for newsletters, confirmations and MailApe's own mails."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from django.conf import settings

from mailape.accounts.models import Workspace
from mailape.campaigns import audience
from mailape.campaigns.models import Format, Kind, Message
from mailape.core import address
from mailape.core.errors import Invalid
from mailape.core.models import InstanceSetting
from mailape.delivery import markup
from mailape.delivery.compile import Source
from mailape.lists.models import MailingList
from mailape.senders.access import default_sender, instance_from
from mailape.senders.models import Sender

# The longest name of a message of MailApe's own is that of its file.
CONFIRMATION = "confirmation"
PRECEDENCE = "precedence_bulk"


def newsletter(message: Message) -> Source:
    """A newsletter as it is written now."""
    workspace = message.workspace
    return Source(
        kind=message.kind,
        subject=message.subject,
        preview_text=message.preview_text,
        body=message.body,
        format=message.format,
        lists={str(one.pk): _named(one) for one in audience.lists_of(message)},
        precedence=_precedence(),
        **_from(message.sender or (default_sender(workspace) if workspace else None)),
        **_workspace(workspace),
    )


def confirmation(on: MailingList) -> Source:
    """The confirmation mail of a list."""
    subject, body = own_mail(CONFIRMATION)
    return Source(
        kind=Kind.CONFIRMATION,
        subject=subject,
        body=body,
        format=Format.MARKDOWN,
        lists={str(on.pk): _named(on)},
        **_from(default_sender(on.workspace)),
        **_workspace(on.workspace),
    )


def own(kind: str, name: str) -> Source:
    """A mail of MailApe itself: its text is the file of that name in `delivery/mails/`."""
    subject, body = own_mail(name)
    return Source(
        kind=kind, subject=subject, body=body, format=Format.MARKDOWN, site=_site(), **_from(None)
    )


def own_mail(name: str) -> tuple[str, str]:
    """Subject and body of a text in `delivery/mails/`: its first line, and the rest."""
    subject, _, body = markup.mail_file(f"{name}.md").partition("\n")
    return subject, body


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
        "workspace": {"id": workspace.public_id, "name": workspace.name},
        "postal_address": workspace.postal_address,
    }


def _named(one: MailingList) -> dict[str, str]:
    return {"id": one.public_id, "name": one.name}


def _site() -> str:
    return str(settings.SITE_URL).partition("//")[2]


def _precedence() -> bool:
    """`Precedence: bulk` on newsletters, unless the operator turned it off."""
    kept = InstanceSetting.objects.filter(name=PRECEDENCE).first()
    return kept is None or bool(kept.value)
