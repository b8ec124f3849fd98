"""The Outbox: while no mail server is set up, every mail stays here to be read.

Workspace mail is for the workspace's members, account mail (a password reset) for the instance's
administrator only: whoever reads it could sign in as somebody else.
"""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render

from mailape.core import ids
from mailape.delivery.models import OutboxMail
from mailape.web import doors
from mailape.web.mailpages import framed
from mailape.web.paging import page

VIEWS = ("html", "text", "headers", "source")


@dataclass(frozen=True)
class Read:
    """A mail taken apart for reading."""

    html: str
    text: str
    headers: list[tuple[str, str]]
    source: str


@doors.user(*doors.READ)
def index(request: Any) -> HttpResponse:
    """The mails this person may read, newest first."""
    shown = page(request, _readable(request).defer("content"), kind="outbox")
    return render(request, "web/outbox/index.html", {"section": "outbox", "page": shown})


@doors.user(*doors.READ)
def show(request: Any, id: str) -> HttpResponse:
    """One mail: as HTML, as text, its headers, its source."""
    mail = _mail(request, id)
    seen = read(bytes(mail.content))
    wanted = request.GET.get("view", "")
    view = wanted if wanted in VIEWS else ("html" if seen.html else "text")
    context = {"section": "outbox", "mail": mail, "seen": seen, "view": view}
    return render(request, "web/outbox/show.html", context)


@doors.user(*doors.READ)
def html(request: Any, id: str) -> HttpResponse:
    """Only the mail's HTML, sandboxed: what the frame shows."""
    return framed(read(bytes(_mail(request, id).content)).html)


def _readable(request: Any) -> QuerySet[OutboxMail]:
    if settings.SMTP_URL and not OutboxMail.objects.exists():
        raise Http404
    mine = Q(workspace=request.member.workspace) if request.member else Q(pk__in=[])
    if request.user.is_admin:
        mine |= Q(workspace__isnull=True)
    return OutboxMail.objects.filter(mine)


def _mail(request: Any, public_id: str) -> OutboxMail:
    found = _readable(request).filter(pk=ids.private("outbox", public_id)).first()
    if found is None:
        raise Http404
    return found


def read(content: bytes) -> Read:
    """Takes a mail apart. What cannot be decoded is shown as it can be, never an error."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    source = content.decode("utf-8", "replace").replace("\r\n", "\n")
    head = [(name, _unfolded(mail, name, raw)) for name, raw in mail.raw_items()]
    return Read(_part(mail, "html"), _part(mail, "plain"), head, source)


def _unfolded(mail: EmailMessage, name: str, raw: Any) -> str:
    try:
        return str(mail.policy.header_fetch_parse(name, raw))
    except Exception:  # the parser breaks on some headers that a mail may well have
        return str(raw)


def _part(mail: EmailMessage, kind: str) -> str:
    try:
        part = mail.get_body((kind,))
        return str(part.get_content()) if part is not None else ""
    except Exception:  # an unknown character set or encoding: the source shows what there is
        return ""
