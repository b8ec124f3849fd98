"""The OpenAPI description, made from the code: what each endpoint takes, shows and refuses.

`@described` stands on each handler; what follows from the method, the path and the role of an
endpoint (401, 403, 404, 413, 415, 422, 429 …) is added here, so that no handler forgets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from django.conf import settings
from django.urls import include, path
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from mailape.api import pages
from mailape.api.problems import CONTENT_TYPE, KINDS, problem

_Handler = TypeVar("_Handler", bound=Callable[..., Any])

_PROBLEMS = {
    400: "Something given cannot be used; `errors` names the fields.",
    401: "No token, or one that is not valid.",
    403: "The caller's role in this workspace is too low.",
    404: "There is nothing with this id, or it belongs to another workspace.",
    409: "Right in itself, but not in the state that things are in.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was used for another request.",
    429: "Too often; come back after Retry-After seconds.",
    500: "Something broke on the server; it was logged.",
    503: "The database does not answer; come back after Retry-After seconds.",
}
_HEADERS = {
    "Retry-After": {
        "description": "seconds to wait",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "how to sign in",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "the address of what was made",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
    },
}
_HEADER_OF = {201: "Location", 401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
_TAGS = {
    "me": "who calls",
    "lists": "lists, and the people on them",
    "subscribers": "people",
    "messages": "newsletters, and what became of each mail",
    "senders": "From identities",
    "suppressions": "who is never mailed",
    "system": "the instance, for its administrator",
}
_INTRODUCTION = """\
Lists, subscribers and messages of one workspace.

**Sign in** with an API token: `Authorization: Bearer TOKEN`. A token has the rights of one user in
one workspace; it never goes into an address. A signed-in browser may call too; its writes need the
CSRF token in `X-CSRFToken`.

**Collections** come in pages: `{"results": […], "next": URL or null, "previous": URL or null}`.
Follow `next` as it is until it is null. `limit` is at most 1,000.

**Errors** are `application/problem+json`: show `detail` to people, act on `status` and `code`.

