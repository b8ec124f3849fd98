"""Messages: all of them, taking one off the list and bringing it back, copies, the preview."""

from __future__ import annotations

import secrets
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.accounts.models import Role
from mailape.campaigns import access, write
from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.core.errors import Conflict
from mailape.delivery import preview as mail
from mailape.web import doors, tell
from mailape.web.forms import search_text, text
from mailape.web.mailpages import as_scheme, framed
from mailape.web.paging import page
from mailape.web.views import trials
from mailape.web.views.reports import with_counts
from mailape.web.views.writing import reader

PER_PAGE = 25
# What a filter of the index shows; `scheduled` is queued with a time to come.
FILTERS = (
    ("draft", later("Drafts")),
    ("scheduled", later("Scheduled")),
    ("sending", later("Sending")),
    ("sent", later("Sent")),
    ("failed", later("Failed or cancelled")),
)
VIEWS = (
    ("desktop", later("Desktop")),
    ("phone", later("Phone")),
    ("dark", later("Dark")),
    ("text", later("Text")),
)


@doors.shows()
def index(request: Any) -> HttpResponse:
    """The workspace's messages, newest first, with what became of each."""
    q, status = search_text(request.GET), request.GET.get("status", "")
    status = status if status in dict(FILTERS) else ""
    everything = access.newsletters(request.member.workspace).defer("body")
    shown = page(request, _narrowed(everything, status, q), kind="message", size=PER_PAGE)
    context = {
        "section": "messages",
        "page": shown,
        "reports": with_counts(shown.rows),
        "filters": _chosen((("", _("All")), *FILTERS), status),
        "status": status,
        "q": q,
        "copy_key": secrets.token_urlsafe(12),
    }
    return render(request, "web/messages/index.html", context)


def _chosen(options: Any, value: str) -> list[tuple[str, Any, bool]]:
    """What may be chosen, and whether it is."""
    return [(name, label, name == value) for name, label in options]


def _narrowed(found: QuerySet[Message], status: str, q: str) -> QuerySet[Message]:
    if q:
        # SQLite folds the case of ASCII only; so a word is also sought as it is mostly written.
        forms = {q, q.lower(), q.upper(), q.capitalize(), q.title()}
        named = Q()
        for one in forms:
            named |= Q(subject__icontains=one)
        found = found.filter(named)
    later_on = Q(status=Status.QUEUED, not_before__gt=clock.now()) & ~Q(zone="")
    meant = {
        "draft": Q(status=Status.DRAFT),
        "scheduled": later_on,
        "sending": Q(status__in=[Status.QUEUED, Status.SENDING, Status.PAUSED]) & ~later_on,
        "sent": Q(status=Status.SENT),
        "failed": Q(status__in=[Status.FAILED, Status.CANCELLED]),
    }
    return found.filter(meant[status]) if status else found


@doors.deed(Role.EDITOR, door=access.newsletter)
def remove(request: Any, message: Message) -> HttpResponse:
    """Takes a draft, or a message that is over, off the list; the toast brings it back."""
    try:
        write.remove(message)
        undo = reverse("web:message-restore", kwargs={"id": message.public_id})
        name = message.subject or _("Without a subject")
        tell.good(request, _("“%s” is removed.") % name, undo=undo)
    except Conflict as fault:
        tell.warn(request, str(fault))
    return redirect("web:messages")


@doors.deed(Role.EDITOR, door=access.removed)
def restore(request: Any, message: Message) -> HttpResponse:
    """Takes a removal back; a second click changes nothing."""
    write.restore(message)
    tell.good(request, _("It is back."))
    return redirect("web:message", id=message.public_id)


@doors.deed(Role.EDITOR, door=access.newsletter)
def copy(request: Any, message: Message) -> HttpResponse:
    """A new draft with the same words; the same button twice makes one."""
    key = text(request.POST, "key")[:40]
    made = write.copy(message, request.user, f"{message.pk}-{key}"[:40] if key else "")
    tell.good(request, _("This is a copy, a draft of its own."))
    return redirect("web:message-edit", id=made.public_id)


@doors.shows(door=access.newsletter)
def preview(request: Any, message: Message) -> HttpResponse:
    """The mail as a reader gets it: HTML in a frame of its own, the text part, what to mend."""
    person = reader(request, request.GET)
    view = request.GET.get("view", "")
    context = {
        "section": "messages",
        "message": message,
        "seen": mail.of(message, person),
        "views": _chosen(VIEWS, view := view if view in dict(VIEWS) else "desktop"),
        "view": view,
        "scheme": {"dark": "dark"}.get(view, "light"),
        "reader": text(request.GET, "reader"),
        "person": person,
        "trials": trials.of(request, message),
        "most_addresses": trials.MOST_ADDRESSES,
    }
    return render(request, "web/messages/preview.html", context)


@doors.shows(door=access.newsletter)
def preview_html(request: Any, message: Message) -> HttpResponse:
    """Only the mail's HTML, sandboxed: what the preview's frame shows."""
    seen = mail.of(message, reader(request, request.GET))
    return framed(as_scheme(seen.html, text(request.GET, "scheme")))
