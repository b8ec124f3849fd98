"""The first page: what goes on, what happened, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static

from mailape.accounts import setup
from mailape.accounts.models import Role, Workspace
from mailape.campaigns import access as campaigns
from mailape.core import clock
from mailape.lists import access as lists
from mailape.lists import numbers
from mailape.lists.models import MailingList
from mailape.web import doors, growth
from mailape.web.growth import Growth
from mailape.web.views.reports import AT_WORK, Pace, Report, pace, with_counts
from mailape.web.views.steps import LOOKED, steps

__all__ = ["LOOKED", "favicon", "front", "now"]
SHOWN = 5  # of lists, and of messages
AT_ONCE = 3  # messages at work that are shown with their progress
NEWEST = 200  # messages among which those at work are looked for
SUMMED = 200  # lists whose growth is added up


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
    days = growth.span(request)
    summed = list(lists.lists(workspace)[: SUMMED + 1])
    counts, daily = numbers.counts(summed[:SUMMED]), numbers.daily(summed[:SUMMED], days)
    messages = list(campaigns.newsletters(workspace).defer("body")[: SHOWN + 1])
    anybody = any(sum(statuses.values()) for statuses in counts.values())
    context = {
        "section": "overview",
        "steps": steps(request, summed, anybody, messages),
        "at_work": (found := _at_work(workspace)),
        "at": _names(found),
        "anybody": anybody,
        "days": days,
        "spans": growth.SPANS,
        "growth": Growth(numbers.together(daily.values())),
        "lists": _largest(summed[:SUMMED], counts, daily),
        "more_lists": len(summed) > SHOWN,
        "many_lists": len(summed) > 1,
        "sent": with_counts(messages[:SHOWN]),
        "more_messages": len(messages) > SHOWN,
    }
    return render(request, "web/overview.html", context)


@doors.shows(Role.VIEWER)
def now(request: Any) -> HttpResponse:
    """What goes on, alone: the page asks for it again until another set of messages is at work."""
    found = _at_work(request.member.workspace)
    response = render(request, "web/overview_now.html", {"at_work": found})
    response["X-Live"] = "on" if _names(found) == request.GET.get("at", "") else "over"
    return response


@dataclass(frozen=True)
class AtWork:
    """A message at work, and how fast it goes out."""

    report: Report

    @property
    def waits(self) -> bool:
        """Whether its time has not come."""
        at = self.report.message.not_before
        return at is not None and at > clock.now()

    @property
    def pace(self) -> Pace | None:
        """Mails a second since the start, and the time left."""
        return None if self.waits else pace(self.report, None, clock.now())


def _at_work(workspace: Workspace) -> list[AtWork]:
    newest = campaigns.newsletters(workspace).values("pk")[:NEWEST]
    found = campaigns.newsletters(workspace).filter(pk__in=newest, status__in=AT_WORK)
    return [AtWork(one) for one in with_counts(list(found.defer("body")[:AT_ONCE]))]


def _names(found: list[AtWork]) -> str:
    """Which messages are at work and in which status: once it changes, the page is shown anew."""
    return ",".join(f"{one.report.message.public_id}-{one.report.message.status}" for one in found)


def _largest(
    which: list[MailingList], counts: dict[int, numbers.Counts], daily: dict[int, Any]
) -> list[tuple[MailingList, numbers.Counts, Growth]]:
    """The lists with most people, with how each grew."""
    ranked = sorted(which, key=lambda one: -counts[one.pk]["confirmed"])[:SHOWN]
    return [(one, counts[one.pk], Growth(daily[one.pk])) for one in ranked]
