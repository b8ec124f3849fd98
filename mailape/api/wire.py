"""What goes over the wire: JSON in, JSON out, whatever the Accept header says."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser


class AlwaysJson(BaseContentNegotiation):
    """There is one form only, so nobody is refused for not asking for it."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        # An empty body needs no type; DRF refuses any other type itself, with 415.
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((p for p in parsers if p.media_type == wanted), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class Json(JSONParser):
    """DRF's parser, which a body of a hundred thousand brackets would break."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("This JSON is nested too deeply.") from None