**Repeating a POST** is safe with an `Idempotency-Key` of your own making: for 24 hours the same
request with the same key is done once and answered alike.
"""


_PROBLEM = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it.",
    "properties": {
        "type": {"type": "string", "description": "about:blank: the status tells the kind"},
        "title": {"type": "string", "description": "the status in words"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "one sentence for a person"},
        "code": {"type": "string", "description": "one word for a script"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "sentences by field, where fields are at fault",
        },
    },
    "required": ["type", "title", "status", "detail", "code"],
}


def described(
    name: str,
    shows: Mapping[int, Any],
    *,
    takes: Any = None,
    page: bool = False,
    conflicts: str = "",
    parameters: tuple[OpenApiParameter, ...] = (),
) -> Callable[[_Handler], _Handler]:
    """Describes a handler: its name for programs, what it shows by status, what it takes.

    With `page` the one serialiser of `shows` is the row of a collection. `conflicts` says when the
    answer is 409, where it can be.
    """

    def describe(handler: _Handler) -> _Handler:
        summary, _, rest = (handler.__doc__ or "").strip().partition("\n")
        decorate = extend_schema(
            operation_id=name,
            summary=summary.rstrip("."),
            description=" ".join(rest.split()) or None,
            request=takes,
            responses=_page_of(shows) if page else _bodies(shows),
            parameters=[
                *parameters,
                *(_PAGE if page else ()),
                *([_KEY] if handler.__name__ == "post" else []),
            ],
        )
        found: _Handler = decorate(handler)
        found.conflicts = conflicts  # type: ignore[attr-defined]
        return found

    return describe


def choice(name: str, values: list[str], text: str) -> OpenApiParameter:
    """A query parameter that is one of a few words."""
    return OpenApiParameter(name, str, enum=values, description=text)


def search() -> OpenApiParameter:
    """The query parameter `q`: whom `lists.search` takes it to mean."""
    text = "the beginning of an address, a name or its last word, or @ and that of a domain"
    return OpenApiParameter("q", str, description=text)


_PAGE = (
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": pages.MOST, "default": pages.LIMIT},
        description="how many rows a page has",
    ),
    OpenApiParameter(
        "cursor", str, description="where a page begins; comes with `next` and `previous`"
    ),
)
_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="of your own making; repeats with it are done once",
)


def _name(status: int) -> str:
    return KINDS[status][0].replace(" ", "")


def _headers(status: int) -> dict[str, Any]:
    if name := _HEADER_OF.get(status):
        return {"headers": {name: {"$ref": f"#/components/headers/{name}"}}}
    return {}


def _response(status: int, text: str) -> dict[str, Any]:
    """One problem: its text, form, example and header."""
    example = problem(
        status, text, {"name": ["This field is required."]} if status == 400 else None
    )
    form = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": text, "content": {CONTENT_TYPE: form}, **_headers(status)}


def _page_of(shows: Mapping[int, Any]) -> dict[int, Any]:
    ((status, row),) = shows.items()
    fields: dict[str, serializers.Field] = {
        "results": row(many=True, read_only=True),
        "next": serializers.URLField(read_only=True, allow_null=True),
        "previous": serializers.URLField(read_only=True, allow_null=True),
    }
    return {status: inline_serializer(f"{row.__name__.removesuffix('Shown')}Page", fields)}


def _bodies(shows: Mapping[int, Any]) -> dict[int, Any]:
    return {
        status: body if body else OpenApiResponse(description="Done; there is no body.")
        for status, body in shows.items()
    }


class Described(AutoSchema):
    """Adds what follows from the endpoint itself to what `@described` says."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        found: Any = super().get_operation(*args, **kwargs)
        view: Any = self.view
        needs = f"Needs the role **{view.roles[self.method].value}**."
        if view.hidden:
            needs += " For the administrator of the instance alone; 404 for everybody else."
        found["description"] = f"{found.get('description', '')}\n\n{needs}".strip()
        found["tags"] = [self.path.removeprefix("/api/v1/").partition("/")[0]]
        if "201" in found["responses"]:
            found["responses"]["201"].update(_headers(201))
        for parameter in found.get("parameters", []):
            if parameter["in"] == "path":
                thing = parameter["name"].removesuffix("_id")
                parameter["description"] = f"the {thing}'s id, as it was shown"
        for status, text in self._problems().items():
            known = text == _PROBLEMS[status]
            found["responses"][str(status)] = (
                {"$ref": f"#/components/responses/{_name(status)}"}
                if known
                else _response(status, text)
            )
        return found

    def get_description(self) -> str:  # type: ignore[override]
        return ""  # what `@described` does not say is said by the summary

    def _problems(self) -> dict[int, str]:
        """Which problems this operation can answer with, and when."""
        conflicts = getattr(getattr(self.view, self.method.lower()), "conflicts", "")
        repeatable = self.method == "POST"
        writes = repeatable or self.method == "PATCH"
        conditions = {
            400: True,  # a parameter that nobody knows is refused everywhere
            401: True,
            403: True,  # too low a role, or a browser's write without the CSRF token
            404: "{" in self.path or self.method == "DELETE" or getattr(self.view, "hidden", False),
            409: bool(conflicts) or repeatable,
            413: writes,
            415: writes,
            422: repeatable,
            429: True,
            500: True,
            503: True,
        }
        texts = {**_PROBLEMS, 409: conflicts or _PROBLEMS[409]}
        return {status: texts[status] for status, holds in conditions.items() if holds}


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "mailape.api.authentication.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "`mailape token add EMAIL`"}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "mailape.api.authentication.Session"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "a signed-in browser; writes need the CSRF token in X-CSRFToken",
        }


@lru_cache(maxsize=1)
def openapi() -> dict[str, Any]:
    """The whole description. The same for everybody and for the life of the process."""
    route = path("api/v1/", include("mailape.api.urls"))
    found: dict[str, Any] = SchemaGenerator(patterns=[route]).get_schema(public=True)
    found["info"]["description"] = _INTRODUCTION
    found["info"]["license"] = {"name": "MIT", "identifier": "MIT"}
    found["servers"] = [{"url": settings.SITE_URL}]
    found["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    parts = found["components"]
    parts["headers"] = _HEADERS
    parts["schemas"]["Problem"] = _PROBLEM
    parts["responses"] = {
        _name(status): _response(status, text) for status, text in _PROBLEMS.items()
    }
    for name, part in parts["schemas"].items():
        if name.endswith("Request"):
            part["additionalProperties"] = False
    either = [{"required": ["address"]}, {"required": ["domain"]}]
    parts["schemas"]["SuppressionRequest"]["oneOf"] = either
    return found
