"""Writing a message: the page, saving while one types, two at once, and what it would look like.

Saving while one types answers in JSON, and so does the preview; everything else is a form that
works without a script.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.accounts.models import Role
from mailape.campaigns import access, audience, together, write
from mailape.campaigns.models import Format, Message, Status
from mailape.core.errors import Conflict, Invalid, NotFound
from mailape.delivery import preview as mail
from mailape.lists import access as lists
from mailape.lists import field_keys, search
from mailape.lists.models import Subscriber
from mailape.lists.numbers import counts
from mailape.senders import access as senders
from mailape.web import doors, tell
from mailape.web.forms import Form, posted, search_text, text
from mailape.web.mailpages import as_scheme, framed
from mailape.web.views.trials import MOST_ADDRESSES

# What a writer may put in, what it is, and whether it may be empty and wants a fallback.
MERGE_TAGS = (
    ("subscriber.first_name", later("First name"), True),
    ("subscriber.name", later("Whole name"), True),
    ("subscriber.email", later("Reader’s address"), False),
    ("list.name", later("The list’s name"), False),
    ("workspace.name", later("Your own name"), False),
    ("workspace.postal_address", later("Your postal address"), False),
    ("unsubscribe_url", later("Link to leave"), False),
    ("preferences_url", later("Link to their choices"), False),
    ("view_url", later("Link to the mail in the browser"), False),
)
AFTER = {"preview": "web:message-preview", "send": "web:message-send"}
READERS_OFFERED = 8


# --- the page -------------------------------------------------------------------------------------


@doors.form(Role.EDITOR)
def new(request: Any) -> HttpResponse:
    """Writes a new message; the first save makes the draft, and the same form makes no second."""
    form = _empty(request)
    if request.method == "POST":
        form = _posted(request)
        try:
            return _saved(request, _made(request, form))
        except Conflict as fault:
            standing = access.by_form(request.member.workspace, form.values["key"])
            return _both(request, form, standing, fault)
        except (Invalid, NotFound) as fault:
            form.refuse(fault)
            form.values["unsaved"] = True
    return _page(request, form, None)


@doors.form(Role.EDITOR, door=access.newsletter)
def edit(request: Any, message: Message) -> HttpResponse:
    """Changes a draft. If somebody else saved meanwhile, both texts are shown and none is lost."""
    if message.status != Status.DRAFT:
        if request.method == "POST":
            tell.warn(request, _("This message has left the drafts: nothing changed."))
        return redirect("web:message", id=message.public_id)
    if request.method != "POST":
        return _page(request, _form_of(message), message)
    form = _posted(request)
    try:
        return _saved(request, _edited(request, message, form))
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
        tell.warn(request, str(fault))
    form.values |= {"version": str(message.version), "unsaved": True, "over": "1"}
    return _page(request, form, message, status=409, theirs=message)


def _saved(request: Any, message: Message) -> HttpResponse:
    then = AFTER.get(request.POST.get("then", ""))
    if then is None:
        tell.good(request, _("Saved."))
        then = "web:message-edit"
    return redirect(then, id=message.public_id)


# --- saving while one types -----------------------------------------------------------------------


@doors.deed(Role.EDITOR)
def autosave_new(request: Any) -> HttpResponse:
    """The first save of a new message, made by the page itself."""
    form = _posted(request)
    try:
        return _state(_made(request, form))
    except Conflict as fault:
        return _theirs(access.by_form(request.member.workspace, form.values["key"]), fault)
    except (Invalid, NotFound) as fault:
        return _refused(fault)


@doors.deed(Role.EDITOR, door=access.newsletter)
def autosave(request: Any, message: Message) -> HttpResponse:
    """Keeps what is typed. 409 with the other text where somebody else saved meanwhile."""
    try:
        return _state(_edited(request, message, _posted(request)))
    except Conflict as fault:
        return _theirs(message, fault)
    except (Invalid, NotFound) as fault:
        return _refused(fault)


@doors.shows(Role.EDITOR, door=access.newsletter)
def state(request: Any, message: Message) -> HttpResponse:
    """Which version stands: asked on return to a tab."""
    return _state(message)


@doors.deed(Role.EDITOR, door=access.newsletter)
def merged(request: Any, message: Message) -> HttpResponse:
    """What stands and what was typed, put together: the text that both began with is posted too."""
    form = posted(request)
    base, mine = (_body(request, name) for name in ("base", "body"))
    form.values |= {"body": mine}
    both = together.together(base, mine, message.body)
    return JsonResponse({"body": both.text, "clean": both.clean})


def _state(message: Message, **more: Any) -> JsonResponse:
    return JsonResponse(
        {
            "id": message.public_id,
            "version": message.version,
            "status": message.status,
            "at": message.updated_at.isoformat(),
            "by": _name(message),
            "url": reverse("web:message-edit", kwargs={"id": message.public_id}),
            **more,
        }
    )


def _theirs(message: Message, fault: Conflict) -> JsonResponse:
    answer = _state(
        message,
        fault=str(fault),
        theirs={
            "subject": message.subject,
            "preview_text": message.preview_text,
            "body": message.body,
        },
    )
    answer.status_code = 409
    return answer


def _refused(fault: Invalid | NotFound) -> JsonResponse:
    field = fault.field if isinstance(fault, Invalid) else None
    return JsonResponse({"field": field or "", "fault": str(fault)}, status=400)


def _name(message: Message) -> str:
    who = message.edited_by
    return (who.name or who.email) if who else ""


# --- what it would look like ----------------------------------------------------------------------


@doors.deed(Role.EDITOR)
def live(request: Any) -> HttpResponse:
    """What is typed as a mail: subject, inbox line and text, and what to mend, in which line."""
    seen = mail.of(_unsaved(request), reader(request, request.POST))
    return JsonResponse(
        {
            "subject": seen.subject,
            "snippet": seen.snippet,
            "sender": seen.sender,
            "text": seen.text,
            "size": len(seen.html.encode("utf-8", "replace")),
            "problems": [
                {"field": one.field, "line": one.line, "text": one.text, "blocks": one.blocks}
                for one in seen.problems
            ],
        }
    )


@doors.deed(Role.EDITOR)
def live_html(request: Any) -> HttpResponse:
    """What is typed as a mail: its HTML, sandboxed, for the preview's frame."""
    line = text(request.POST, "line")
    here = int(line) if line.isascii() and line.isdigit() and len(line) < 8 else None
    seen = mail.of(_unsaved(request), reader(request, request.POST), here)
    return framed(as_scheme(seen.html, text(request.POST, "scheme")))


