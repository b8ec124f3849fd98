"""What became of a message: in sum, each delivery, as a file, and what is done about failures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

from mailape.accounts.models import Role
from mailape.campaigns import access
from mailape.campaigns.models import Message, MessageRevision
from mailape.core import clock, links, spreadsheet
from mailape.core.errors import Conflict
from mailape.delivery import absent, doubt, export, try_again
from mailape.delivery import access as deliveries_of
from mailape.delivery.models import (
    FaultGroup,
    MessageReport,
    MomentCount,
    OutboxMail,
    State,
    SubscriberMessage,
)
from mailape.lists.models import Subscriber
from mailape.web import doors, tell
from mailape.web.charts import Chart, Series
from mailape.web.forms import search_text, text
from mailape.web.meanings import meaning, why_skipped
from mailape.web.paging import page
from mailape.web.views.reports import Report, report

SENT_AGAIN = ngettext_lazy("%d mail is sent again.", "%d mails are sent again.")
LEFT = ngettext_lazy("%d mail is left as it is.", "%d mails are left as they are.")
TRIED_AGAIN = ngettext_lazy("%d mail is tried again.", "%d mails are tried again.")
BARS = 60
DOMAINS = 12  # shown at once; the rest is behind a disclosure
FAULTS = 8
_AT_FAULT = (State.FAILED, State.QUARANTINED, State.DEFERRED, State.UNKNOWN, State.SKIPPED)


# --- in sum --------------------------------------------------------------------------------------


def summary(message: Message) -> dict[str, Any]:
    """What was added up of the message, ready to be shown; nothing before it was."""
    added_up = MessageReport.objects.filter(message=message, counted_at__isnull=False).first()
    if added_up is None:
        return {}
    domains = list(message.domain_counts.order_by("pk"))
    faults = list(message.fault_groups.order_by("-number"))
    frozen = message.audience_frozen or {}
    return {
        "sent_from": _sent_from(message),
        "frozen_confirmed": sum(frozen.get("confirmed", [])),
        "may_try": try_again.may_try(message),
        "added_up": added_up,
        "domains": domains[:DOMAINS],
        "more_domains": domains[DOMAINS:],
        "chart": _chart(list(message.moment_counts.order_by("at"))),
        "faults": [(one, meaning(one.state, one.words)) for one in _in_order(faults)[:FAULTS]],
        "more_faults": max(len(faults) - FAULTS, 0),
    }


def _sent_from(message: Message) -> str:
    """Name and address that it went out under, whatever its sender is called by now."""
    revisions = MessageRevision.objects.filter(pk=message.revision_id or 0)
    found = revisions.values_list("compiled__from", flat=True).first()
    if not found or not found["name"]:
        return found["email"] if found else ""
    return f"{found['name']} <{found['email']}>"


def _in_order(faults: list[FaultGroup]) -> list[FaultGroup]:
    """What failed first, what was not wanted last; of each the most frequent first."""
    return sorted(faults, key=lambda one: (_AT_FAULT.index(State(one.state)), -one.number))


def _chart(rows: list[MomentCount]) -> Chart | None:
    if len(rows) < 2:
        return None
    first, width = rows[0].at, rows[0].seconds
    last = rows[-1].at
    while (last - first).total_seconds() / width >= BARS:
        width *= 2
    places = int((last - first).total_seconds() // width) + 1
    sent, failed = [0] * places, [0] * places
    for row in rows:
        place = int((row.at - first).total_seconds() // width)
        sent[place] += row.sent
        failed[place] += row.failed
    form = "H:i:s" if width < 60 else "H:i" if width < 7200 else _("j M, H:i")
    at = [first + timedelta(seconds=n * width) for n in range(places)]
    labels = [date_format(timezone.localtime(one), form) for one in at]
    series = [Series(_("sent"), sent, "accent")]
    if any(failed):
        series.append(Series(_("failed"), failed, "danger"))
    return Chart(
        _("Over time"), labels, series, kind="stacked", first=_("From"), short=True,
        says=_("%(sent)s sent and %(failed)s failed from %(first)s to %(last)s") % {
            "sent": sum(sent), "failed": sum(failed), "first": labels[0], "last": labels[-1],
        },
    )  # fmt: skip


def in_doubt(message: Message, numbers: Report) -> dict[str, Any]:
    """What the note about mails in doubt needs; nothing where none waits for a decision."""
    if not numbers.counts[State.UNKNOWN]:
        return {}
    return {
        "in_doubt": doubt.number(message),
        "seen": clock.now().isoformat(),
        "may_send_again": doubt.may_send_again(message),
    }


# --- each of them --------------------------------------------------------------------------------


@doors.shows(door=access.newsletter)
def deliveries(request: Any, message: Message) -> HttpResponse:
    """Each reader's mail with its outcome: by state, by reason, by address, page by page."""
    state, q = request.GET.get("state", ""), search_text(request.GET)
    group = deliveries_of.group(message, text(request.GET, "group"))
    state = group.state if group else state if state in State.values else ""
    found, numbers = (
        deliveries_of.of_message(message, state=state, q=q, group=group),
        report(message),
    )
    shown = page(request, found, kind="delivery")
    context = {
        "section": "messages",
        "tab": "deliveries",
        "message": message,
        "state": state,
        "group": group,
        "q": q,
        "report": numbers,
        "chips": [(*one, one[0] == state and group is None) for one in numbers.states],
        "all_of_them": not state,
        "page": shown,
        "absence": absent.why(message, q) if q and not shown.rows and not state else None,
    }
    if state == State.UNKNOWN:
        context |= in_doubt(message, numbers)
    return render(request, "web/messages/deliveries.html", context)


