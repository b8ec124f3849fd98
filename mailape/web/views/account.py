"""Set-up, sign-in and -out, opening an account, forgotten passwords.

The pages behind a token keep the referrer policy `same-origin`: under `no-referrer` a browser sends
`Origin: null` with the form, which the CSRF check must refuse.
"""

from __future__ import annotations

import contextlib
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from mailape.accounts import access, opening, reset, signin
from mailape.accounts import setup as setup_link
from mailape.accounts.models import Membership
from mailape.core import limits, network
from mailape.core.errors import Conflict, Invalid, MailApeError, NotFound, TooMany
from mailape.delivery import notices
from mailape.senders.open_account import claim_instance, open_account
from mailape.web import doors, tell
from mailape.web.evenly import evenly
from mailape.web.forms import Form, posted, text

SECRET = sensitive_post_parameters("password")
ACCOUNTS_FROM = limits.Rate(20, 3600)
RESETS_FOR = limits.Rate(5, 3600)
RESETS_FROM = limits.Rate(60, 3600)
NEW_ACCOUNT = ("name", "email", "workspace")


@SECRET
@doors.anyone("GET", "HEAD", "POST")
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    """The first-run page: whoever holds the link makes the first user and workspace."""
    try:
        setup_link.check(token)
    except NotFound:
        claimed = {"claimed": setup_link.is_claimed()}
        return render(request, "web/account/setup_wrong.html", claimed, status=404)
    form = Form(dict.fromkeys(NEW_ACCOUNT, ""))
    if request.method == "POST":
        form = posted(request, *NEW_ACCOUNT)
        with _refusing(form):
            return _let_in(request, claim_instance(token, **_new_account(request, form)))
    return render(request, "web/account/setup.html", {"form": form}, status=form.status)


@doors.anyone("GET", "HEAD", "POST")
def sign_up(request: HttpRequest) -> HttpResponse:
    """A stranger asks for an account; there is no such page unless the operator opened it.

    The answer is the same, in text and in time, for an address that has one: the mail differs.
    """
    _only_if_open()
    form, sent = Form(dict.fromkeys(NEW_ACCOUNT, "")), False
    if request.method == "POST":
        form = posted(request, *NEW_ACCOUNT)
        with evenly(), _refusing(form):
            _ask_for_account(request, form)
            sent = True
    context = {"form": form, "sent": sent}
    return render(request, "web/account/sign_up.html", context, status=form.status)


def _ask_for_account(request: HttpRequest, form: Form) -> None:
    limits.count("open-account", limits.network(network.of(request.META)), ACCOUNTS_FROM)
    email = form.values["email"]
    if not email:
        raise Invalid(_("Type your e-mail address."), "email")
    token = opening.token(email, form.values["name"], form.values["workspace"])
    try:
        limits.count("account-for", email.casefold(), RESETS_FOR)
    except TooMany:
        return
    user = reset.find(email)
    if user is not None:
        notices.to_user(user, "account-exists", reverse("web:sign-in"))
    else:
        notices.to_stranger(email, "account-new", reverse("web:sign-up-end", args=[token]))


@SECRET
@doors.anyone("GET", "HEAD", "POST")
def end_sign_up(request: HttpRequest, token: str) -> HttpResponse:
    """Behind the link of the mail: a password, and the account is there."""
    _only_if_open()
    form = Form({"password": ""})
    try:
        wish = opening.read(token)
        if request.method == "POST":
            with _refusing(form, Conflict):
                password = request.POST.get("password", "")
                member = open_account(
                    wish.email, password, name=wish.name, workspace_name=wish.workspace
                )
                return _let_in(request, member)
    except (NotFound, Conflict) as gone:
        context = {"gone": str(gone)}
        return render(request, "web/account/sign_up_end.html", context, status=404)
    shown = {"form": form, "email": wish.email}
    return render(request, "web/account/sign_up_end.html", shown, status=form.status)


def _only_if_open() -> None:
    if not settings.SIGNUP_OPEN or not setup_link.is_claimed():
        raise Http404


