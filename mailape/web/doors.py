"""Who may come in: each view says it in one line, and a test reads it back for every route.

    @shows(door=a_list)                    a page; GET and HEAD only
    @form(Role.ADMIN, door=a_list)         a page with a form: GET, HEAD, POST
    @deed(Role.EDITOR, door=newsletter)    a button: POST only
    @administrator("GET", "HEAD")          the instance's administrator; not there for anybody else

The order is fixed: signed in? in a workspace? is the thing there (404)? is the role enough (403)?
So another workspace's object is 404 for everybody, whatever the role in one's own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from mailape.accounts import access, sessions
from mailape.accounts.models import Membership, Role, User, Workspace
from mailape.core.errors import NotFound
from mailape.web import languages
from mailape.web.forms import text

Door = Callable[[Workspace, str], Any]
READ = ("GET", "HEAD")
OPENED_IN = "opened-in"  # a form's field: the opaque id of its workspace


class MemberRequest(HttpRequest):
    """A request by somebody who works in a workspace."""

    user: User
    member: Membership
    members: list[Membership]


@dataclass(frozen=True)
class Rights:
    """What a view asks of whoever comes: read back by the test of all routes."""

    who: str  # anyone, user, member, administrator
    methods: tuple[str, ...]
    role: Role | None = None


def anyone(*methods: str) -> Callable[..., Any]:
    """A page for everybody, signed in or not."""
    return _checked(Rights("anyone", methods or READ), _as_anyone)


def user(*methods: str) -> Callable[..., Any]:
    """For whoever is signed in, with or without a workspace."""
    return _checked(Rights("user", methods), _as_user)


def administrator(*methods: str) -> Callable[..., Any]:
    """For the administrator of the instance, in whatever workspace; for others not there: 404."""
    return _checked(Rights("administrator", methods or READ), _as_administrator)


def shows(role: Role = Role.VIEWER, *, door: Door | None = None) -> Callable[..., Any]:
    """A page to look at, for members from `role` upwards."""
    return _for_members(Rights("member", READ, role), door)


def form(role: Role, *, door: Door | None = None) -> Callable[..., Any]:
    """A page with a form, for members from `role` upwards."""
    return _for_members(Rights("member", (*READ, "POST"), role), door)


def deed(role: Role, *, door: Door | None = None) -> Callable[..., Any]:
    """A button, for members from `role` upwards."""
    return _for_members(Rights("member", ("POST",), role), door)


def _for_members(rights: Rights, door: Door | None) -> Callable[..., Any]:
    role = rights.role or Role.OWNER

    def enter(request: Any, view: Callable[..., Any], kwargs: dict[str, Any]) -> HttpResponse:
        if not request.user.is_authenticated:
            return sign_in_first(request)
        arrive(request)
        if request.member is None:
            return render(request, "web/no_workspace.html", status=403)
        if door is None:
            access.require(request.member, role)
            return view(request, **kwargs)
        thing = _found(request, door, kwargs.pop("id"))
        access.require(request.member, role)
        return view(request, thing, **kwargs)

    return _checked(rights, enter)


def _found(request: Any, door: Door, public_id: str) -> Any:
    """The thing, in the workspace chosen, else in another one of hers.

    A second tab may have chosen another since, and the link of a mail knows of none. A page that is
    looked at chooses its workspace; what is posted changes nothing about the choice.
    """
    try:
        return door(request.member.workspace, public_id)
    except NotFound:
        for other in [one for one in request.members if one != request.member]:
            with suppress(NotFound):
                thing = door(other.workspace, public_id)
                _go_over(request, other)
                return thing
        raise


def _go_over(request: Any, other: Membership) -> None:
    request.member = other
    languages.for_user(request, request.user, other.workspace)
    if request.method in READ:
        request.session[access.CURRENT] = other.workspace_id


def _checked(rights: Rights, enter: Callable[..., HttpResponse]) -> Callable[..., Any]:
    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if request.method not in rights.methods:
                return HttpResponseNotAllowed(rights.methods)
            return enter(request, view, kwargs)

        checked.rights = rights  # type: ignore[attr-defined]
        return checked

    return decorate


def _as_anyone(request: Any, view: Callable[..., Any], kwargs: dict[str, Any]) -> HttpResponse:
    return view(request, **kwargs)


def _as_user(request: Any, view: Callable[..., Any], kwargs: dict[str, Any]) -> HttpResponse:
    if not request.user.is_authenticated:
        return sign_in_first(request)
    arrive(request)
    return view(request, **kwargs)


def arrive(request: Any) -> None:
    """Somebody signed in came: in which workspace, which browser, and what she wants to read."""
    choose(request)
    sessions.seen(request)
    languages.for_user(request, request.user, request.member and request.member.workspace)
    request.user_theme = request.user.theme


def _as_administrator(
    request: Any, view: Callable[..., Any], kwargs: dict[str, Any]
) -> HttpResponse:
    if not request.user.is_authenticated:
        return sign_in_first(request)
    if not request.user.is_admin:
        raise NotFound(_("The address may be mistyped, or what was here is gone."))
    arrive(request)
    return view(request, **kwargs)


def choose(request: Any) -> None:
    """Sets `request.members`, and `request.member` by the session's choice or as the oldest.

    A form that makes something says in which workspace it was opened: another tab may have chosen
    another one since.
    """
    request.members = access.memberships(request.user)
    chosen = request.session.get(access.CURRENT)
    if len(request.members) > 1 and request.method == "POST":
        opened = text(request.POST, OPENED_IN)
        chosen = next(
            (one.workspace_id for one in request.members if one.workspace.public_id == opened),
            chosen,
        )
    in_it = [one for one in request.members if one.workspace_id == chosen]
    request.member = next(iter(in_it or request.members), None)


def chosen(request: Any, public_id: str) -> Membership:
    """The person's membership in the workspace with this id. Raises NotFound for any other."""
    for member in request.members:
        if member.workspace.public_id == public_id:
            return member
    raise NotFound(_("There is no such workspace."))


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """To the sign-in page and, for a page that was only looked at, back again."""
    url = reverse("web:sign-in")
    wanted = request.get_full_path()
    if request.method in READ and wanted != "/":
        url = f"{url}?{urlencode({'next': wanted})}"
    return redirect(url)
