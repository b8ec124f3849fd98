"""Earlier texts of a draft: what was overwritten is kept now and then, so that no word is lost.

A text is kept when another takes its place and

- five minutes have passed since one was kept last, or
- somebody else than its author writes over it, or
- much of it goes at once (a slip of the hand, a select-all).

At most 100 of a message, and 5 MB: the oldest go first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.models import User
from mailape.campaigns.models import EarlierText, Message
from mailape.core import clock
from mailape.core.errors import NotFound

EVERY = timedelta(minutes=5)
MOST = 100
MOST_CHARACTERS = 5_000_000
_MUCH = 200  # characters that go at once, and a fifth of the text


@dataclass(frozen=True)
class Text:
    """The words of a message at one moment."""

    message: Message
    version: int
    subject: str
    preview_text: str
    body: str
    format: str
    author: User | None
    written_at: datetime

    @classmethod
    def of(cls, message: Message) -> Text:
        """The words of this message as the object in hand has them."""
        return cls(
            message, message.version, message.subject, message.preview_text, message.body,
            message.format, message.edited_by, message.updated_at,
        )  # fmt: skip

    def says(self, other: Text) -> bool:
        """Whether both are the same words."""
        return (
            replace(self, version=other.version, author=other.author, written_at=other.written_at)
            == other
        )


def keep(before: Text, after: Text, editor: User | None, *, always: bool = False) -> None:
    """Keeps the text `before`, which `after` by `editor` takes the place of, where a rule says so
    or `always`.

    Call it in the transaction of the edit.
    """
    if before.says(after) or not (before.body.strip() or before.subject):
        return
    ruled = _by_another(before, editor) or _loses_much(before, after) or _is_time(before)
    if not (always or ruled):
        return
    EarlierText.objects.get_or_create(
        message=before.message,
        version=before.version,
        defaults={
            "subject": before.subject,
            "preview_text": before.preview_text,
            "body": before.body,
            "format": before.format,
            "author": before.author,
            "written_at": before.written_at,
            "size": len(before.body),
        },
    )
    _thin(before.message)


def earlier(message: Message) -> QuerySet[EarlierText]:
    """The texts kept of this message, newest first, without their bodies."""
    kept = EarlierText.objects.filter(message=message).select_related("author")
    return kept.order_by("-version").defer("body")


def one(message: Message, version: int) -> EarlierText:
    """The kept text that was this version. Raises NotFound."""
    kept = EarlierText.objects.filter(message=message, version=version)
    found = kept.select_related("author").first() if 0 < version < 2**31 else None
    if found is None:
        raise NotFound(_("There is no such earlier text."))
    return found


def _by_another(before: Text, editor: User | None) -> bool:
    return before.author is not None and before.author != editor


def _loses_much(before: Text, after: Text) -> bool:
    lost = len(before.body) - len(after.body)
    return lost > _MUCH and lost * 5 > len(before.body)


def _is_time(before: Text) -> bool:
    newest = EarlierText.objects.filter(message=before.message).order_by("-version")
    last = newest.values_list("kept_at", flat=True).first()
    since = before.message.created_at if last is None else last
    return clock.now() - since >= EVERY


def _thin(message: Message) -> None:
    kept = EarlierText.objects.filter(message=message).order_by("-version")
    characters, gone = 0, []
    for number, (pk, size) in enumerate(kept.values_list("pk", "size")):
        characters += size
        if number and (number >= MOST or characters > MOST_CHARACTERS):
            gone.append(pk)
    if gone:
        EarlierText.objects.filter(pk__in=gone).delete()
