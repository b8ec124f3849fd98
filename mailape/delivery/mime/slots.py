"""From a template with merge tags to static text and slots, and from a slot to a function.

`cut` parses a template once and cuts it at its outermost tags. What a slot holds for one person is
found in one of three ways, all of them with the result that Liquid would give:

- a **mark** is one of our own tokens (`{{ unsubscribe_url }}`, a tracked link): nothing is looked
  up, its bytes are known to be harmless and its width to be bounded;
- a **path** through plain data with any filters whose arguments are written down
  (`{{ subscriber.first_name | default: "there" }}`) becomes a chain of functions: the lookup, then
  Liquid's own filter functions, the common ones by a shortcut for text, which they nearly always
  get;
- anything else (if, for, a filter with a looked-up argument) is evaluated by Liquid, but only it.

A template with a tag that reaches beyond itself (assign, capture, cycle, increment, decrement,
ifchanged, a loop that goes on where another stopped) is not cut: it is one slot. Whitespace control
needs no such care, for the cutting is done on the parsed template, when it has already happened.

All limits of `delivery.merge` hold in each part as they would in the whole; those on loops and
nesting are per loop and per tag in Liquid too. The length of all parts together is watched by the
program, which knows them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from liquid import BoundTemplate, Environment, Markup, RenderContext
from liquid.ast import BlockNode, ConditionalBlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.arguments import KeywordArgument
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.primitive import Literal, Nil, StringLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.doc_tag import DocNode
from liquid.builtin.tags.echo_tag import EchoNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

from mailape.delivery import merge

Values = Mapping[str, Any]
Find = Callable[[Values], Any]

# Nodes that leave nothing behind for those after them. A node not named here ends the cutting.
_STATELESS = (
    BlockNode, BreakNode, CaseNode, CommentNode, ConditionalBlockNode, ContentNode, ContinueNode,
    DocNode, EchoNode, ForNode, IfNode, InlineCommentNode, LiquidNode, MultiExpressionBlockNode,
    OutputNode, UnlessNode,
)  # fmt: skip
_SILENT = (CommentNode, DocNode, InlineCommentNode)
# Names that Liquid itself fills, or puts before ours.
_LIQUIDS_OWN = frozenset({"now", "today", "partial", "forloop"})
_LIQUIDS_TIMES = ("now", "today")
# What these filters do with text; what they do with anything else is Liquid's own affair.
_ON_TEXT: dict[str, Callable[[str], str]] = {
    "upcase": str.upper,
    "downcase": str.lower,
    "capitalize": str.capitalize,
    "strip": str.strip,
    "lstrip": str.lstrip,
    "rstrip": str.rstrip,
}
# Filters that make nothing much longer than it was.
_TAME = frozenset(
    {
        "capitalize", "date", "default", "downcase", "escape", "lstrip", "place_style",
        "place_url", "place_url_part", "rstrip", "strip", "truncate", "upcase",
    }
)  # fmt: skip
# Path segments that mean more than the key of that name.
_MEANING_MORE = frozenset({"size", "first", "last"})


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a template that is another for each person: the source of one tag, or of all."""

    source: str
    html: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A tag that stands for one of our own tokens, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Constants:
    """Values that are the same for everyone, but for the paths in `changing`."""

    values: Values
    changing: frozenset[str] = frozenset()

    def knows(self, name: str) -> bool:
        return name.partition(".")[0] in self.values and name not in self.changing


Part = str | Slot | Mark
_NO_CONSTANTS = Constants({})


def cut(
    source: str, *, html: bool, marks: Iterable[str] = (), constants: Constants = _NO_CONSTANTS
) -> list[Part]:
    """The static text, slots and marks of a template, in order.

    `marks` are the names of tags that become a Mark where they stand alone: outermost, and without
    a filter that could change them. A tag that asks for nothing but constants is filled in here.
    Raises BadTemplate.
    """
    template = parsed(source, html=html)
    if not _may_be_cut(template):
        return [Slot(source, html)]
    parts: list[Part] = []
    places = [*map(_start, template.nodes), len(source)]
    for node, (start, end) in zip(template.nodes, pairwise(places), strict=True):
        if isinstance(node, ContentNode):
            parts.append(node.text)
        elif mark := _mark(node, frozenset(marks)):
            parts.append(Mark(mark))
        elif not isinstance(node, _SILENT):
            slot = Slot(source[start:end], html)
            is_known = all(map(constants.knows, asked(slot)))
            parts.append(writer(slot)(constants.values) if is_known else slot)
    return list(_joined(parts))


