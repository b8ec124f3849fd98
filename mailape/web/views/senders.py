"""The addresses that newsletters come from, and what their domains' DNS says and should say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from mailape.accounts.models import Role, Workspace
from mailape.campaigns import write
from mailape.core import address
from mailape.core.errors import Conflict, Invalid
from mailape.senders import access, dkim, domains, manage
from mailape.senders.models import Sender
from mailape.web import doors, tell
from mailape.web.forms import Form, posted

FIELDS = ("name", "email", "reply_to")


@doors.shows()
def index(request: Any) -> HttpResponse:
    """All senders, the default one first."""
    found = list(access.senders(request.member.workspace)[: manage.MOST])
    signing = signed_domains(request.member.workspace)
    context = {"section": "settings", "tab": "senders", "senders": found, "signing": signing}
    return render(request, "web/settings/senders.html", context)


@doors.form(Role.ADMIN)
def new(request: Any) -> HttpResponse:
    """Adds a sender."""
    form = Form(dict.fromkeys(FIELDS, ""))
    if request.method == "POST":
        form = posted(request, *FIELDS)
        try:
            made = manage.add(request.member.workspace, **form.values)
            tell.good(request, _("%s can send now.") % made.email)
            return redirect("web:sender-edit", id=made.public_id)
        except (Invalid, Conflict) as fault:
            form.refuse(fault)
    return _page(request, form, None)


@doors.form(Role.ADMIN, door=access.sender)
def edit(request: Any, sender: Sender) -> HttpResponse:
    """Changes name and addresses; shows what the domain's DNS should say."""
    form = Form({name: getattr(sender, name) for name in FIELDS})
    if request.method == "POST":
        form = posted(request, *FIELDS)
        try:
            manage.change(sender, **form.values)
            tell.good(request, _("Saved."))
            return redirect("web:senders")
        except Invalid as fault:
            form.refuse(fault)
            sender.refresh_from_db()
    return _page(request, form, sender)


@doors.deed(Role.ADMIN, door=access.sender)
def default(request: Any, sender: Sender) -> HttpResponse:
    """Messages that name no sender are sent as this one from now on."""
    manage.make_default(sender)
    tell.good(request, _("%s is the default sender now.") % sender.email)
    return redirect("web:senders")


@doors.deed(Role.ADMIN, door=access.any_sender)
def remove(request: Any, sender: Sender) -> HttpResponse:
    """Takes a sender away; what was sent as it stays as it was. The toast has the way back."""
    write.remove_sender(sender)
    undo = reverse("web:sender-restore", kwargs={"id": sender.public_id})
    tell.good(request, _("%s is removed.") % sender.email, undo=undo)
    return redirect("web:senders")


@doors.deed(Role.ADMIN, door=access.any_sender)
def restore(request: Any, sender: Sender) -> HttpResponse:
    """Takes the removal back; a second click changes nothing."""
    manage.restore(sender)
    tell.good(request, _("%s is back.") % sender.email)
    return redirect("web:senders")


def signed_domains(workspace: Workspace) -> list[tuple[str, bool]]:
    """The domains of the senders, and whether a key signs for each."""
    signs = dkim.signing_domains(workspace)
    return [(domain, domain in signs) for domain in access.domains(workspace)[: manage.MOST]]


@dataclass(frozen=True)
class Record:
    """A record that the sender's domain should have, and what for."""

    kind: str
    name: str
    value: str
    why: str


def records(email: str) -> list[Record]:
    """What DNS should have for this address's domain."""
    try:
        domain = address.parse(email).domain
    except Invalid:
        return []
    return [
        Record(
            "SPF", domain, "v=spf1 include:… ~all",
            _("Names the servers that may send for the domain. Your mail server or service says "
              "what to put in the place of the dots."),
        ),
        Record(
            "DKIM", f"…._domainkey.{domain}", "v=DKIM1; k=rsa; p=…",
            _("The key that your mail server or service signs with; it gives you name and value."),
        ),
        Record(
            "DMARC", f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}",
            _("Tells receivers that the two above count for the address that readers see. Begin "
              "with p=none, read the reports, then go on to p=quarantine."),
        ),
    ]  # fmt: skip


def _looked(sender: Sender) -> dict[str, Any]:
    """What a worker found in the DNS, where mail leaves this machine: it looks once a day."""
    domain = access.domain_of(sender)
    seen = domains.look(domain) if settings.SMTP_URL and domain else None
    found = domains.judge(sender.workspace, domain, seen) if seen and seen.looked_at else []
    return {"domain": domain, "seen": seen, "found": found, "looks": bool(settings.SMTP_URL)}


def _page(request: Any, form: Form, sender: Sender | None) -> HttpResponse:
    context = {
        "section": "settings",
        "tab": "senders",
        "form": form,
        "sender": sender,
        "records": records(sender.email) if sender else [],
        **(_looked(sender) if sender else {}),
    }
    return render(request, "web/settings/sender.html", context, status=form.status)
