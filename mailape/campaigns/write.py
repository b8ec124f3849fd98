"""Writing: drafts are made, edited by one person at a time, and removed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F

from mailape.accounts.models import User, Workspace
from mailape.campaigns import audience
from mailape.campaigns.models import Format, Message, Status
from mailape.core import clock
from mailape.core.errors import Conflict, Invalid
from mailape.lists.models import MailingList
from mailape.senders.models import Sender

MAX_BODY = 1_000_000


@dataclass(frozen=True)
class Draft:
    """What a writer may set. None leaves a field as it is."""

    lists: list[MailingList] | None = None
    subject: str | None = None
    body: str | None = None
    format: str | None = None
    sender: Sender | None = None


def create(workspace: Workspace, author: User | None, draft: Draft) -> Message:
    """Makes a draft. Raises Invalid for a field that cannot be used."""
    message = Message(workspace=workspace, author=author)
    _apply(message, draft)
    message.save()
    return message


def edit(message: Message, draft: Draft, version: int | None = None) -> Message:
    """Changes a draft. With `version`, only if nobody else changed it since that version was read.

    Raises Conflict once the message has left the drafts, or another edit came first; Invalid for a
    field that cannot be used.
    """
    seen = message.version if version is None else version
    changes = _apply(message, draft)
    changed = Message.objects.filter(
        pk=message.pk, status=Status.DRAFT, archived_at__isnull=True, version=seen
    ).update(**changes, updated_at=clock.now(), version=F("version") + 1)
    message.refresh_from_db()
    if not changed and message.status != Status.DRAFT:
        raise Conflict(f"This message is {message.status} and cannot be changed any more.")
    if not changed:
        raise Conflict("Somebody else changed this message meanwhile. Nothing was overwritten.")
    return message


def remove(message: Message) -> None:
    """Deletes a draft; anything that was sent or begun is archived and stays on record.

    Raises Conflict while it is queued, sending or paused.
    """
    if Message.objects.filter(pk=message.pk, status=Status.DRAFT).update(
        archived_at=clock.now(), updated_at=clock.now()
    ):
        return
    done = Message.objects.filter(
        pk=message.pk, status__in=[Status.SENT, Status.CANCELLED, Status.FAILED]
    )
    if not done.update(archived_at=clock.now()):
        raise Conflict("This message is on its way. Cancel it first.")


def _apply(message: Message, draft: Draft) -> dict[str, object]:
    changes: dict[str, object] = {}
    if draft.lists is not None:
        changes["audience"] = audience.rule(draft.lists)
    if draft.subject is not None:
        changes["subject"] = _one_line(draft.subject)
    if draft.body is not None:
        changes["body"] = _body(draft.body)
    if draft.format is not None:
        changes["format"] = _format(draft.format)
    if draft.sender is not None:
        changes["sender"] = draft.sender
    for name, value in changes.items():
        setattr(message, name, value)
    return changes


def _one_line(subject: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in subject).split())
    if len(line) > 300:
        raise Invalid("A subject may have at most 300 characters.", "subject")
    return line


def _body(body: str) -> str:
    if len(body.encode()) > MAX_BODY:
        raise Invalid("A message may have at most 1 MB of text.", "body")
    if "\x00" in body:
        raise Invalid("The text contains a NUL character. Please remove it.", "body")
    return body


def _format(text: str) -> str:
    if text not in Format.values:
        raise Invalid("The format is markdown or html.", "format")
    return text
