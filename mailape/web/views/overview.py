"""The first page: where things stand, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _

from mailape.accounts import access, setup
from mailape.accounts.models import Role, Workspace
from mailape.campaigns import access as campaigns
from mailape.campaigns.models import Message
from mailape.campaigns.models import Status as MessageStatus
from mailape.lists import access as lists
from mailape.lists import numbers
from mailape.lists.models import MailingList
from mailape.web import doors
from mailape.web.views.reports import with_counts

LOOKED = "looked"  # the session's note that the first message's report was seen
SHOWN = 5


@doors.anyone()
def front(request: Any) -> HttpResponse:
    """The overview; on an instance that nobody has claimed, where the set-up link is."""
    if request.user.is_authenticated:
        return _overview(request)
    if not setup.is_claimed():
        return render(request, "web/account/unclaimed.html")
    return doors.sign_in_first(request)


@doors.anyone()
def favicon(request: Any) -> HttpResponse:
    """For those who ask for it without having read a page."""
    return redirect(static("web/img/favicon.ico"))


@doors.shows(Role.VIEWER)
def _overview(request: Any) -> HttpResponse:
    workspace = request.member.workspace
    shown = list(lists.lists(workspace)[: SHOWN + 1])
    counts = numbers.counts(shown[:SHOWN])
    messages = list(campaigns.newsletters(workspace).defer("body")[: SHOWN + 1])
    steps = _steps(request, workspace, shown, counts, messages)
    return render(
        request,
        "web/overview.html",
        {
            "section": "overview",
            "lists": [(one, counts[one.pk]) for one in shown[:SHOWN]],
            "more_lists": len(shown) > SHOWN,
            "sent": with_counts(messages[:SHOWN]),
            "more_messages": len(messages) > SHOWN,
            "steps": steps,
        },
    )


@dataclass
class Step:
    """One of the five steps from an empty workspace to a first message that was looked at."""

    what: str
    how: str
    url: str
    button: str
    done: bool
    now: bool = False


def _steps(
    request: Any,
    workspace: Workspace,
    shown: list[MailingList],
    counts: dict[int, dict[str, int]],
    messages: list[Message],
) -> list[Step]:
    """The five steps, or none of them once all are done or the way is known."""
    begun = [one for one in messages if one.status != MessageStatus.DRAFT]
    if len(begun) > 1 or (begun and request.session.get(LOOKED)) or not _may_edit(request):
        return []
    a_list = shown[0] if shown else None
    draft = messages[0] if messages else None
    steps = [
        Step(
            _("Make a list"), _("What people sign up for: a weekly letter, news of a club."),
            reverse("web:list-new"), _("Make a list"), bool(shown),
        ),
        Step(
            _("Open its sign-up page"), _("Sign up yourself, then send the address to others."),
            _page_of(a_list), _("Open the page"),
            any(sum(statuses.values()) for statuses in counts.values()),
        ),
        Step(
            _("Write a message"), _("In Markdown, with each reader’s name if you like."),
            reverse("web:message-new"), _("Write"), bool(messages),
        ),
        Step(
            _("Send it"), _("You see who gets it before anything goes out."),
            reverse("web:message-send", args=[draft.public_id]) if draft else "",
            _("Look and send"), bool(begun),
        ),
        Step(
            _("Look what became of it"), _("Each reader’s mail, with its outcome."),
            reverse("web:message", args=[begun[0].public_id]) if begun else "",
            _("Look"), False,
        ),
    ]  # fmt: skip
    next((step for step in steps if not step.done), steps[-1]).now = True
    return steps


def _page_of(a_list: MailingList | None) -> str:
    return reverse("web:subscribe", args=[a_list.public_id]) if a_list else ""


def _may_edit(request: Any) -> bool:
    return access.allows(request.member, Role.EDITOR)
