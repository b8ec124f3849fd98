"""A message as it would look, for its writer, and as a page in the browser for whoever got it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from mailape.campaigns.models import Message
from mailape.core.errors import NotFound
from mailape.delivery import compile, headers, merge, render, sources
from mailape.delivery.compile import CannotCompile, Problem
from mailape.lists.models import MailingList, Subscriber, Subscription

_SHOWN_IN_INBOX = 140  # characters
# Behind a link's words the text has its address, which inboxes, reading HTML, do not show.
_ADDRESSES = re.compile(r" \((?:https?://|mailto:|tel:|/|#)[^\s()]*\)")
# And before a list's lines and a quotation's it has marks.
_MARKS = re.compile(r"^[ \t]*[-*>]+[ \t]+", re.MULTILINE)


@dataclass(frozen=True)
class Preview:
    """A mail as a reader would get it, and what its writer should mend."""

    subject: str
    html: str
    text: str
    problems: list[Problem]
    snippet: str = ""  # what an inbox shows after the subject
    sender: str = ""  # the name, or else the address, that it comes from


def of(message: Message, person: Subscriber | None = None, here: int | None = None) -> Preview:
    """The message for this person, or for a made-up one. Its links lead nowhere.

    Never raises for what its writer typed: what cannot be compiled is empty, with the problem.
    With `here`, a line of the Markdown, the block it stands in has the id "here".
    """
    source = sources.newsletter(message)
    compiled, problems = compile.tried(source, here)
    sender = headers.one_line(source.from_name or source.from_email)
    if compiled is None:
        return Preview(message.subject, "", "", problems, message.preview_text, sender)
    values = _values(compiled, person)
    try:
        found = render.rendered(compiled, values)
    except render.CannotRender as wrong:
        broken = [Problem("body", str(wrong), blocks=True)]
        return Preview(message.subject, "", "", broken, message.preview_text, sender)
    snippet = _snippet(source, found.text, values)
    return Preview(found.subject, found.html, found.text, problems, snippet, sender)


def confirmation(of: MailingList) -> Preview:
    """The list's confirmation mail as it would go out now. Its links lead nowhere.

    Raises CannotCompile for an owner's wording that cannot be made into a mail, with `field` being
    confirmation_subject or confirmation_body.
    """
    return _of_a_list(sources.confirmation(of), sources.CONFIRMATION)


def welcome(of: MailingList) -> Preview:
    """The same of the list's welcome mail, whether it is switched on or not."""
    return _of_a_list(sources.welcome(of), sources.WELCOME)


def _of_a_list(source: compile.Source, name: str) -> Preview:
    try:
        compiled = compile.compile(source)
        values = {**compile.sample(compiled), "confirm_url": "#"}
        found = render.rendered(compiled, values)
    except (CannotCompile, render.CannotRender) as wrong:
        part = "subject" if getattr(wrong, "field", "") == "subject" else "body"
        raise CannotCompile(str(wrong), f"{name}_{part}") from wrong
    return Preview(found.subject, found.html, found.text, [])


def in_browser(message: Message, person: Subscriber | None) -> str:
    """The message as a page, as it was sent. A link to it may be passed on, so it holds none of
    her other links: who reads it over her shoulder must not be able to unsubscribe her.

    Raises NotFound for a message that never was compiled.
    """
    if message.revision is None:
        raise NotFound(_("There is nothing to read here yet."))
    compiled = message.revision.compiled
    try:
        return render.rendered(compiled, _values(compiled, person)).html
    except render.CannotRender as wrong:
        raise NotFound(_("This message cannot be shown.")) from wrong


def _snippet(source: compile.Source, text: str, values: dict[str, Any]) -> str:
    """What an inbox shows: the preview text, or else the first words of the mail."""
    if source.preview_text:
        return headers.one_line(merge.text(headers.one_line(source.preview_text), values))
    begins = f"\n{text}".partition("\n-- \n")[0][: 8 * _SHOWN_IN_INBOX]
    words = _MARKS.sub("", _ADDRESSES.sub("", begins))
    return " ".join(words.split())[:_SHOWN_IN_INBOX].rstrip()


def _values(compiled: dict[str, Any], person: Subscriber | None) -> dict[str, Any]:
    values = compile.sample(compiled)
    if person is not None:
        values["subscriber"] = render.Person(
            person.name, person.first_name, person.email, person.fields
        ).values
        values["list"] = {"name": _list_name(compiled, person) or values["list"]["name"]}
    return values


def _list_name(compiled: dict[str, Any], person: Subscriber) -> str:
    """The first list of the message that she is, or was, on."""
    hers = set(
        Subscription.objects.filter(
            subscriber=person, list_id__in=[int(key) for key in compiled["lists"]]
        ).values_list("list_id", flat=True)
    )
    return next((one["name"] for key, one in compiled["lists"].items() if int(key) in hers), "")
