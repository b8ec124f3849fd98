"""Pages for what went wrong: 400, 403, 404, 409, 429, 500, 503 and a failed CSRF check."""

from __future__ import annotations

import logging
from typing import Any

from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from mailape.core.errors import (
    AWAY_FOR,
    Conflict,
    Invalid,
    MailApeError,
    NotAllowed,
    NotFound,
    TooMany,
)
from mailape.web import languages

log = logging.getLogger(__name__)

STATUS: dict[type[MailApeError], int] = {
    Invalid: 400,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
}


def page(request: HttpRequest, fault: MailApeError) -> HttpResponse:
    """The page that says what a deed's error says, with its status."""
    status = STATUS.get(type(fault), 400)
    response = _page(status, _title(status), str(fault))
    if isinstance(fault, TooMany):
        response["Retry-After"] = str(fault.retry_after)
    return response


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """What Django itself refuses: a foreign Host header, a form that is too large."""
    return _page(400, _title(400), _("The request could not be read."))


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _page(403, _title(403), _("You may be here, but not do this."))


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    languages.for_reader(request, None)  # nobody knows whose page it was meant to be
    return _page(404, _title(404), _("The address may be mistyped, or what was here is gone."))


def broken(request: HttpRequest) -> HttpResponse:
    """500: asks neither the database nor the session, since one of them may be what broke."""
    return _page(
        500,
        _("Something broke on our side"),
        _("It was written to the log. Nothing you typed was your fault; please try again shortly."),
    )


def away(request: HttpRequest, fault: Exception) -> HttpResponse:
    """503: the database does not answer, is full or takes no writes. Asks it nothing more."""
    log.error("the database is away at %s", request.path, exc_info=fault)
    got_request_exception.send(sender=None, request=request)  # monitoring listens, and tests
    response = _page(
        503,
        _("One moment, please"),
        _(
            "Our database does not answer just now, so what you sent may not have been saved. "
            "Please try again in a minute."
        ),
    )
    response["Retry-After"] = str(AWAY_FOR)
    return response


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was older than the session, or came from another site."""
    log.info("csrf check failed: %s", reason)
    languages.for_reader(request, None)  # no view has chosen one yet
    return _page(
        403,
        _("This form was too old"),
        _(
            "Your browser sent it without the key that belongs to it, so nothing was changed. "
            "Go back, load the page again and send it once more; cookies must be allowed."
        ),
    )


def _page(status: int, title: str, text: str) -> HttpResponse:
    # Without the request: no context processor runs, so nothing is asked of session or database.
    try:
        html = render_to_string(
            "web/errors/page.html", {"status": status, "title": title, "text": text}
        )
    except Exception:
        log.exception("the error page itself could not be made")
        return HttpResponse(f"{status} {title}\n\n{text}\n", "text/plain", status=status)
    return HttpResponse(html, status=status)


def _title(status: int) -> str:
    return {
        400: _("That did not work"),
        403: _("Not yours to do"),
        404: _("There is nothing here"),
        409: _("Not now"),
        429: _("A little too often"),
    }[status]
