"""In which language and time zone a page is shown.

- Pages of members: the user's own choice, else the workspace's, else the browser's.
- Before signing in: the browser's.
- Pages of a list, for readers: the browser's, else the list's; where words of its owner's own stand
  on the page, the list's alone.
- The API: English.

The interface speaks fewer languages than the readers' pages. Nothing here reads a cookie.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.translation.trans_real import parse_accept_lang_header

from mailape.accounts.models import User, Workspace
from mailape.lists import wording
from mailape.lists.models import MailingList

ENGLISH = "en"


class Languages:
    """Begins each request in the browser's language and in UTC, whatever the last one used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        timezone.deactivate()
        api = request.path.startswith("/api/")
        _speak(request, ENGLISH if api else wanted(request, settings.INTERFACE_LANGUAGES))
        try:
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or ENGLISH)
        finally:
            translation.deactivate()
        return response


def for_user(request: HttpRequest, user: User, workspace: Workspace | None) -> None:
    """The page is for this user: her language, or the workspace's, and her time zone."""
    for code in (user.language, workspace.language if workspace else ""):
        if code in settings.INTERFACE_LANGUAGES:
            _speak(request, code)
            break
    if user.time_zone:
        timezone.activate(zoneinfo.ZoneInfo(user.time_zone))


def for_reader(request: HttpRequest, which: MailingList | None, *texts: str) -> None:
    """The page is for a reader of this list, and shows those of its owner's texts that are named.

    Where there is one, the page is in the list's language: half a page in each helps nobody.
    """
    own = which is not None and any(wording.text(which, name) for name in texts)
    code = "" if own else wanted(request, dict(settings.LANGUAGES), "")
    _speak(request, code or (wording.language(which) if which else ENGLISH))


def wanted(request: HttpRequest, known: Iterable[str], otherwise: str = ENGLISH) -> str:
    """The first of the browser's languages that is known here."""
    known = set(known)
    for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        main = code.partition("-")[0]
        if main in known:
            return main
    return otherwise


def _speak(request: HttpRequest, code: str) -> None:
    translation.activate(code)
    request.LANGUAGE_CODE = code
