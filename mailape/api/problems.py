"""Every error as problem+json (RFC 9457): `type`, `title`, `status`, `detail`, `code`, `errors`.

`detail` is one sentence that says what to do, `code` a word for scripts that never changes, and
`errors` names the fields of a 400. 401 and 429 have their headers.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response

from mailape.core import errors
from mailape.core.idempotency import KeyReused

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
# Title and code by status; not http.HTTPStatus, whose words changed with Python 3.13.
KINDS = {
    400: ("Bad Request", "invalid"),
    401: ("Unauthorized", "not_authenticated"),
    403: ("Forbidden", "not_allowed"),
    404: ("Not Found", "not_found"),
    405: ("Method Not Allowed", "method_not_allowed"),
    409: ("Conflict", "conflict"),
    413: ("Content Too Large", "too_large"),
    415: ("Unsupported Media Type", "unsupported_media_type"),
    422: ("Unprocessable Content", "key_reused"),
    429: ("Too Many Requests", "too_many"),
    500: ("Internal Server Error", "broken"),
    503: ("Service Unavailable", "unavailable"),
}
_OURS: dict[type[errors.MailApeError], int] = {
    errors.Invalid: 400,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    KeyReused: 422,
    errors.TooMany: 429,
}
_DJANGOS: dict[type[Exception], tuple[int, str]] = {
    Http404: (404, "There is nothing here."),
    PermissionDenied: (403, "This is not allowed."),
    RequestDataTooBig: (413, "The body is too large. A message may have at most 1 MB of text."),
    UnreadablePostError: (400, "The body ended before its length."),
}


def problem(status: int, detail: str, fields: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """The members of one problem."""
    title, code = KINDS.get(status, KINDS[500 if status >= 500 else 400])
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if fields:
        found["errors"] = fields
    return found


def as_problem(fault: Exception, context: dict[str, Any]) -> Response:
    """Django REST Framework's exception handler: whatever was raised becomes a problem."""
    headers: dict[str, str] = {}
    if isinstance(fault, errors.MailApeError):
        body = _ours(fault, headers)
    elif isinstance(fault, exceptions.APIException):
        body = _frameworks(fault, headers)
    else:
        body = _djangos(fault) or _unexpected(fault, context, headers)
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def page(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """A problem for what never reaches an endpoint, such as an address that names none."""
    found = HttpResponse(json.dumps(problem(status, detail)), CONTENT_TYPE, status)
    found["Cache-Control"] = "no-store"
    return found


def _ours(fault: errors.MailApeError, headers: dict[str, str]) -> dict[str, Any]:
    status = next(number for kind, number in _OURS.items() if isinstance(fault, kind))
    if isinstance(fault, errors.TooMany):
        headers["Retry-After"] = str(fault.retry_after)
    field = getattr(fault, "field", None)
    return problem(status, str(fault), {field: [str(fault)]} if field else None)


def _frameworks(fault: exceptions.APIException, headers: dict[str, str]) -> dict[str, Any]:
    if header := getattr(fault, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if isinstance(fault, exceptions.ValidationError):
        fields = _by_field(fault.detail)
        return problem(400, _in_one_sentence(fields), fields)
    return problem(fault.status_code, str(fault.detail))


def _djangos(fault: Exception) -> dict[str, Any] | None:
    for kind, (status, text) in _DJANGOS.items():
        if isinstance(fault, kind):
            return problem(status, text)
    return None


def _unexpected(
    fault: Exception, context: dict[str, Any], headers: dict[str, str]
) -> dict[str, Any]:
    log.error("the API broke at %s", type(context["view"]).__name__, exc_info=fault)
    # What Django does for a view of its own: monitoring listens, and tests fail loudly.
    got_request_exception.send(sender=type(context["view"]), request=context["request"]._request)
    if isinstance(fault, errors.DATABASE_AWAY):
        headers["Retry-After"] = str(errors.AWAY_FOR)
        return problem(503, "The database does not answer. Try again, with the same key, later.")
    return problem(500, "Something broke on our side. It was logged; please try again later.")


def _by_field(detail: Any) -> dict[str, list[str]]:
    """The framework's tree of errors as one list of sentences per field."""
    if not isinstance(detail, dict):
        return {"": _sentences(detail)}
    return {_name(field): _sentences(found) for field, found in detail.items()}


def _name(field: Any) -> str:
    return "" if field == "non_field_errors" else str(field)


def _sentences(found: Any) -> list[str]:
    if isinstance(found, dict):
        return [
            f"Number {key + 1}: {text}" if isinstance(key, int) else f"{key}: {text}"
            for key, inner in found.items()
            for text in _sentences(inner)
        ]
    return [str(one) for one in found] if isinstance(found, list) else [str(found)]


def _in_one_sentence(fields: dict[str, list[str]]) -> str:
    field, texts = next(iter(fields.items()))
    return f"{field}: {texts[0]}" if field else texts[0]
