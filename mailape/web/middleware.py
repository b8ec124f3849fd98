"""Deeds' errors become pages, and no page is kept by a cache on the way."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from mailape.core.errors import DATABASE_AWAY, MailApeError
from mailape.web import errors


class Pages:
    """For everything but the API, which answers in JSON and has its own handler."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        if request.headers.get("HX-Request") and response.has_header("Location"):
            return _whole_page(response)
        return response

    def process_exception(self, request: HttpRequest, fault: Exception) -> HttpResponse | None:
        """The page for an error of a deed, or for a database that is away; anything else is
        Django's to handle and log."""
        if request.path.startswith("/api/"):
            return None
        if isinstance(fault, MailApeError):
            return errors.page(request, fault)
        if isinstance(fault, DATABASE_AWAY):
            return errors.away(request, fault)
        return None


def _whole_page(response: HttpResponse) -> HttpResponse:
    """Tells htmx to go where a redirect leads: else the sign-in page would stand in a region."""
    response.headers["HX-Redirect"] = response.headers["Location"]
    del response.headers["Location"]
    response.status_code = 200
    return response
