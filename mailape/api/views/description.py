"""The API described: for programs as OpenAPI, for people as one page without a script."""

from __future__ import annotations

from django.http import HttpResponse
from django.template.loader import render_to_string
from rest_framework.request import Request
from rest_framework.response import Response

from mailape.accounts.models import Role
from mailape.api import reference
from mailape.api.base import Endpoint
from mailape.api.schema import openapi


class _ForEverybody(Endpoint):
    """The same for everybody, with a token or without."""

    roles = {"GET": Role.VIEWER}
    public = True
    schema = None  # no part of what it describes


class OpenApi(_ForEverybody):
    def get(self, request: Request) -> Response:
        """The OpenAPI 3.1 description."""
        return Response(openapi(), headers={"Cache-Control": "public, max-age=300"})


class Docs(_ForEverybody):
    def get(self, request: Request) -> HttpResponse:
        """The description as a page."""
        page = HttpResponse(render_to_string("api/docs.html", reference.page()))
        page["Cache-Control"] = "public, max-age=300"
        return page
