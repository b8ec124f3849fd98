"""Addresses and domains that are never mailed."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from mailape.accounts.models import Role
from mailape.api import pages
from mailape.api.base import Endpoint, idempotent
from mailape.api.links import link
from mailape.api.schema import described
from mailape.api.serialisers import SuppressionGiven, SuppressionShown
from mailape.core.errors import Invalid, NotFound
from mailape.lists import access, suppress
from mailape.lists.models import SuppressionKind, SuppressionReason

_VALUE = OpenApiParameter("value", str, description="an e-mail address or a domain")
_SAID = {SuppressionKind.ADDRESS: "an address", SuppressionKind.DOMAIN: "a domain"}


class Suppressions(Endpoint):
    roles = {"GET": Role.VIEWER, "POST": Role.ADMIN, "DELETE": Role.ADMIN}
    parameters = pages.PARAMETERS | {"value"}

    @described("list_suppressions", {200: SuppressionShown}, page=True, parameters=(_VALUE,))
    def get(self, request: Request) -> Response:
        """Lists suppressions.

        Newest first; with `value` that address or domain only.
        """
        found = access.suppressions(self.workspace, _value(request) or "")
        page = pages.Page(request, found, "suppression")
        return Response(page.answer(SuppressionShown(page.rows, many=True).data))

    @described(
        "add_suppression", {201: SuppressionShown, 200: SuppressionShown}, takes=SuppressionGiven
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Suppresses an address or a domain.

        201 where it is new; 200 and unchanged where it was suppressed already.
        """
        given = self.given(SuppressionGiven)
        row, new = suppress.suppress(
            self.workspace,
            _named(given),
            reason=SuppressionReason(given.get("reason", SuppressionReason.OWNER)),
            source=given.get("source", self.caller.source),
        )
        where = {"Location": link("suppression", suppression_id=row.public_id)}
        return Response(SuppressionShown(row).data, 201 if new else 200, headers=where)

    @described("lift_suppression_of", {204: None}, parameters=(_VALUE,))
    def delete(self, request: Request) -> Response:
        """Lifts a suppression by its value.

        `value` names an address or a domain.
        """
        value = _value(request)
        if value is None:
            raise Invalid("Say which: ?value= an address or a domain.", "value")
        row = access.suppressions(self.workspace, value).first()
        if row is None:
            raise NotFound("This is not suppressed.")
        suppress.lift(row)
        return Response(status=204)


class OneSuppression(Endpoint):
    roles = {"DELETE": Role.ADMIN}

    def look_up(self, suppression_id: str) -> None:  # type: ignore[override]
        self.suppression = access.suppression(self.workspace, suppression_id)

    @described("lift_suppression", {204: None})
    def delete(self, request: Request, suppression_id: str) -> Response:
        """Lifts a suppression.

        Mail may go there again.
        """
        suppress.lift(self.suppression)
        return Response(status=204)


def _value(request: Request) -> str | None:
    """The address or domain that is meant. Raises Invalid for an empty one: a script's mistake."""
    value = request.query_params.get("value")
    if value is not None and not value.strip():
        raise Invalid("value is an address or a domain.", "value")
    return value


def _named(given: dict[str, str]) -> str:
    """What is to be suppressed. Raises Invalid when it stands under the wrong name."""
    field = "address" if "address" in given else "domain"
    try:
        kind, _ = suppress.to_add(given[field])
    except Invalid as fault:
        raise Invalid(str(fault), field) from None
    if kind != field:
        raise Invalid(f"This is {_SAID[kind]}, not {_SAID[SuppressionKind(field)]}.", field)
    return given[field]
