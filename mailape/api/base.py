"""What every endpoint has in common. In this order, whatever the endpoint:

    a body that fits → who calls → how often → is there such a method → is there such an object
    (404) → is the role enough (403) → the work

So another workspace's object is 404 for everybody, whatever the role in one's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from mailape.accounts.models import Membership, Role, Workspace
from mailape.api import throttles
from mailape.api.authentication import BearerToken, Caller, Session
from mailape.api.permissions import InWorkspace
from mailape.api.wire import AlwaysJson, Json
from mailape.core import idempotency
from mailape.core.errors import Invalid, MailApeError
from mailape.core.idempotency import Answer, Claim

KEY = "Idempotency-Key"
_KEY_FORM = re.compile(r"[\x21-\x7e]{1,255}")  # what a header can hold without doubt


class Endpoint(APIView):
    """One address of the API. Subclasses say who may, what the address names, and do the work."""

    roles: ClassVar[dict[str, Role]] = {}
    parameters: ClassVar[frozenset[str]] = frozenset()
    public: ClassVar[bool] = False
    hidden: ClassVar[bool] = False  # for the administrator of the instance; 404 for all others

    authentication_classes = [BearerToken, Session]
    permission_classes = [InWorkspace]
    throttle_classes = [throttles.PerCaller]
    parser_classes = [Json]
    content_negotiation_class = AlwaysJson
    metadata_class = None
    format_kwarg = None
    http_method_names = ["get", "post", "patch", "delete", "head"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """All that comes before the work, in the order that the head of this module tells."""
        wire = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = wire
        # Raises when it is too large. Before all else, because looking for the CSRF token in a form
        # would use the stream up; nothing of it is parsed yet.
        _ = request._request.body
        self._who(request)
        self.check_throttles(request)
        if request.auth is None and not self.public:
            raise exceptions.NotAuthenticated("Send an API token: Authorization: Bearer TOKEN.")
        if self.method_of(request) not in self.roles:
            raise exceptions.MethodNotAllowed(str(request.method))
        self.look_up(**kwargs)
        if not self.public:
            self.check_permissions(request)
        self._known_parameters(request)

    def look_up(self, **ids: str) -> None:
        """Finds what the address names, in the caller's workspace. Raises NotFound."""

    @staticmethod
    def method_of(request: Request) -> str:
        """The method, HEAD being a GET."""
        return "GET" if request.method == "HEAD" else str(request.method)

    @property
    def caller(self) -> Caller:
        found: Any = self.request.auth
        return found

    @property
    def member(self) -> Membership:
        return self.caller.member

    @property
    def workspace(self) -> Workspace:
        return self.member.workspace

    def given(self, serializer: type[Serializer], *, partial: bool = False) -> dict[str, Any]:
        """The body as `serializer` reads it. Raises what becomes a 400 that names the fields."""
        read = serializer(data=self.request.data, partial=partial)
        read.is_valid(raise_exception=True)
        return dict(read.validated_data)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().finalize_response(request, response, *args, **kwargs)
        found.headers.setdefault("Cache-Control", "no-store")
        return found

    def _who(self, request: Request) -> None:
        try:
            self.perform_authentication(request)
        except (exceptions.APIException, MailApeError):
            # Guessing tokens is limited like asking without one.
            throttles.count_stranger(request)
            raise

    def _known_parameters(self, request: Request) -> None:
        allowed = self.parameters if self.method_of(request) in {"GET", "DELETE"} else frozenset()
        for name in request.query_params:
            if name not in allowed:
                raise Invalid(f"There is no parameter {name[:40]!r} here.", name[:40])


def idempotent(handler: Callable[..., Response]) -> Callable[..., HttpResponse]:
    """A POST that, repeated with the same Idempotency-Key, is done once and answered alike.

    The first answer is kept, also one that refuses; not so one that says something broke.
    """

    @wraps(handler)
    def answered(self: Endpoint, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get(KEY)
        if key is None:
            return handler(self, request, *args, **kwargs)
        if not _KEY_FORM.fullmatch(key):
            raise Invalid(f"{KEY} has 1 to 255 letters, digits and signs, without blanks.")
        print_ = idempotency.fingerprint(
            b"POST", request.get_full_path().encode(), request._request.body
        )
        found = idempotency.claim(self.caller.key, key, print_)
        if isinstance(found, Answer):
            return _again(found)
        return _once(found, self, lambda: handler(self, request, *args, **kwargs))

    return answered


class _BrokeDown(Exception):
    """Carries the answer of work that is not to be kept past its transaction."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _once(mine: Claim, view: Endpoint, work: Callable[[], Response]) -> HttpResponse:
    """Does the work and keeps its answer in one transaction; frees the key if there is none."""
    try:
        with transaction.atomic():
            response = _tried(view, work)
            if response.status_code >= 500:
                raise _BrokeDown(response)
            idempotency.keep(mine, _written(response))
            return response
    except _BrokeDown as broke:
        idempotency.release(mine)
        return broke.response
    except BaseException:
        idempotency.release(mine)
        raise


def _tried(view: Endpoint, work: Callable[[], Response]) -> Response:
    try:
        with transaction.atomic():
            return work()
    except Exception as fault:
        return view.handle_exception(fault)


def _written(response: Response) -> Answer:
    # Rendered here rather than by the framework later: what is kept is what goes out.
    body = "" if response.data is None else Json.renderer_class().render(response.data).decode()
    headers = {name: value for name, value in response.headers.items() if name == "Location"}
    headers["Content-Type"] = response.content_type or "application/json"
    return Answer(response.status_code, headers, body)


def _again(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, headers=answer.headers)
    response["Idempotent-Replayed"] = "true"
    return response