def writer(slot: Slot) -> Callable[[Values], str]:
    """The function that writes what the slot holds for one person's values; escaped in HTML.

    It raises what Liquid raises. Raises BadTemplate.
    """
    find = finder(slot)
    if slot.html:
        return lambda values: str(to_liquid_string(find(values), True))

    def write(values: Values) -> str:
        found = find(values)
        return found if type(found) is str else to_liquid_string(found, False)

    return write


def finder(slot: Slot) -> Find:
    """The function that finds what the slot holds, not yet made text. See `writer`."""
    template = parsed(slot.source, html=slot.html)
    if not _may_be_cut(template):
        return _by_liquid(template)
    # The source of a slot runs up to the next tag, so it may end with text that is not its own.
    node = template.nodes[0]
    chain = _chain(node.expression, template.env) if isinstance(node, OutputNode) else None
    return chain or _by_liquid(BoundTemplate(template.env, [node], globals=template.globals))


def path(slot: Slot) -> str:
    """The path that a slot is, if it is nothing but that; else nothing. Raises BadTemplate."""
    node = parsed(slot.source, html=slot.html).nodes[0]
    expression = node.expression if isinstance(node, OutputNode) else None
    if not isinstance(expression, FilteredExpression) or expression.filters:
        return ""
    return str(expression.left) if isinstance(expression.left, Path) else ""


def is_tame(slot: Slot) -> bool:
    """Whether what a slot holds cannot be much longer than the values that it asks for."""
    return all(map(_is_tame, parsed(slot.source, html=slot.html).nodes))


def _is_tame(node: Node) -> bool:
    expression = node.expression if isinstance(node, OutputNode) else None
    if not isinstance(expression, FilteredExpression):
        return isinstance(node, ContentNode)
    return {one.name for one in expression.filters or []} <= _TAME


def asked(slot: Slot) -> set[str]:
    """What a slot asks of the values, as `subscriber.name`. Raises BadTemplate."""
    found = parsed(slot.source, html=slot.html).analyze(include_partials=False).globals
    return {
        ".".join(map(str, variable.segments))
        for variables in found.values()
        for variable in variables
    }


def parsed(source: str, *, html: bool) -> BoundTemplate:
    """The parsed template, whose output is HTML or plain text. Raises BadTemplate."""
    template = merge.parsed(source, html=html)
    for node in with_children(template.nodes, RenderContext(template)):
        for expression in node.expressions():
            _freeze(expression)
    return template


def _freeze(expression: Expression) -> None:
    """Makes `"now" | date: …` ask for the value `now`, so that each attempt says the same.

    Where no such value is given, Liquid answers with the time that it is, as it would have anyway.
    """
    if not isinstance(expression, FilteredExpression) or not expression.filters:
        return
    left, first = expression.left, expression.filters[0]
    is_time = isinstance(left, StringLiteral) and left.value in _LIQUIDS_TIMES
    if is_time and first.name == "date":
        expression.left = Path(left.token, ["now"])


def _by_liquid(template: BoundTemplate) -> Find:
    if template.env.autoescape:
        return lambda values: Markup(template.render(**values))
    return lambda values: template.render(**values)


# Cutting


def _may_be_cut(template: BoundTemplate) -> bool:
    context = RenderContext(template)
    return all(
        isinstance(node, _STATELESS) and not _goes_on(node)
        for node in with_children(template.nodes, context)
    )


def _goes_on(node: Node) -> bool:
    """Whether it is a loop that begins where an earlier one over the same things stopped."""
    if not isinstance(node, ForNode):
        return False
    offset = node.expression.offset
    return isinstance(offset, StringLiteral) and offset.value == "continue"


