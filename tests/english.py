"""English that is left on a page in another language.

Two ways to find it: a piece of text that is a string of the catalogue whose translation differs,
and a piece of text with words that only English has, which nobody marked for translation.
"""

from __future__ import annotations

import re
from functools import cache

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests import catalogues
from tests.catalogues import Entry

# None of them is a word of German; "was", "in" and "will" are, so they are not here.
_WORDS = re.compile(r"\b(the|and|of|are|your|you|with|this|that|she|her|from|which|not)\b", re.I)
_PLACE = re.compile(r"%\(\w+\)[sd]|%[sd]|%%")
_ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "data-one", "data-many", "data-done")
# As it was said: what servers answered, what was written, code, names of languages, the log.
_AS_SAID = "q, code, pre, textarea, script, style, option[lang], .log .breaks"


def left(html: str, language: str = "de", known: tuple[str, ...] = ()) -> list[str]:
    """The pieces of text of this page that are English; `known` are those that somebody typed."""
    tree = LexborHTMLParser(html)
    for node in tree.css(_AS_SAID):
        node.decompose()
    return [one for one in dict.fromkeys(_pieces(tree)) if is_english(one, language, known)]


def is_english(text: str, language: str = "de", known: tuple[str, ...] = ()) -> bool:
    """Whether this is a string of ours without its translation, or plainly English."""
    if any(one in text for one in known):
        return False
    exact, patterns = _strings(language)
    return (
        text in exact or bool(_WORDS.search(text)) or any(one.fullmatch(text) for one in patterns)
    )


def _pieces(tree: LexborHTMLParser) -> list[str]:
    found: list[str] = []
    root = tree.root
    for node in root.traverse(include_text=True) if root else ():
        found += _of(node)
    return [one for one in (" ".join(piece.split()) for piece in found) if one]


def _of(node: LexborNode) -> list[str]:
    if node.tag == "-text":
        return [node.text_content or ""]
    return [node.attributes.get(name) or "" for name in _ATTRIBUTES]


@cache
def _strings(language: str) -> tuple[set[str], list[re.Pattern[str]]]:
    """What is English: whole strings, and patterns of those with something put in."""
    german = {text for one in _entries(language) for text in one.texts.values()}
    english = {text for one in _entries(language) for text in (one.msgid, one.plural)
               if text and text not in german}  # fmt: skip
    exact = {" ".join(text.split()) for text in english if not _PLACE.search(text)}
    return exact, [_pattern(text) for text in english - exact if _letters(text) > 3]


def _entries(language: str) -> list[Entry]:
    return catalogues.read(catalogues.path(language))[1:]


def _letters(text: str) -> int:
    return sum(letter.isalpha() for letter in _PLACE.sub("", text))


def _pattern(text: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in _PLACE.split(" ".join(text.split()))]
    return re.compile(".+".join(parts))
