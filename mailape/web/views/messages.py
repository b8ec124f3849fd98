"""Messages: all of them, writing one, looking at it before it goes out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as told
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.accounts.models import Role
from mailape.campaigns import access, audience, write
from mailape.campaigns.models import Format, Message, Status
from mailape.core.errors import Conflict, Invalid, NotFound
from mailape.delivery import notices
from mailape.delivery import preview as mail
from mailape.lists import access as lists
from mailape.senders import access as senders
from mailape.web import doors
from mailape.web.forms import Form, posted
from mailape.web.mailpages import framed
from mailape.web.paging import page
from mailape.web.views.reports import with_counts

PER_PAGE = 25
MERGE_TAGS = (
    ("{{ subscriber.name }}", later("the reader’s name")),
    ("{{ subscriber.first_name }}", later("the first word of it")),
    (
        '{{ subscriber.first_name | default: "there" }}',
        later("with a word for readers without a name"),
    ),
    ("{{ subscriber.email }}", later("the reader’s address")),
    ("{{ list.name }}", later("the list’s name")),
    ("{{ unsubscribe_url }}", later("the link to leave; without it one is added below")),
    ("{{ preferences_url }}", later("the link to the reader’s lists")),
    ("{{ view_url }}", later("the message in the browser")),
)
AFTER = {"preview": "web:message-preview", "send": "web:message-send"}


@doors.shows()
def index(request: Any) -> HttpResponse:
    """The workspace's messages, newest first, with what became of each."""
    found = access.newsletters(request.member.workspace).defer("body")
    shown = page(request, found, kind="message", size=PER_PAGE)
    context = {"section": "messages", "page": shown, "reports": with_counts(shown.rows)}
    return render(request, "web/messages/index.html", context)


@doors.form(Role.EDITOR)
def new(request: Any) -> HttpResponse:
    """Writes a new message; the first save makes the draft."""
    workspace = request.member.workspace
    form = _empty(request)
    if request.method == "POST":
        form = _posted(request)
        try:
            made = write.create(workspace, request.user, _draft(request, form))
            return _saved(request, made)
        except (Invalid, NotFound) as fault:
            form.refuse(fault)
    return _page(request, form, None)


@doors.form(Role.EDITOR, door=access.newsletter)
def edit(request: Any, message: Message) -> HttpResponse:
    """Changes a draft. If somebody else saved meanwhile, both texts are shown and none is lost."""
    if message.status != Status.DRAFT:
        if request.method == "POST":
            told.warning(request, _("This message has left the drafts: nothing changed."), "warn")
        return redirect("web:message", id=message.public_id)
    if request.method != "POST":
        return _page(request, _form_of(message), message)
    form = _posted(request)
    try:
        write.edit(message, _draft(request, form), _version(form))
        return _saved(request, message)
    except Conflict as fault:
        return _both(request, form, message, fault)
    except (Invalid, NotFound) as fault:
        form.refuse(fault)
        form.values["unsaved"] = True
        message.refresh_from_db()
    return _page(request, form, message)


def _both(request: Any, form: Form, message: Message, fault: Conflict) -> HttpResponse:
    """The form keeps what was typed; beside it stands what the other person saved."""
    if message.status != Status.DRAFT:
        told.warning(request, str(fault), "warn")
    form.values |= {"version": str(message.version), "unsaved": True}
    return _page(request, form, message, status=409, theirs=message)


@doors.deed(Role.EDITOR, door=access.newsletter)
def remove(request: Any, message: Message) -> HttpResponse:
    """Takes a draft, or a message that is over, off the list."""
    try:
        write.remove(message)
        told.success(request, _("The message is removed."), "good")
    except Conflict as fault:
        told.warning(request, str(fault), "warn")
    return redirect("web:messages")


@doors.shows(door=access.newsletter)
def preview(request: Any, message: Message) -> HttpResponse:
    """The mail as a reader gets it: HTML in a frame of its own, the text part, what to mend."""
    context = {"section": "messages", "message": message, "seen": mail.of(message)}
    return render(request, "web/messages/preview.html", context)


@doors.shows(door=access.newsletter)
def preview_html(request: Any, message: Message) -> HttpResponse:
    """Only the mail's HTML, sandboxed: what the preview's frame shows."""
    return framed(mail.of(message).html)


@doors.deed(Role.EDITOR, door=access.newsletter)
def send_test(request: Any, message: Message) -> HttpResponse:
    """Mails the message as it is now to whoever asks, by the same path as to readers."""
    try:
        notices.send_test(request.user.email, message)
        told.success(request, _("A test is on its way to %s.") % request.user.email, "good")
    except Invalid as fault:
        told.warning(request, str(fault), "warn")
    return redirect("web:message-preview", id=message.public_id)


def _posted(request: Any) -> Form:
    form = posted(request, "subject", "format", "sender", "version", "then")
    # The body as it was typed: its blanks and line ends belong to whoever wrote it.
    form.values["body"] = request.POST.get("body", "").replace("\r\n", "\n")
    form.values["lists"] = request.POST.getlist("lists")
    return form


def _draft(request: Any, form: Form) -> write.Draft:
    workspace, values = request.member.workspace, form.values
    return write.Draft(
        lists=[lists.a_list(workspace, one) for one in values["lists"]],
        subject=values["subject"],
        body=values["body"],
        format=values["format"] or None,
        sender=senders.sender(workspace, values["sender"]) if values["sender"] else None,
    )


def _version(form: Form) -> int | None:
    text = str(form.values["version"])
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _saved(request: Any, message: Message) -> HttpResponse:
    then = AFTER.get(request.POST.get("then", ""))
    if then is None:
        told.success(request, _("Saved."), "good")
        then = "web:message-edit"
    return redirect(then, id=message.public_id)


def _empty(request: Any) -> Form:
    all_lists = list(lists.lists(request.member.workspace)[:2])
    only = [one.public_id for one in all_lists] if len(all_lists) == 1 else []
    return Form({"subject": "", "body": "", "format": Format.MARKDOWN.value, "lists": only})


def _form_of(message: Message) -> Form:
    return Form(
        {
            "subject": message.subject,
            "body": message.body,
            "format": message.format,
            "lists": [one.public_id for one in audience.lists_of(message)],
            "sender": message.sender.public_id if message.sender else "",
            "version": str(message.version),
        }
    )


def _page(
    request: Any, form: Form, message: Message | None, status: int = 0, **more: Any
) -> HttpResponse:
    workspace = request.member.workspace
    context = {
        "section": "messages",
        "form": form,
        "message": message,
        "lists": lists.lists(workspace),
        "senders": senders.senders(workspace),
        "formats": Format.choices,
        "merge_tags": MERGE_TAGS,
        **more,
    }
    return render(request, "web/messages/write.html", context, status=status or form.status)
