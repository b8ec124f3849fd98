"""The last look before a message goes out: who gets it, what is wrong with it, now or later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from mailape.accounts.models import Role
from mailape.campaigns import access, audience, dispatch, links, schedule
from mailape.campaigns.models import LinkFound, LinkLook, Message, Status
from mailape.campaigns.schedule import Twice
from mailape.core.errors import Conflict, Invalid
from mailape.delivery import checks, preview
from mailape.delivery.checks import Check, Level
from mailape.senders import access as senders
from mailape.senders import domains
from mailape.senders.models import DomainLook, Sender
from mailape.web import doors, tell
from mailape.web.forms import Form, posted, text

# What the links of these say is for the writer; of the rest that they work is enough.
_BAD_LINKS = (LinkFound.DEAD, LinkFound.IN_TROUBLE, LinkFound.NO_ANSWER)


@dataclass(frozen=True)
class Outside:
    """What only others can say: whether the links work, how the sender's domain stands."""

    urls: list[str]
    looks: dict[str, LinkLook]
    domain: str
    domain_look: DomainLook | None
    checks: list[Check]

    @property
    def under_way(self) -> bool:
        """Whether something is being looked at just now."""
        waits = any(look.wanted_at for look in self.looks.values())
        return waits or bool(self.domain_look and self.domain_look.wanted_at)

    @property
    def done(self) -> bool:
        """Whether all of it was looked at."""
        return not self.under_way and len(self.looks) >= min(len(self.urls), links.MOST)


@doors.form(Role.EDITOR, door=access.newsletter)
def send(request: Any, message: Message) -> HttpResponse:
    """Who gets it, from whom, and what to look at; the button sends, ten seconds later."""
    if message.status != Status.DRAFT:
        return _is_away(request, message)
    if request.method != "POST":
        return _page(request, message)
    try:
        dispatch.send(message, _version(request), wait=dispatch.GRACE)
        return redirect("web:message", id=message.public_id)
    except Invalid as fault:
        return _page(request, message, str(fault), 400)
    except Conflict as fault:
        message.refresh_from_db()
        if message.status == Status.DRAFT:
            return _page(request, message, str(fault), 409)
        return _is_away(request, message)


@doors.form(Role.EDITOR, door=access.newsletter)
def later(request: Any, message: Message) -> HttpResponse:
    """A date, a time and a zone at which it goes out by itself."""
    if message.status != Status.DRAFT:
        return _is_away(request, message)
    if request.method != "POST":
        return _later_page(request, message, _tomorrow())
    form = posted(request, "date", "time", "zone", "which", "version")
    try:
        at = schedule.moment(
            *(str(form.values[name]) for name in ("date", "time", "zone", "which"))
        )
        dispatch.send(message, _version(request), at=at)
        tell.good(request, _("It goes out by itself at that time."))
        return redirect("web:message", id=message.public_id)
    except Twice as asked:
        form.refuse(asked)
        return _later_page(request, message, form, twice=asked)
    except Invalid as fault:
        form.values["at"] = ""
        form.refuse(fault)
    except Conflict as fault:
        message.refresh_from_db()
        if message.status != Status.DRAFT:
            return _is_away(request, message)
        form.fault = str(fault)
        form.values["version"] = str(message.version)
    return _later_page(request, message, form)


@doors.deed(Role.EDITOR, door=access.newsletter)
def take_back(request: Any, message: Message) -> HttpResponse:
    """Makes it a draft again, if no worker has begun with it."""
    try:
        dispatch.take_back(message)
        tell.good(request, _("Taken back: nothing was sent. It is a draft again."))
    except Conflict as fault:
        if message.status != Status.DRAFT:  # a second click finds it done
            tell.warn(request, str(fault))
            return redirect("web:message", id=message.public_id)
    return redirect("web:message-edit", id=message.public_id)


@doors.deed(Role.EDITOR, door=access.newsletter)
def look(request: Any, message: Message) -> HttpResponse:
    """Wants the links tried and the sender's domain looked at, by a worker."""
    sender = _sender(request, message)
    links.ask(checks.links(preview.of(message)))
    if settings.SMTP_URL:
        domains.ask(senders.domain_of(sender))
    return redirect(f"{reverse('web:message-send', args=[message.public_id])}#outside")


