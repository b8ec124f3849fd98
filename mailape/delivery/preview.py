"""A message as it would look, for its writer, and as a page in the browser for whoever got it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mailape.campaigns.models import Message
from mailape.core.errors import NotFound
from mailape.delivery import compile, render, sources
from mailape.delivery.compile import CannotCompile, Problem
from mailape.lists.models import Subscriber, Subscription


@dataclass(frozen=True)
class Preview:
    """Subject, HTML and text as a reader would get them, and what its writer should mend."""

    subject: str
    html: str
    text: str
    problems: list[Problem]


def of(message: Message, person: Subscriber | None = None) -> Preview:
    """The message for this person, or for a made-up one. Its links lead nowhere.

    Never raises for what its writer typed: what cannot be compiled is empty, with the problem.
    """
    problems = compile.check(message.subject, message.body, message.format)
    try:
        compiled = compile.compile(sources.newsletter(message))
        found = render.rendered(compiled, _values(compiled, person))
    except CannotCompile as wrong:
        known = [problem for problem in problems if problem.blocks]
        return Preview(message.subject, "", "", known or [Problem("body", str(wrong), blocks=True)])
    except render.CannotRender as wrong:
        return Preview(message.subject, "", "", [Problem("body", str(wrong), blocks=True)])
    return Preview(found.subject, found.html, found.text, problems)


def in_browser(message: Message, person: Subscriber | None) -> str:
    """The message as a page, as it was sent. A link to it may be passed on, so it holds none of
    her other links: who reads it over her shoulder must not be able to unsubscribe her.

    Raises NotFound for a message that never was compiled.
    """
    if message.revision is None:
        raise NotFound("There is nothing to read here yet.")
    compiled = message.revision.compiled
    try:
        return render.rendered(compiled, _values(compiled, person)).html
    except render.CannotRender as wrong:
        raise NotFound("This message cannot be shown.") from wrong


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
