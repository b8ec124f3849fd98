"""Merge tags lifted out of a text before it is parsed, and put back escaped for their place.

Markdown, cleaning and CSS inlining would mangle `{{ … }}` and `{% … %}`. So each is replaced by a
word that survives all three, and put back at the end according to where that word came to stand:
in text or an attribute the engine's own escaping is right; in a URL the value is one piece of it,
or a whole URL with a scheme that may be linked to; in a style it is a word, a number or a colour.
"""

from __future__ import annotations

import hashlib
import re
from html import escape

_TAG = re.compile(
    r"\{%-?\s*(?P<silent>comment|doc)\b.*?\{%-?\s*end(?P=silent)\s*-?%\}"
    r"|\{%-?\s*raw\s*-?%\}(?P<raw>.*?)\{%-?\s*endraw\s*-?%\}"
    r"|\{\{.*?\}\}|\{%.*?%\}",
    re.DOTALL,
)
_OUTPUT = re.compile(r"(\{\{-?)(.*?)(-?\}\})", re.DOTALL)
_HTML_TAG = re.compile(
    r"<!--.*?-->|<style[^>]*>.*?</style>|<(?:[^\"'<>]|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)=\"([^\"]*)\"")
_URLS = frozenset({"href", "src", "background", "cite", "longdesc", "poster", "action"})


class Lifted:
    """A text without its merge tags, and the way back."""

    def __init__(self, source: str) -> None:
        self._mark = _unused_mark(source)
        self._tags: list[str] = []
        self._word = re.compile(rf"(?:<!--)?{self._mark}(\d+)z(?:-->)?")
        self.text = self.lift(source)

    def lift(self, source: str) -> str:
        """`source` with a word in the place of each merge tag; comments of the language vanish."""
        return _TAG.sub(self._take, source)

    def _take(self, found: re.Match[str]) -> str:
        if found["silent"]:
            return ""
        self._tags.append(found.group())
        return f"{self._mark}{len(self._tags) - 1}z"

    def logic_as_comments(self, source: str) -> str:
        """Words of `{% … %}` between elements become comments, which may stand in a table too."""
        done, place = [], 0
        for tag in _HTML_TAG.finditer(source):
            done += [self._commented(source[place : tag.start()]), tag.group()]
            place = tag.end()
        return "".join([*done, self._commented(source[place:])])

    def lines_as_comments(self, source: str) -> str:
        """The same for whole lines of nothing but logic: Markdown makes no paragraph of them."""
        lines = (
            self._commented(line) if line.strip() and not self._beside_logic(line) else line
            for line in source.split("\n")
        )
        return "\n".join(lines)

    def _beside_logic(self, line: str) -> str:
        return self._word.sub(lambda w: "" if self._is_logic(w) else "x", line).strip()

    def _commented(self, text: str) -> str:
        return self._word.sub(
            lambda w: f"<!--{w.group()}-->" if self._is_logic(w) else w.group(), text
        )

    def without_other_comments(self, source: str) -> str:
        """`source` with only those comments left that stand for merge tags."""
        return re.sub(
            r"<!--.*?-->",
            lambda c: c.group() if self._word.fullmatch(c.group()) else "",
            source,
            flags=re.DOTALL,
        )

    def holds_tag(self, text: str) -> bool:
        """Whether a merge tag was lifted out of this text."""
        return self._word.search(text) is not None

    def into_html(self, source: str) -> str:
        """The template again, each tag escaped for its place."""
        done, place = [], 0
        for tag in _HTML_TAG.finditer(source):
            done += [self._into_text(source[place : tag.start()]), self._into_tag(tag.group())]
            place = tag.end()
        return "".join([*done, self._into_text(source[place:])])

    def into_plain(self, source: str) -> str:
        """The template of plain text again."""
        return self._word.sub(lambda w: self._tag(w), source)

    def lost(self, *sources: str) -> list[str]:
        """The logic tags that stand in none of these texts: they stood where none can."""
        kept = {word[1] for source in sources for word in self._word.finditer(source)}
        return [
            tag
            for number, tag in enumerate(self._tags)
            if str(number) not in kept and tag.startswith("{%")
        ]

    def _tag(self, word: re.Match[str]) -> str:
        return self._tags[int(word[1])]

    def _is_logic(self, word: re.Match[str]) -> bool:
        return self._tag(word).startswith("{%") and not _raw(self._tag(word))

    def _into_text(self, text: str) -> str:
        return self._word.sub(lambda w: _escaped_raw(self._tag(w)), text)

    def _into_tag(self, tag: str) -> str:
        if tag.startswith("<!--"):
            return self._into_text(tag)
        return _ATTRIBUTE.sub(self._into_attribute, tag)

    def _into_attribute(self, attribute: re.Match[str]) -> str:
        name, value = attribute[1], attribute[2]
        if name.lower() in _URLS:
            value = self.into_url(value)
        elif name.lower() == "style":
            value = self._word.sub(lambda w: _filtered(self._tag(w), "place_style"), value)
        else:
            value = self._into_text(value)
        return f'{name}="{value}"'

    def into_url(self, value: str) -> str:
        """A URL with its tags: the first is a whole URL or its beginning, others are pieces."""
        done, place, at_start = [], 0, True
        for word in self._word.finditer(value):
            between = value[place : word.start()]
            at_start = at_start and not between.strip()
            tag = self._tag(word)
            done += [between, _filtered(tag, "place_url" if at_start else "place_url_part")]
            at_start = at_start and self._is_logic(word)
            place = word.end()
        return "".join([*done, value[place:]])


def _unused_mark(source: str) -> str:
    """A word that does not occur in the source, and is the same for the same source."""
    digest = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
    return next(
        f"m{digest[at : at + 10]}t" for at in range(50) if digest[at : at + 10] not in source
    )


def _raw(tag: str) -> str | None:
    found = _TAG.fullmatch(tag)
    return found["raw"] if found else None


def _escaped_raw(tag: str) -> str:
    """What stands between raw and endraw was never cleaned, so it is text and nothing else."""
    inner = _raw(tag)
    return tag if inner is None else "{% raw %}" + escape(inner) + "{% endraw %}"


def _filtered(tag: str, place: str) -> str:
    output = _OUTPUT.fullmatch(tag)
    if output is None:
        return _escaped_raw(tag)
    if not output[2].strip():
        return ""
    return f"{output[1]}{output[2]} | {place} {output[3]}"