@doors.shows(Role.EDITOR, door=access.newsletter)
def looks(request: Any, message: Message) -> HttpResponse:
    """What was found outside, for the page that waits for it."""
    outside = _outside(request, message, checks.links(preview.of(message)))
    context = {"message": message, "outside": outside}
    response = render(request, "web/messages/outside.html", context)
    response["X-Live"] = "on" if outside.under_way else "over"
    return response


def _page(request: Any, message: Message, fault: str = "", status: int = 200) -> HttpResponse:
    who, mail = audience.explained(message), preview.of(message)
    sender = _sender(request, message)
    found = checks.of(message, mail, who, sender)
    context = {
        "section": "messages",
        "message": message,
        "who": who,
        "names": [one.name for one, _number in who.lists],
        "mail": mail,
        "sender": sender,
        "instance_from": senders.instance_from(),
        "minded": [one for one in found if one.level is not Level.FINE],
        "fine": [one for one in found if one.level is Level.FINE],
        "outside": _outside(request, message, checks.links(mail)),
        "ready": not checks.stop(found),
        "fault": fault,
        "grace": settings.TAKE_BACK,
    }
    return render(request, "web/messages/send.html", context, status=status)


def _outside(request: Any, message: Message, urls: list[str]) -> Outside:
    found = links.looks(urls)
    said = [
        Check(Level.WARNS, f"{look.url} – {look.get_found_display()} ({look.words})", "text")
        for look in found.values()
        if look.found in _BAD_LINKS and not look.wanted_at
    ]
    domain = senders.domain_of(_sender(request, message)) if settings.SMTP_URL else ""
    seen = domains.look(domain) if domain else None
    if seen is not None and seen.looked_at:
        judged = domains.judge(message.workspace, domain, seen)
        said += [
            Check(Level.WARNS if one.warns else Level.FINE, one.text, "sender") for one in judged
        ]
    return Outside(urls, found, domain, seen, said)


def _later_page(
    request: Any, message: Message, form: Form, twice: Twice | None = None
) -> HttpResponse:
    zone = str(form.values.get("zone", ""))
    context = {
        "section": "messages",
        "message": message,
        "form": form,
        "who": audience.explained(message),
        "zones": [(name, name.replace("_", " ")) for name in schedule.zones()],
        "guessed": request.method != "POST",
        "times": _two(twice, zone) if twice else [],
        "today": timezone.localdate().isoformat(),
        "ready": not _missing(message),
    }
    return render(request, "web/messages/later.html", context, status=form.status)


def _two(asked: Twice, zone: str) -> list[tuple[str, str]]:
    """The two times of a night that has one twice, each with what tells it from the other."""
    said = _("%(time)s %(name)s, UTC%(offset)s")
    return [
        (which, said % {"time": f"{at:%H:%M}", "name": at.tzname() or zone, "offset": f"{at:%z}"})
        for which, at in ((schedule.FIRST, asked.first), (schedule.SECOND, asked.second))
    ]


def _tomorrow() -> Form:
    day = timezone.localdate() + timedelta(days=1)
    zone = timezone.get_current_timezone_name()
    zone = zone if zone in schedule.zones() else "UTC"
    return Form({"date": day.isoformat(), "time": "09:00", "zone": zone, "which": ""})


def _missing(message: Message) -> bool:
    return not (message.subject and message.body.strip() and message.audience.get("lists"))


def _is_away(request: Any, message: Message) -> HttpResponse:
    """It has left the drafts: a second click, or another tab, finds its page."""
    if request.method == "POST":
        tell.info(request, _("This message was handed over already: once is enough."))
    return redirect("web:message", id=message.public_id)


def _sender(request: Any, message: Message) -> Sender | None:
    return senders.sent_as(request.member.workspace, message.sender)


def _version(request: Any) -> int | None:
    version = text(request.POST, "version")
    return int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