def stands_alone(source: str) -> bool:
    """Whether a text of tags leaves nothing behind for what follows. Raises BadTemplate."""
    return _may_be_cut(parsed(source, html=False))


def with_children(nodes: Iterable[Node], context: RenderContext) -> Iterator[Node]:
    """These nodes and all nodes inside them."""
    for node in nodes:
        yield node
        yield from with_children(node.children(context, include_partials=False), context)


def _start(node: Node) -> int:
    """Where a node begins in the source. The token of a tag begins with its name."""
    token = node.token
    return (
        token.source.rindex("{%", 0, token.start_index)
        if token.kind == "tag"
        else token.start_index
    )


def _mark(node: Node, marks: frozenset[str]) -> str | None:
    if not isinstance(node, OutputNode) or not isinstance(node.expression, FilteredExpression):
        return None
    left, filters = node.expression.left, node.expression.filters or []
    # A whole URL of ours comes out of this filter as it went in.
    if not isinstance(left, Path) or any(f.name != "place_url" for f in filters):
        return None
    return str(left.path[0]) if len(left.path) == 1 and left.path[0] in marks else None


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    """The same parts, with static text that lies side by side as one."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


# Chains


def _chain(expression: object, environment: Environment) -> Find | None:
    """Lookup and filters as one function, or nothing where only Liquid knows."""
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, Path):
        return None
    path = expression.left.path
    if path[0] in _LIQUIDS_OWN or not all(map(_is_plain_key, path)):
        return None
    filters = [_step(one, environment) for one in expression.filters or []]
    steps = [step for step in filters if step is not None]
    if len(steps) < len(filters):
        return None
    missing = environment.undefined(str(path[0]), token=None)
    return _then(_lookup(path, missing), steps)


def _is_plain_key(key: object) -> bool:
    return isinstance(key, str) and key not in _MEANING_MORE


def _lookup(path: list[Any], missing: object) -> Find:
    if len(path) == 2:
        return _lookup_of_two(path[0], path[1], missing)

    def look(values: Values) -> Any:
        found: Any = values
        try:
            for key in path:
                found = found[key]
        except (KeyError, TypeError, IndexError):
            return missing
        return found

    return look


def _lookup_of_two(first: str, second: str, missing: object) -> Find:
    """Nearly every path: `subscriber.name`, `list.name`."""

    def look(values: Values) -> Any:
        try:
            return values[first][second]
        except (KeyError, TypeError, IndexError):
            return missing

    return look


def _then(first: Find, steps: list[Callable[[Any], Any]]) -> Find:
    if not steps:
        return first
    if len(steps) == 1:
        (step,) = steps
        return lambda values: step(first(values))

    def all_steps(values: Values) -> Any:
        found = first(values)
        for step in steps:
            found = step(found)
        return found

    return all_steps


def _step(one: Filter, environment: Environment) -> Callable[[Any], Any] | None:
    """One filter with its arguments filled in, or nothing if they must be looked up."""
    function = environment.filters.get(one.name)
    if function is None or getattr(function, "with_context", False):
        return None
    if not all(isinstance(argument.value, Literal | Nil) for argument in one.args):
        return None
    named = {a.name: _written(a.value) for a in one.args if isinstance(a, KeywordArgument)}
    placed = [_written(a.value) for a in one.args if not isinstance(a, KeywordArgument)]
    if getattr(function, "with_environment", False):
        named["environment"] = environment

    def apply(found: Any) -> Any:
        return function(found, *placed, **named)

    return apply if named else _shortcut(one.name, placed, apply)


def _written(argument: Expression) -> Any:
    return argument.value if isinstance(argument, Literal) else None


def _shortcut(name: str, placed: list[Any], whole: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The filter for text alone, where that is shorter; for all else the `whole` filter."""
    if name == "default" and len(placed) == 1:
        instead = placed[0]
        return lambda found: found or instead if type(found) is str else whole(found)
    method = _ON_TEXT.get(name)
    if method is None or placed:
        return whole
    return lambda found: method(found) if type(found) is str else whole(found)
