"""A toast belongs to the page that its deed leads to: another tab must not show it, and use it up.

Django keeps what is to be told in the session, which all tabs share. Here each sentence is kept
with the path of the page that the answer redirects to (without a redirect, of the page itself),
and follows where that page redirects in turn. What its own page has not shown after a minute, as
when the connection broke, is shown by whichever page comes next: nothing told is lost.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.session import SessionStorage
from django.http.response import HttpResponseBase

from mailape.core import clock

OVERDUE = 60.0  # seconds
Kept = tuple[str, float, Message]  # the page's path, when it was told, what


class ByPage(SessionStorage):
    """Django's storage in the session, with each message kept for its page."""

    session_key = "told"

    def update(self, response: HttpResponseBase) -> Any:
        """Keeps what was not shown; on a redirect, for the page that it leads to."""
        if _leads_to(response) and self.request.session.accessed and len(self):
            self.added_new = True
        return super().update(response)

    def _get(self, *args: Any, **kwargs: Any) -> tuple[list[Message], bool]:
        return [message for *_of, message in self._kept(here=True)], True

    def _store(
        self, messages: list[Message], response: HttpResponseBase, *args: Any
    ) -> list[Message]:
        page, now = _leads_to(response) or self.request.path, clock.now().timestamp()
        kept = self._kept(here=False) + [(page, now, message) for message in messages]
        if kept:
            self.request.session[self.session_key] = self.serialize_messages(kept)
        else:
            self.request.session.pop(self.session_key, None)
        return []

    def _kept(self, *, here: bool) -> list[Kept]:
        """What this page is to show, or what the others are."""
        kept = self.deserialize_messages(self.request.session.get(self.session_key)) or []
        oldest = clock.now().timestamp() - OVERDUE
        return [
            (page, at, message)
            for page, at, message in kept
            if (page == self.request.path or at < oldest) is here
        ]


def _leads_to(response: HttpResponseBase) -> str:
    """The path that the answer redirects to, htmx's way or the browser's; else nothing."""
    headers = response.headers
    return urlsplit(headers.get("Location") or headers.get("HX-Redirect") or "").path
