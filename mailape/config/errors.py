"""What Django could not answer: as problem+json under /api/, as a page everywhere else."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from mailape.api import problems
from mailape.web import errors as pages


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """400: a Host that is not ours, a header or form that cannot be read."""
    if _is_api(request):
        return problems.page(request, 400, "The request could not be read.")
    return pages.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """403 outside of a view."""
    if _is_api(request):
        return problems.page(request, 403, "This is not allowed.")
    return pages.forbidden(request, exception)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """404: no route has this address."""
    if _is_api(request):
        return problems.page(
            request, 404, "There is nothing at this address. It may be mistyped or end in a slash."
        )
    return pages.not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponse:
    """500 outside of an endpoint, for example in the session."""
    if _is_api(request):
        return problems.page(request, 500, "Something broke on our side. It was logged.")
    return pages.broken(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.path == "/api"