@SECRET
@doors.anyone("GET", "HEAD", "POST")
def sign_in(request: HttpRequest) -> HttpResponse:
    """By address and password; too many tries are told to wait, whoever they are for."""
    wanted = _own_path(request.POST.get("next") or request.GET.get("next", ""))
    if request.user.is_authenticated:
        return redirect(wanted or "/")
    form, status, wait = Form({"email": ""}), 200, 0
    if request.method == "POST":
        form = posted(request, "email")
        try:
            if _signed_in(request, form):
                return redirect(wanted or "/")
            form.fault, status = _("This address and password do not belong together."), 400
        except TooMany as fault:
            form.fault, status, wait = str(fault), 429, fault.retry_after
    response = render(
        request, "web/account/sign_in.html", {"form": form, "next": wanted}, status=status
    )
    if wait:
        response["Retry-After"] = str(wait)
    return response


def _signed_in(request: HttpRequest, form: Form) -> bool:
    found = signin.check(
        request, form.values["email"], request.POST.get("password", ""),
        network.of(request.META),
    )  # fmt: skip
    if found is None:
        return False
    login(request, found)  # rotates the session's key
    return True


@doors.anyone("POST")
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session; a second click finds none and is no error."""
    logout(request)
    return redirect("web:sign-in")


@doors.anyone("GET", "HEAD", "POST")
def forgot(request: HttpRequest) -> HttpResponse:
    """Asks for a reset link. The answer is the same, in text and in time, for any address."""
    form, sent = Form({"email": ""}), False
    if request.method == "POST":
        form = posted(request, "email")
        with evenly(), _refusing(form):
            _ask_for_reset(request, form.values["email"])
            sent = True
    context = {"form": form, "sent": sent}
    return render(request, "web/account/forgot.html", context, status=form.status)


def _ask_for_reset(request: HttpRequest, email: str) -> None:
    here = limits.network(network.of(request.META))
    limits.count("reset-from", here, RESETS_FROM)
    if not email:
        raise Invalid(_("Type your e-mail address."), "email")
    try:
        limits.count("reset-for", email.casefold(), RESETS_FOR)
    except TooMany:
        return  # enough mails for this address; who asks is told the same as ever
    user = reset.find(email)
    if user is not None:
        notices.password_reset(user)


@SECRET
@doors.anyone("GET", "HEAD", "POST")
def set_password(request: HttpRequest, token: str) -> HttpResponse:
    """A new password by the link of the mail; every session ends with the old one."""
    form = Form({"password": ""})
    try:
        user = reset.user_of(token)
        if request.method == "POST":
            with _refusing(form, NotFound):
                reset.set_password(token, request.POST.get("password", ""))
                notices.to_user(user, "password-changed", reverse("web:forgot"))
                tell.good(request, _("Your new password is set. Sign in with it."))
                return redirect("web:sign-in")
    except NotFound as gone:
        return render(request, "web/account/reset.html", {"gone": str(gone)}, status=404)
    context = {"form": form, "email": user.email}
    return render(request, "web/account/reset.html", context, status=form.status)


@doors.user("POST")
def switch(request: Any) -> HttpResponse:
    """Chooses the workspace that the pages are about."""
    member = doors.chosen(request, text(request.POST, "workspace"))
    request.session[access.CURRENT] = member.workspace_id
    return redirect("web:overview")


def _new_account(request: HttpRequest, form: Form) -> dict[str, Any]:
    return {
        "email": form.values["email"],
        "password": request.POST.get("password", ""),
        "name": form.values["name"],
        "workspace_name": form.values["workspace"],
    }


def _let_in(request: HttpRequest, member: Membership) -> HttpResponse:
    login(request, member.user, backend="mailape.accounts.backend.ByAddress")
    return redirect("web:overview")


@contextlib.contextmanager
def _refusing(form: Form, *let_through: type[MailApeError]) -> Any:
    """Keeps what a deed refuses in the form, so that the page is shown again with it."""
    try:
        yield
    except let_through:
        raise
    except (Invalid, Conflict, TooMany) as fault:
        form.values.setdefault("password", "")
        form.refuse(fault)


def _own_path(path: str) -> str:
    """`path` if it is one of our own, else nothing: `next=` leads nowhere else."""
    own = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if own else ""
