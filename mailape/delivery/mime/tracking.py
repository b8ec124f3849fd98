"""Links through us: which links of a message are tracked, and where each of them leads.

`through_us` rewrites the links of a message's HTML and the same links in its text to
`{{ click_url }}/NUMBER`, and lists the targets, which are stored with the compiled message. A
redirect leads only there: `target` takes a number and gives the URL, and nothing that comes with
the request has any part in it.

A target may hold merge tags (`https://example.org/?who={{ subscriber.email }}`). It is then kept as
a template and filled when she clicks, from the same values. Tracked is only what begins with a
scheme and a whole host of the writer's own: a link that leads where a subscriber's data says would
make an open redirect of us. What a loop or an assign fills in is not known any more when she
clicks, so such links stay as they are, and so do mailto:, tel:, anchors, and our own pages
(unsubscribe, preferences, the mail in a browser), which begin with a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from liquid import RenderContext

from mailape.delivery import merge
from mailape.delivery.mime import slots

CLICK = "{{ click_url }}"
_KNOWN_LATER = frozenset({"subscriber", "list"})
_TAG = re.compile(
    r"\{%-?\s*(?P<block>raw|comment|doc)\b.*?\{%-?\s*end(?P=block)\s*-?%\}|\{\{.*?\}\}|\{%.*?%\}",
    re.DOTALL,
)
# A tag may hold quotes and angle brackets; while links are looked for, this stands in its place.
_HIDDEN = "\ufdd0"
_LINK = re.compile(r'<(?:a|area)\b(?:[^"<>]|"[^"]*")*?\shref="(?P<url>[^"]*)"', re.IGNORECASE)
_URL_IN_TEXT = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_AFTER_URL = ".,;:!?)]}'*_"
_URL = re.compile(r"https?://[^\s\\]+", re.IGNORECASE)
_WHOLE_HOST = re.compile(r"https?://[^\s\\/?#@]+[/?#]", re.IGNORECASE)
_PLACED = re.compile(r"\s*\|\s*place_url(?:_part)?\s*(?=-?\}\})")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Tracked:
    """A message whose links lead through us, and where to: the number is the place in the list."""

    html: str
    text: str
    targets: list[str]


def through_us(html: str, text: str) -> Tracked:
    """Rewrites the links of an HTML template, and those of them that the text has, too."""
    found = _Targets(_bound_names(html))
    done, place = [], 0
    for link in _LINK.finditer(_hidden(html)):
        number = found.number(html[slice(*link.span("url"))])
        if number is not None:
            done += [html[place : link.start("url")], f"{CLICK}/{number}"]
            place = link.end("url")
    rewritten = "".join([*done, html[place:]])
    return Tracked(rewritten, _text_through_us(text, found), found.targets)


def target(targets: Sequence[str], number: int, values: Mapping[str, Any]) -> str | None:
    """Where link `number` leads for the person whose values these are; nothing if there is none.

    `values` holds `subscriber` and `list` as the mail itself was given them.
    """
    if not 0 <= number < len(targets):
        return None
    kept = targets[number]
    if _TAG.search(kept) is None:
        return kept
    try:
        url = merge.text(kept, values)
    except merge.BadTemplate:
        return None
    return _BLANKS.sub("", url)


class _Targets:
    """The targets found so far; one that comes again keeps its number."""

    def __init__(self, bound: frozenset[str]) -> None:
        self._bound = bound
        self._numbers: dict[str, int] = {}
        self.targets: list[str] = []

    def number(self, attribute: str) -> int | None:
        """The number of the link in an attribute of HTML, or nothing if it is not tracked."""
        kept = "".join(p if _TAG.fullmatch(p) else unescape(p) for p in _pieces(attribute)).strip()
        if not _may_be_tracked(kept, self._bound):
            return None
        if _key(kept) not in self._numbers:
            self._numbers[_key(kept)] = len(self.targets)
            self.targets.append(kept)
        return self._numbers[_key(kept)]

    def known(self, url: str) -> int | None:
        """The number of a target as it stands in the text, where it was not placed or escaped."""
        return self._numbers.get(_key(url))


def _may_be_tracked(kept: str, bound: frozenset[str]) -> bool:
    first = _TAG.search(kept)
    if first is None:
        return _URL.fullmatch(kept) is not None
    if not _WHOLE_HOST.match(kept[: first.start()]):
        return False
    try:
        names = {name.partition(".")[0] for name in merge.names(kept)}
        return slots.stands_alone(kept) and names <= _KNOWN_LATER - bound
    except merge.BadTemplate:
        return False  # a tag begins in this link and ends elsewhere


def _text_through_us(text: str, found: _Targets) -> str:
    done, place = [], 0
    for url in _URL_IN_TEXT.finditer(_hidden(text)):
        end = url.end()
        while (number := found.known(text[url.start() : end])) is None:
            if text[end - 1] not in _AFTER_URL:
                break
            end -= 1
        if number is not None:
            done += [text[place : url.start()], f"{CLICK}/{number}"]
            place = end
    return "".join([*done, text[place:]])


def _bound_names(html: str) -> frozenset[str]:
    """The names that a template gives a meaning of its own somewhere."""
    template = slots.parsed(html, html=True)
    return frozenset(
        str(name)
        for node in slots.with_children(template.nodes, RenderContext(template))
        for name in (*node.template_scope(), *node.block_scope())
    )


def _key(url: str) -> str:
    """What two spellings of a target have in common: where its tags stand, and how wide."""
    return "".join(
        _BLANKS.sub(" ", _PLACED.sub(" ", piece)) if _TAG.fullmatch(piece) else piece
        for piece in _pieces(url)
    )


def _pieces(source: str) -> Iterator[str]:
    """The tags and the text between them."""
    place = 0
    for tag in _TAG.finditer(source):
        yield source[place : tag.start()]
        yield tag.group()
        place = tag.end()
    yield source[place:]


def _hidden(source: str) -> str:
    """The source with its tags hidden; every place in it stays the same."""
    return _TAG.sub(lambda tag: _HIDDEN * len(tag.group()), source)
