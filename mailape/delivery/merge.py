"""The language of merge tags: Liquid with every limit set, on plain data only.

Two environments: one whose output is HTML and escaped, one whose output is plain text. Limits are
off in python-liquid unless they are set, and string literals count as safe HTML there; both are
mended here. A template sees strings, numbers, lists and dicts, never an object of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from liquid import BoundTemplate, Environment, Markup, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral, StringLiteral
from liquid.exceptions import LiquidError, LiquidValueError
from liquid.expression import Expression

__all__ = ["BadTemplate", "html", "names", "parsed", "text"]

LONGEST_RANGE = 5_000
LONGEST_VALUE = 1_000_000
_TAGS = (
    "#", "assign", "break", "capture", "case", "comment", "content", "continue", "cycle",
    "decrement", "doc", "echo", "for", "if", "ifchanged", "illegal", "increment", "liquid",
    "output", "unless",
)  # fmt: skip
# Filters by which a short template could make a value of any length.
_GROWING = ("append", "join", "prepend", "replace", "replace_first", "replace_last")
_NOT_IN_STYLE = re.compile(r"[^\w#%., -]")
_SCHEMES = ("https:", "http:", "mailto:", "tel:")
# Characters that keep their meaning in a whole URL (RFC 3986); % stays, so that nothing is
# encoded twice.
_WHOLE = ":/?#[]@!$&'()*+,;=%~"


class BadTemplate(ValueError):
    """The merge tags cannot be understood, or cost too much. The text is for the writer.

    `brief` says it without the place, which means little once the template is compiled; `line` is
    the place, counted from 1, where it is known.
    """

    def __init__(self, text: str, brief: str = "", line: int | None = None) -> None:
        super().__init__(text)
        self.brief = brief or text
        self.line = line


class _Literal(StringLiteral):
    """A string in a template is text like any other, not HTML that needs no escaping."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> str:
        return self.value


class _Range(RangeLiteral):
    """A range of at most 5,000 numbers."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> range:
        found = super().evaluate(context)
        if found.stop - found.start > LONGEST_RANGE:  # len() fails on the very long
            raise LiquidValueError("a range may have at most 5000 numbers", token=self.token)
        return found


class _Bounded(Environment):
    """Liquid with limits; the numbers are far above what a newsletter needs."""

    block_nesting_limit = 30
    context_depth_limit = 30
    loop_iteration_limit = 10_000
    local_namespace_limit = 1_000_000
    output_stream_limit = 2_000_000

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=False)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        del self.filters["safe"]
        for name in _GROWING:
            self.filters[name] = _bounded(self.filters[name])
        # Not for writers: delivery.markup puts these behind tags, according to where they stand.
        self.filters["place_url"] = _as_url
        self.filters["place_url_part"] = _as_url_part
        self.filters["place_style"] = _as_style

    def from_string(self, source: str, *args: Any, **kwargs: Any) -> BoundTemplate:
        template = super().from_string(source, *args, **kwargs)
        for expression in _expressions(template.nodes, RenderContext(template)):
            if type(expression) is StringLiteral:
                expression.__class__ = _Literal
            elif type(expression) is RangeLiteral:
                expression.__class__ = _Range
        return template


def html(source: str, values: Mapping[str, Any]) -> str:
    """Renders an HTML template: values are escaped. Raises BadTemplate."""
    return _rendered(_parsed_html(source), values)


def text(source: str, values: Mapping[str, Any]) -> str:
    """Renders a template of plain text. Raises BadTemplate."""
    return _rendered(_parsed_text(source), values)


def names(source: str) -> set[str]:
    """The merge tags in `source` that look for a value from outside, as `subscriber.name`.

    Raises BadTemplate for a source that cannot be parsed, which is how sources are checked.
    """
    found = _parsed_text(source).analyze(include_partials=False).globals
    return {
        ".".join(str(part) for part in variable.segments)
        for variables in found.values()
        for variable in variables
    }


def parsed(source: str, *, html: bool) -> BoundTemplate:
    """The template itself, for those who take it apart. Raises BadTemplate."""
    return _parsed_html(source) if html else _parsed_text(source)


@lru_cache(maxsize=64)
def _parsed_html(source: str) -> BoundTemplate:
    return _parsed(_HTML, source)


@lru_cache(maxsize=64)
def _parsed_text(source: str) -> BoundTemplate:
    return _parsed(_TEXT, source)


def _parsed(environment: Environment, source: str) -> BoundTemplate:
    try:
        return environment.from_string(source)
    except LiquidError as wrong:
        raise BadTemplate(_sentence(wrong), _said(wrong), _line(wrong)) from wrong
    except RecursionError as wrong:
        raise BadTemplate("The merge tags are nested too deeply.") from wrong


def _rendered(template: BoundTemplate, values: Mapping[str, Any]) -> str:
    try:
        return template.render(**values)
    except LiquidError as wrong:
        raise BadTemplate(_sentence(wrong), _said(wrong), _line(wrong)) from wrong
    except Exception as wrong:  # a filter that met a value it did not expect
        raise BadTemplate(f"A merge tag cannot be worked out ({type(wrong).__name__}).") from wrong


def _said(wrong: LiquidError) -> str:
    return str(wrong.message or type(wrong).__name__).strip().rstrip(".")


def _line(wrong: LiquidError) -> int | None:
    token = wrong.token
    if token is None or token.start_index < 0:
        return None
    return token.source[: token.start_index].count("\n") + 1


def _sentence(wrong: LiquidError) -> str:
    said, number, token = _said(wrong), _line(wrong), wrong.token
    if number is None or token is None:
        return f"The merge tags do not add up: {said}."
    line = token.source.splitlines()[number - 1].strip()
    return f"The merge tags do not add up in line {number} ({line[:60]}): {said}."


def _expressions(nodes: Iterable[Node], context: RenderContext) -> Iterator[Expression]:
    for node in nodes:
        for expression in node.expressions():
            yield from _with_children(expression)
        yield from _expressions(node.children(context, include_partials=False), context)


def _with_children(expression: Expression) -> Iterator[Expression]:
    yield expression
    for child in expression.children():
        yield from _with_children(child)


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    def bounded(value: object, *args: object, **kwargs: object) -> Any:
        parts = value if isinstance(value, list) else [value]
        length = sum(len(str(part)) for part in parts)
        if length * (1 + max((len(str(arg)) for arg in args), default=0)) > LONGEST_VALUE:
            raise LiquidValueError("a value would get too long", token=None)
        return function(value, *args, **kwargs)

    return bounded


def _plain(value: object) -> str:
    if value is None:
        return ""
    return str(value.unescape()) if isinstance(value, Markup) else str(value)


def _as_url(value: object) -> str:
    """A value that is a whole URL or its beginning: only schemes that a mail may link to."""
    url = "".join(_plain(value).split())
    scheme = url.split("/")[0].lower()
    if ":" in scheme and not scheme.startswith(_SCHEMES):
        return "#"
    return quote(url, safe=_WHOLE)


def _as_url_part(value: object) -> str:
    """A value inside a URL is one piece of it, whatever it holds."""
    return quote(_plain(value), safe="/~")


def _as_style(value: object) -> str:
    """A value inside a style attribute: a word, a number, a colour."""
    return _NOT_IN_STYLE.sub("", _plain(value))


_HTML = _Bounded(autoescape=True)
_TEXT = _Bounded(autoescape=False)