@doors.shows(door=access.newsletter)
def delivery(request: Any, message: Message, delivery: str) -> HttpResponse:
    """The story of one mail: when it was made, tried and taken, and what the server said."""
    one = deliveries_of.delivery(message, delivery)
    workspace = request.member.workspace
    person = Subscriber.objects.filter(pk=one.subscriber_id or 0, workspace=workspace).first()
    context = {
        "section": "messages",
        "message": message,
        "one": one,
        "person": person,
        "on": workspace.lists.filter(pk=one.list_id or 0).first(),
        "meaning": meaning(one.state, one.answer or one.reason),
        "skipped": why_skipped(one.reason),
        "message_id": _message_id(message, one),
        "mail": OutboxMail.objects.filter(delivery_id=one.pk).first(),
        "waits": one.state in (State.QUEUED, State.DEFERRED) and one.not_before,
    }
    return render(request, "web/messages/delivery.html", context)


def _message_id(message: Message, one: SubscriberMessage) -> str:
    """As the mail's header has it, for whoever looks into a server's log."""
    if message.revision is None or one.subscriber_id is None:
        return ""
    domain = message.revision.compiled["from"]["email"].rpartition("@")[2]
    return f"{links.message_key(message.pk, one.subscriber_id, one.occasion)}@{domain}"


@doors.shows(Role.EDITOR, door=access.newsletter)
def export_csv(request: Any, message: Message) -> StreamingHttpResponse:
    """All deliveries, or those of a state or a reason, as a file that spreadsheets open."""
    group = deliveries_of.group(message, text(request.GET, "group"))
    state = request.GET.get("state", "")
    state = group.state if group else state if state in State.values else ""
    lines = spreadsheet.lines(export.HEAD, export.rows(message, state=state, group=group))
    name = "-".join(filter(None, [slugify(message.subject)[:60] or message.public_id, state]))
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "no-store",
        },
    )


# --- what is done about it -----------------------------------------------------------------------


@doors.form(Role.EDITOR, door=access.newsletter)
def retry(request: Any, message: Message) -> HttpResponse:
    """Says what trying the failed ones again will do, and does it."""
    group = deliveries_of.group(message, text(request.POST or request.GET, "group"))
    if request.method != "POST":
        return _ask_to_retry(request, message, group)
    return _done(request, message, partial(try_again.again, group=group), TRIED_AGAIN)


def _ask_to_retry(request: Any, message: Message, group: FaultGroup | None) -> HttpResponse:
    numbers = try_again.numbers(message, group)
    context = {
        "section": "messages",
        "message": message,
        "group": group,
        "meaning": meaning(group.state, group.words) if group else None,
        "numbers": numbers,
        "many": numbers.wanted >= try_again.COUNTED,
        "may_try": try_again.may_try(message),
        "seen": clock.now().isoformat(),
    }
    return render(request, "web/messages/retry.html", context)


@doors.deed(Role.EDITOR, door=access.newsletter)
def resend(request: Any, message: Message) -> HttpResponse:
    """Sends the mails in doubt again that the form showed."""
    return _done(request, message, doubt.send_again, SENT_AGAIN)


@doors.deed(Role.EDITOR, door=access.newsletter)
def leave(request: Any, message: Message) -> HttpResponse:
    """Leaves the mails in doubt that the form showed as they are; nobody is asked again."""
    return _done(request, message, doubt.leave, LEFT)


def _done(request: Any, message: Message, deed: Callable[..., int], said: Any) -> HttpResponse:
    """Does it to what the form showed, and says how many it was."""
    try:
        tell.good(request, said % deed(message, _seen(request)))
    except Conflict as fault:
        tell.info(request, str(fault))
    return redirect("web:message", id=message.public_id)


def _seen(request: Any) -> datetime | None:
    """When the form was made: what came since is not what its button names."""
    try:
        return datetime.fromisoformat(text(request.POST, "seen")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
