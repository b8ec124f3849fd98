"""Earlier texts of a draft: which there are, how one differs from now, and bringing it back."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.accounts.models import Role
from mailape.campaigns import access, history, write
from mailape.campaigns.models import EarlierText, Message, Status
from mailape.core.errors import Conflict, NotFound
from mailape.web import doors, tell

_MOST_LINES = 3_000


@dataclass(frozen=True)
class Line:
    """A line of a comparison: `same`, `gone` (only in the earlier text) or `new` (only now)."""

    look: str
    text: str


@doors.shows(Role.EDITOR, door=access.newsletter)
def index(request: Any, message: Message) -> HttpResponse:
    """The texts that were kept, newest first."""
    context = {
        "section": "messages",
        "message": message,
        "kept": list(history.earlier(message)),
    }
    return render(request, "web/messages/history.html", context)


@doors.shows(Role.EDITOR, door=access.newsletter)
def show(request: Any, message: Message, version: str) -> HttpResponse:
    """One of them, beside what stands now."""
    kept = _kept(message, version)
    context = {
        "section": "messages",
        "message": message,
        "kept": kept,
        "lines": differences(kept.body, message.body),
    }
    return render(request, "web/messages/earlier.html", context)


@doors.deed(Role.EDITOR, door=access.newsletter)
def restore(request: Any, message: Message, version: str) -> HttpResponse:
    """Makes it the draft's text again; what stands now is kept in its turn."""
    kept = _kept(message, version)
    if message.status != Status.DRAFT:
        raise Conflict(_("This message has left the drafts: its text cannot be changed any more."))
    draft = write.Draft(
        subject=kept.subject,
        preview_text=kept.preview_text,
        body=kept.body,
        format=kept.format,
    )
    write.edit(message, draft, editor=request.user, keep=True)
    tell.good(request, _("The earlier text is back. The one before it is kept, too."))
    return redirect("web:message-edit", id=message.public_id)


def _kept(message: Message, version: str) -> EarlierText:
    if not (version.isascii() and version.isdigit() and len(version) < 11):
        raise NotFound(_("There is no such earlier text."))
    return history.one(message, int(version))


def differences(before: str, now: str) -> list[Line]:
    """Both texts line by line, with long stretches that are alike left out."""
    old, new = before.split("\n"), now.split("\n")
    if max(len(old), len(new)) > _MOST_LINES:
        return [Line("gone", line) for line in old]
    found: list[Line] = []
    for what, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            found += _shortened(old[i1:i2])
            continue
        found += [Line("gone", line) for line in old[i1:i2]]
        found += [Line("new", line) for line in new[j1:j2]]
    return found


def _shortened(lines: list[str]) -> list[Line]:
    if len(lines) <= 8:
        return [Line("same", line) for line in lines]
    head, tail = lines[:3], lines[-3:]
    return [
        *(Line("same", line) for line in head),
        Line("skip", "…"),
        *(Line("same", line) for line in tail),
    ]
