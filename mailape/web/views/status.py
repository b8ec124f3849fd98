"""The public status page: whether the instance works, in plain words. Off unless switched on."""

from __future__ import annotations

import threading
from typing import Any

from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.core import clock
from mailape.core.errors import NotFound
from mailape.system import status
from mailape.web import doors

FRESH = 5.0  # seconds for which an answer is kept: whoever asks all day long costs nothing
WORDS = {
    "web": later("Pages and sign-up forms"),
    "database": later("Keeping of data"),
    "workers": later("Background work"),
    "mail": later("Mail going out"),
}
HINTS = {
    "web": later("can be opened"),
    "database": later("what is entered is kept"),
    "workers": later("confirmations and newsletters are taken up"),
    "mail": later("what is due is handed to the mail server"),
}


class Kept:
    """The last answer of this process, and whether the page was on when the database last said."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Looks anew at the next question."""
        self._at, self._on, self._status = -FRESH, False, status.without_database()

    def look(self) -> tuple[bool, status.Status]:
        """Whether the page is on, and what it says; at most five seconds old."""
        with self._guard:
            if clock.monotonic() - self._at >= FRESH:
                try:
                    self._on, self._status = status.is_on(), status.look()
                except DatabaseError:
                    self._status = status.without_database()
                self._at = clock.monotonic()
            return self._on, self._status


kept = Kept()


@doors.anyone()
def show(request: Any) -> HttpResponse:
    """Plain words, without numbers or names; touches no session, so that it works in need."""
    is_on, found = kept.look()
    if not is_on:
        raise NotFound(_("The address may be mistyped, or what was here is gone."))
    context = {
        "status": found,
        "parts": [(part, WORDS[part.name], HINTS[part.name]) for part in found.parts],
        "incidents": [(one, WORDS.get(one.part, one.part)) for one in found.incidents],
    }
    response = render(request, "web/public/status.html", context)
    response["Cache-Control"] = f"public, max-age={FRESH:.0f}"
    return response
