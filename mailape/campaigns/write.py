"""Writing: drafts are made, edited by one person at a time, and removed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from mailape.accounts.models import User, Workspace
from mailape.campaigns import audience, history
from mailape.campaigns.models import Format, Message, Status
from mailape.core import clock
from mailape.core.errors import Conflict, Invalid
from mailape.lists.models import MailingList
from mailape.senders import manage
from mailape.senders.models import Sender

MAX_BODY = 1_000_000
_AHEAD = (Status.QUEUED, Status.SENDING, Status.PAUSED)


@dataclass(frozen=True)
class Draft:
    """What a writer may set. None leaves a field as it is."""

    lists: list[MailingList] | None = None
    subject: str | None = None
    preview_text: str | None = None
    body: str | None = None
    format: str | None = None
    sender: Sender | None = None


def create(
    workspace: Workspace, author: User | None, draft: Draft, key: str = "", version: int = 1
) -> Message:
    """Makes a draft. With a form's `key` only once: the same form sent again edits that draft,
    as it was at `version`.

    Raises Invalid for a field that cannot be used; Conflict where the form comes again after
    somebody else went on writing.
    """
    made = _of_form(workspace, key)
    if made is not None:
        return edit(made, draft, version, author)
    message = Message(workspace=workspace, author=author, edited_by=author, draft_key=key)
    _apply(message, draft)
    try:
        with transaction.atomic():
            message.save()
    except IntegrityError:  # the same form, sent twice in this moment
        made = _of_form(workspace, key)
        if made is None:
            raise
        return edit(made, draft, version, author)
    return message


def edit(
    message: Message,
    draft: Draft,
    version: int | None = None,
    editor: User | None = None,
    *,
    keep: bool = False,
) -> Message:
    """Changes a draft. With `version`, only if nobody else changed it since that version was read;
    an edit that changes nothing is never in anybody's way. The text before is kept now and then
    (`campaigns.history`), and always with `keep`: when one text is chosen over another.

    Raises Conflict once the message has left the drafts, or another edit came first; Invalid for a
    field that cannot be used.
    """
    seen = message.version if version is None else version
    before = history.Text.of(message)
    changes = _apply(message, draft)
    if _same(message, changes):
        message.refresh_from_db()
        return message
    with transaction.atomic():
        changed = Message.objects.filter(
            pk=message.pk, status=Status.DRAFT, archived_at__isnull=True, version=seen
        ).update(**changes, edited_by=editor, updated_at=clock.now(), version=F("version") + 1)
        if changed and before.version == seen:
            history.keep(before, history.Text.of(message), editor, always=keep)
    message.refresh_from_db()
    if not changed and message.status != Status.DRAFT:
        raise Conflict(
            _("This message is %(status)s and cannot be changed any more.")
            % {"status": message.get_status_display().lower()}
        )
    if not changed:
        raise Conflict(_("Somebody else changed this message meanwhile. Nothing was overwritten."))
    return message


def applied(message: Message, draft: Draft) -> Message:
    """The message with the draft's words, saved nowhere: for a preview. Raises Invalid."""
    _apply(message, draft)
    return message


def copy(message: Message, author: User | None, key: str = "") -> Message:
    """A new draft with the words, lists and sender of `message`, whatever became of that one."""
    draft = Draft(
        lists=audience.lists_of(message),
        subject=message.subject,
        preview_text=message.preview_text,
        body=message.body,
        format=message.format,
        sender=message.sender,
    )
    made = _of_form(message.workspace, key) if message.workspace else None
    if made is not None or message.workspace is None:
        return made or message
    return create(message.workspace, author, draft, key)


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
        raise Conflict(_("This message is on its way. Cancel it first."))


def restore(message: Message) -> None:
    """Takes back `remove`. Done twice, it is done once."""
    Message.objects.filter(pk=message.pk, archived_at__isnull=False).update(archived_at=None)
    message.archived_at = None


@transaction.atomic
def remove_sender(sender: Sender) -> None:
    """Takes a sender out of sight; drafts that name it are sent as the default one.

    Raises Conflict for the default sender, and where a message that was sent off, or waits for its
    time, would be written in its name. What is compiled keeps it.
    """
    waiting = Message.objects.filter(
        sender=sender, status__in=_AHEAD, revision__isnull=True, archived_at__isnull=True
    ).order_by("pk")
    if (first := waiting.first()) is not None:
        raise Conflict(
            _("“%(subject)s” is still to be sent as this sender. Take it back first.")
            % {"subject": first.subject}
        )
    manage.remove(sender)


def _of_form(workspace: Workspace, key: str) -> Message | None:
    if not key:
        return None
    return Message.objects.filter(workspace=workspace, draft_key=key).first()


def _same(message: Message, changes: dict[str, object]) -> bool:
    """Whether what stands in the database is what `changes` would make of it."""
    standing = Message.objects.filter(
        pk=message.pk, status=Status.DRAFT, archived_at__isnull=True
    ).values(*changes, "pk")
    found = standing.first()
    return found is not None and all(found[name] == _kept(value) for name, value in changes.items())


def _kept(value: object) -> object:
    return value.pk if isinstance(value, Sender) else value


def _apply(message: Message, draft: Draft) -> dict[str, object]:
    changes: dict[str, object] = {}
    if draft.lists is not None:
        changes["audience"] = audience.rule(draft.lists)
    if draft.subject is not None:
        changes["subject"] = _one_line(draft.subject)
    if draft.preview_text is not None:
        changes["preview_text"] = _one_line(draft.preview_text, "preview_text")
    if draft.body is not None:
        changes["body"] = _body(draft.body)
    if draft.format is not None:
        changes["format"] = _format(draft.format)
    if draft.sender is not None:
        changes["sender"] = draft.sender
    for name, value in changes.items():
        setattr(message, name, value)
    return changes


def _one_line(text: str, field: str = "subject") -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) > 300:
        subject = field == "subject"
        raise Invalid(
            _("A subject may have at most 300 characters.")
            if subject
            else _("The preview text may have at most 300 characters."),
            field,
        )
    return line


def _body(body: str) -> str:
    if len(body.encode()) > MAX_BODY:
        raise Invalid(_("A message may have at most 1 MB of text."), "body")
    if "\x00" in body:
        raise Invalid(_("The text contains a NUL character. Please remove it."), "body")
    return body


def _format(text: str) -> str:
    if text not in Format.values:
        raise Invalid(_("The format is markdown or html."), "format")
    return text
