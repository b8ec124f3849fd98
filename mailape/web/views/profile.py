"""One's own account: name, language, time zone, theme, address, password, sessions, closing it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.debug import sensitive_post_parameters

from mailape.accounts import profile, sessions
from mailape.accounts.models import SignedIn
from mailape.core.errors import Conflict, Invalid, NotFound, TooMany
from mailape.delivery import notices
from mailape.web import doors, tell
from mailape.web.forms import Form, posted

FIELDS = ("name", "language", "time_zone", "theme")
SECRET = sensitive_post_parameters("current", "password", "email_password", "close_password")


@doors.user("GET", "HEAD", "POST")
def index(request: Any) -> HttpResponse:
    """The whole account on one page; POST changes what needs no password."""
    form = Form({name: getattr(request.user, name) for name in FIELDS})
    if request.method == "POST":
        form = posted(request, *FIELDS)
        try:
            profile.change(request.user, **form.values)
            with override(request.user.language or None):
                tell.good(request, _("Saved."))
            return redirect("web:account")
        except Invalid as fault:
            form.refuse(fault)
            request.user.refresh_from_db()
    return _page(request, about=form)


@SECRET
@doors.user("POST")
def email(request: Any) -> HttpResponse:
    """Asks the new address by mail whether it is hers; the answer is alike for every address."""
    form = posted(request, "email")
    form.values["email_password"] = ""
    try:
        with transaction.atomic():
            password = request.POST.get("email_password", "")
            token = profile.ask_new_address(request.user, form.values["email"], password)
            _mail_to_new_address(request, token)
        tell.info(request, _("A mail is on its way to %s. Open its link.") % request.user.new_email)
        return redirect("web:account")
    except (Invalid, TooMany) as fault:
        form.refuse(fault)
        request.user.refresh_from_db()
        return _page(request, address=form)


def _mail_to_new_address(request: Any, token: str | None) -> None:
    to = request.user.new_email
    if token is None:
        notices.to_stranger(to, "account-exists", reverse("web:sign-in"))
    else:
        notices.to_stranger(to, "address-new", reverse("web:address-new", kwargs={"token": token}))


@doors.user("POST")
def keep_email(request: Any) -> HttpResponse:
    """Takes the wish for another address back."""
    profile.forget_new_address(request.user)
    tell.good(request, _("Your address stays as it is."))
    return redirect("web:account")


@doors.anyone("GET", "HEAD", "POST")
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """Behind the link to the new address: one button makes it hers; the old one is told."""
    try:
        user = profile.user_of(token)
        if request.method == "POST":
            with transaction.atomic():
                user, before = profile.confirm_address(token)
                _tell_old_address(user, before)
            tell.good(request, _("%s is your address now.") % user.email)
            return redirect("web:account")
    except (NotFound, Conflict) as gone:
        context = {"gone": str(gone)}
        return render(request, "web/account/address_new.html", context, status=404)
    return render(request, "web/account/address_new.html", {"email": user.new_email})


def _tell_old_address(user: Any, before: str) -> None:
    context = {"email": user.email, "url": settings.SITE_URL}
    notices.account_mail(before, "address-changed", context, language=user.language)


@SECRET
@doors.user("POST")
def password(request: Any) -> HttpResponse:
    """A new password; every other session ends, this one goes on."""
    form = Form({"current": "", "password": ""})
    try:
        with transaction.atomic():
            given = (request.POST.get("current", ""), request.POST.get("password", ""))
            profile.change_password(request.user, *given)
            before = request.session.session_key
            update_session_auth_hash(request, request.user)
            sessions.renamed(request, before)
            sessions.end_all(request.user, but=request.session.session_key)
            notices.to_user(request.user, "password-changed", reverse("web:forgot"))
        tell.good(request, _("Your new password is set. Every other session is signed out."))
        return redirect("web:account")
    except (Invalid, TooMany) as fault:
        form.refuse(fault)
        request.user.refresh_from_db()
        return _page(request, secret=form)


@doors.user("POST")
def end_session(request: Any, id: str) -> HttpResponse:
    """Signs one browser out; this one is signed out as with its own button."""
    session = sessions.one(request.user, id)
    if session.session_key == request.session.session_key:
        logout(request)
        return redirect("web:sign-in")
    sessions.end(session)
    tell.good(request, _("That browser is signed out."))
    return redirect("web:account")


@doors.user("POST")
def end_sessions(request: Any) -> HttpResponse:
    """Signs every other browser out."""
    sessions.end_all(request.user, but=request.session.session_key)
    tell.good(request, _("Every other browser is signed out."))
    return redirect("web:account")


@SECRET
@doors.user("GET", "HEAD", "POST")
def close(request: Any) -> HttpResponse:
    """Asks for the password, and closes the account."""
    form = Form({"close_password": ""})
    if request.method == "POST":
        try:
            profile.close(request.user, request.POST.get("close_password", ""))
            logout(request)
            tell.good(request, _("Your account is closed. Thank you for having been here."))
            return redirect("web:sign-in")
        except (Invalid, Conflict, TooMany) as fault:
            form.refuse(fault)
    context = {"section": "account", "form": form}
    return render(request, "web/account/close.html", context, status=form.status)


def browser_of(session: SignedIn) -> str:
    """The browser's name and system in a few words, by its User-Agent header."""
    agent = session.browser
    name = next((name for word, name in _BROWSERS if word in agent), "")
    system = next((name for word, name in _SYSTEMS if word in agent), "")
    if name and system:
        return _("%(browser)s on %(system)s") % {"browser": name, "system": system}
    return name or agent[:60] or _("An unknown browser")


# In this order: a later one names itself as the earlier ones, too.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
             ("Safari/", "Safari"))  # fmt: skip
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
            ("Mac OS X", "macOS"), ("Linux", "Linux"))  # fmt: skip


def _page(request: Any, **forms: Form) -> HttpResponse:
    user = request.user
    about = Form({name: getattr(user, name) for name in FIELDS})
    context = {
        "section": "account",
        "about": about,
        "address": Form({"email": "", "email_password": ""}),
        "secret": Form({"current": "", "password": ""}),
        "sessions": [
            (one, browser_of(one), one.session_key == request.session.session_key)
            for one in sessions.listed(user)
        ],
        "languages": [("", _("As the workspace or the browser")), *_languages()],
        "time_zones": [("", _("UTC")), *((name, name) for name in profile.time_zones()[1:])],
        "themes": [("", _("As the system")), ("light", _("Light")), ("dark", _("Dark"))],
        **forms,
    }
    status = max(form.status for form in (about, *forms.values()))
    return render(request, "web/account/index.html", context, status=status)


def _languages() -> list[tuple[str, str]]:
    return [
        (code, name) for code, name in settings.LANGUAGES if code in settings.INTERFACE_LANGUAGES
    ]
