"""A list's language, and what it says in its owner's own words, with a look at each."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailape.accounts.models import Role
from mailape.core.errors import Invalid
from mailape.delivery import preview, sources
from mailape.lists import access, wording
from mailape.lists.models import MailingList
from mailape.web import doors, languages, tell
from mailape.web.forms import Form, posted
from mailape.web.mailpages import framed

FIELDS = ("language", "welcomes", *wording.LONGEST)
MAILS = (sources.CONFIRMATION, sources.WELCOME)
PAGES = {"confirmed": "thanks", "goodbye": "goodbye"}


@doors.form(Role.ADMIN, door=access.a_list)
def edit(request: Any, which: MailingList) -> HttpResponse:
    """All texts on one page; `standard` names one that goes back to MailApe's own."""
    form = _form_of(which)
    if request.method == "POST":
        form = posted(request, *FIELDS)
        if (name := request.POST.get("standard", "")) in wording.LONGEST:
            form.values[name] = ""
        try:
            _save(which, form)
            tell.good(request, _("Saved."))
            return redirect("web:list-wording", id=which.public_id)
        except Invalid as fault:
            form.refuse(fault)
            which.refresh_from_db()
    return _page(request, which, form)


def _save(which: MailingList, form: Form) -> None:
    texts = dict(form.values)
    with transaction.atomic():
        wording.set_language(which, texts.pop("language"))
        wording.set_welcomes(which, bool(texts.pop("welcomes")))
        wording.change(which, texts)
        for look in (preview.confirmation, preview.welcome):  # refuse what could not be sent
            look(which)


@doors.shows(door=access.a_list)
def mail(request: Any, which: MailingList) -> HttpResponse:
    """The confirmation mail as it goes out now, on a sandboxed page of its own."""
    return framed(preview.confirmation(which).html)


@doors.shows(door=access.a_list)
def welcome(request: Any, which: MailingList) -> HttpResponse:
    """The welcome mail, whether it is switched on or not, in the same way."""
    return framed(preview.welcome(which).html)


@doors.shows(door=access.a_list)
def page(request: Any, which: MailingList, page: str) -> HttpResponse:
    """One of the public pages as a reader sees it, in the list's language."""
    if page not in PAGES:
        raise Http404
    languages.for_reader(request, which, PAGES[page])
    with override(wording.language(which)):
        context = {
            "list": which,
            "lists": [which],
            "workspace": which.workspace,
            "person": {"email": "ann@example.org"},
            "own": wording.text(which, PAGES[page]),
            "preview": True,
        }
        return render(request, f"web/public/{page}.html", context)


def _form_of(which: MailingList) -> Form:
    texts = {name: wording.text(which, name) for name in wording.LONGEST}
    return Form({"language": which.language, "welcomes": which.welcomes, **texts})


def _page(request: Any, which: MailingList, form: Form) -> HttpResponse:
    language = wording.language(which)
    standard: dict[str, str] = {}
    for name in MAILS:
        subject, body = sources.own_mail(name, language)
        standard |= {f"{name}_subject": subject, f"{name}_body": body.strip()}
    context = {
        "section": "lists",
        "tab": "wording",
        "list": which,
        "form": form,
        "languages": [("", _("As the workspace")), *settings.LANGUAGES],
        "standard": standard,
        "own": set(which.wording),
    }
    return render(request, "web/lists/wording.html", context, status=form.status)
