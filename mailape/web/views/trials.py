"""Test mails: a draft to oneself or to a few addresses, by the real path, and what became of it.

Which tests belong to which draft is kept in the session of whoever sent them: nobody else asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailape.accounts.models import Role
from mailape.campaigns import access
from mailape.campaigns.models import Message
from mailape.core import limits
from mailape.core.errors import Invalid
from mailape.delivery import notices
from mailape.delivery.models import OPEN_STATES, State, SubscriberMessage
from mailape.web import doors, tell
from mailape.web.forms import text

MOST_ADDRESSES = 5
RATE = limits.Rate(40, 3600)  # tests an hour by one person
KEPT = "test_mails"
_SHOWN = 8
_MESSAGES = 20


@dataclass(frozen=True)
class Trial:
    """One test mail, and what can be said of it."""

    address: str
    state: str
    label: str
    at: datetime | None
    said: str

    @property
    def open(self) -> bool:
        """Whether there is more to come."""
        return self.state in OPEN_STATES


@doors.deed(Role.EDITOR, door=access.newsletter)
def send(request: Any, message: Message) -> HttpResponse:
    """Mails the message as it is saved to oneself, or to a few addresses, as tests."""
    try:
        sent = [_one(request, address, message) for address in _addresses(request)]
        _keep(request, message, sent)
        said = ngettext("A test is on its way to %s.", "Tests are on their way to %s.", len(sent))
        if not _in_page(request):
            tell.good(request, said % ", ".join(one.to_address for one in sent))
    except Invalid as fault:
        if _in_page(request):
            return _list(request, message, str(fault), 400)
        tell.warn(request, str(fault))
    if _in_page(request):
        return _list(request, message)
    return redirect("web:message-preview", id=message.public_id)


@doors.shows(Role.EDITOR, door=access.newsletter)
def index(request: Any, message: Message) -> HttpResponse:
    """The tests that this person sent of this draft: a part of a page, asked for again and again.

    A header says when there is no more to see.
    """
    return _list(request, message)


def of(request: Any, message: Message) -> list[Trial]:
    """The tests that this person sent of this draft, newest first."""
    kept = request.session.get(KEPT, {}).get(message.public_id, [])
    found = SubscriberMessage.objects.in_bulk(kept) if kept else {}
    return [_trial(found[key]) for key in reversed(kept) if key in found]


def _trial(delivery: SubscriberMessage) -> Trial:
    said = delivery.answer if delivery.state == State.SENT else delivery.reason or delivery.answer
    return Trial(
        delivery.to_address,
        delivery.state,
        str(State(delivery.state).label),
        delivery.sent_at or delivery.tried_at,
        said,
    )


def _list(request: Any, message: Message, fault: str = "", status: int = 200) -> HttpResponse:
    trials = of(request, message)
    context = {"trials": trials, "message": message, "fault": fault}
    response = render(request, "web/messages/trials.html", context, status=status)
    response["X-Live"] = "on" if any(one.open for one in trials) else "over"
    return response


def _in_page(request: Any) -> bool:
    return request.headers.get("X-Part") == "trials"


def _addresses(request: Any) -> list[str]:
    typed = [one for one in re.split(r"[\s,;]+", text(request.POST, "to")) if one]
    if len(typed) > MOST_ADDRESSES:
        said = _("A test goes to at most %s addresses at once.")
        raise Invalid(said % MOST_ADDRESSES, "to")
    return list(dict.fromkeys(typed)) or [request.user.email]


def _one(request: Any, address: str, message: Message) -> SubscriberMessage:
    limits.count("test-mail", str(request.user.pk), RATE)
    return notices.send_test(address, message)


def _keep(request: Any, message: Message, sent: list[SubscriberMessage]) -> None:
    kept = dict(request.session.get(KEPT, {}))
    mine = [*kept.pop(message.public_id, []), *(one.pk for one in sent)]
    kept[message.public_id] = mine[-_SHOWN:]
    request.session[KEPT] = dict(list(kept.items())[-_MESSAGES:])
