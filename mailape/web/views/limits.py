"""How fast mail goes out, for the administrator: the way out's limits, and receiving domains."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from mailape.core.errors import Conflict, Invalid
from mailape.delivery import limits
from mailape.senders.models import TransportAccount, TransportKind
from mailape.web import doors, tell
from mailape.web.forms import Form, posted, text

NUMBERS = ("per_second", "per_hour", "connections", "mails_per_connection")
DOMAIN = ("domain", "domain_per_second", "domain_per_hour")


@doors.administrator()
def index(request: Any) -> HttpResponse:
    """The limits as they are, and how fast each limited or slowed domain is now."""
    return _page(request)


@doors.administrator("POST")
def save(request: Any) -> HttpResponse:
    """Sets the limits of the way out, all or nothing."""
    form = posted(request, *NUMBERS)
    form.values["relay_signs"] = text(request.POST, "relay_signs")
    try:
        numbers = {name: _number(form, name) for name in NUMBERS}
        limits.set_account(
            limits.way_out(), **numbers, relay_signs=form.values["relay_signs"] == "yes"
        )
    except Invalid as fault:
        form.refuse(fault)
        return _page(request, account=form)
    tell.good(request, _("Saved. It holds from this second on."))
    return redirect("web:system-limits")


@doors.administrator("POST")
def set_domain(request: Any) -> HttpResponse:
    """Sets the limits of a receiving domain."""
    form = posted(request, *DOMAIN)
    try:
        row = limits.set_domain(
            limits.way_out(),
            form.values["domain"],
            per_second=_number(form, "domain_per_second"),
            per_hour=_number(form, "domain_per_hour"),
        )
    except (Invalid, Conflict) as fault:
        form.refuse(fault)
        return _page(request, domain=form)
    tell.good(request, _("%s has its limit now.") % row.domain)
    return redirect("web:system-limits")


@doors.administrator("POST")
def remove_domain(request: Any) -> HttpResponse:
    """Takes a domain's limits away; a second click finds none."""
    domain = text(request.POST, "domain")
    if limits.remove_domain(limits.way_out(), domain):
        tell.good(request, _("%s has no limit any more.") % domain)
    return redirect("web:system-limits")


@doors.administrator("POST")
def full_speed(request: Any) -> HttpResponse:
    """Ends the slowness that a domain got by itself."""
    domain = text(request.POST, "domain")
    if limits.at_full_speed(limits.way_out(), domain):
        said = _("%s gets mail at full speed. If it refuses again, it is slowed again.")
        tell.good(request, said % domain)
    return redirect("web:system-limits")


def _number(form: Form, name: str) -> int | None:
    """What was typed as a whole number; None for nothing. Raises Invalid."""
    typed = form.values[name].replace(",", "")
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) < 10):
        raise Invalid(_("Type a whole number, or nothing for no limit."), name)
    return int(typed)


def _of(account: TransportAccount) -> Form:
    values: dict[str, Any] = {name: getattr(account, name) or "" for name in NUMBERS}
    return Form({**values, "relay_signs": "yes" if account.relay_signs else ""})


def _page(request: Any, account: Form | None = None, domain: Form | None = None) -> HttpResponse:
    way_out = limits.way_out()
    account, domain = account or _of(way_out), domain or Form(dict.fromkeys(DOMAIN, ""))
    context = {
        "section": "system",
        "tab": "limits",
        "way_out": way_out,
        "is_outbox": way_out.kind == TransportKind.OUTBOX,
        "form": account,
        "domain_form": domain,
        "domains": limits.table(way_out),
        "shown": limits.SHOWN,
    }
    status = max(account.status, domain.status)
    return render(request, "web/system/limits.html", context, status=status)