@doors.shows()
def readers(request: Any) -> HttpResponse:
    """People whose address begins with what is typed: as whom the preview can be looked at."""
    q = search_text(request.GET)
    found = _beginning(request, q) if q else []
    return JsonResponse({"results": [{"email": one.email, "name": one.name} for one in found]})


def reader(request: Any, data: Any) -> Subscriber | None:
    """The person as whom a mail is looked at, by the address in `data`; None: a made-up one."""
    address = text(data, "reader")
    found = _beginning(request, address) if address else []
    exact = [one for one in found if one.email_key == address.casefold()]
    return next(iter(exact or found), None)


def _beginning(request: Any, q: str) -> list[Subscriber]:
    try:
        found = search.by_address(request.member.workspace_id, q)
        return list(found.order_by("email_key")[:READERS_OFFERED])
    except Invalid:
        return []


def _unsaved(request: Any) -> Message:
    """What the form says, as a message that is saved nowhere."""
    workspace, form = request.member.workspace, _posted(request)
    try:
        draft = _draft(request, form)
    except (Invalid, NotFound):
        draft = write.Draft(subject=form.values["subject"], body=form.values["body"])
    message = Message(workspace=workspace)
    try:
        return write.applied(message, draft)
    except Invalid:  # too long in one place: shown as far as it goes
        return Message(workspace=workspace, subject=form.values["subject"][:300])


# --- what is typed --------------------------------------------------------------------------------


def _made(request: Any, form: Form) -> Message:
    workspace, key = request.member.workspace, form.values["key"]
    return write.create(
        workspace, request.user, _draft(request, form), key, version=_version(form) or 1
    )


def _edited(request: Any, message: Message, form: Form) -> Message:
    over = bool(text(request.POST, "over"))
    return write.edit(message, _draft(request, form), _version(form), request.user, keep=over)


def _posted(request: Any) -> Form:
    names = ("subject", "preview_text", "format", "sender", "version", "key", "then")
    form = posted(request, *names)
    form.values["key"] = form.values["key"][:40]
    form.values["body"] = _body(request, "body")
    form.values["lists"] = request.POST.getlist("lists")
    return form


def _body(request: Any, name: str) -> str:
    # As it was typed: its blanks and line ends belong to whoever wrote it.
    return str(request.POST.get(name, "")).replace("\r\n", "\n")


def _draft(request: Any, form: Form) -> write.Draft:
    workspace, values = request.member.workspace, form.values
    return write.Draft(
        lists=[lists.a_list(workspace, one) for one in values["lists"]],
        subject=values["subject"],
        preview_text=values["preview_text"],
        body=values["body"],
        format=values["format"] or None,
        sender=senders.sender(workspace, values["sender"]) if values["sender"] else None,
    )


def _version(form: Form) -> int | None:
    typed = str(form.values["version"])
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None


def _empty(request: Any) -> Form:
    all_lists = list(lists.lists(request.member.workspace)[:2])
    only = [one.public_id for one in all_lists] if len(all_lists) == 1 else []
    return Form(
        {
            "subject": "",
            "preview_text": "",
            "body": "",
            "format": Format.MARKDOWN.value,
            "lists": only,
            "key": secrets.token_urlsafe(16),
        }
    )


def _form_of(message: Message) -> Form:
    return Form(
        {
            "subject": message.subject,
            "preview_text": message.preview_text,
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
    all_lists = list(lists.lists(workspace))
    numbers = counts(all_lists)
    context = {
        "section": "messages",
        "form": form,
        "message": message,
        "lists": [(one, numbers[one.pk]["confirmed"]) for one in all_lists],
        "senders": list(senders.senders(workspace)),
        "formats": Format.choices,
        "merge_tags": MERGE_TAGS,
        "field_keys": field_keys.of(workspace),
        "most_addresses": MOST_ADDRESSES,
        **more,
    }
    return render(request, "web/messages/write.html", context, status=status or form.status)
