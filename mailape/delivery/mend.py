"""What is wrong with a writer's merge tags, said so that she can mend it, and in which line.

The language's own messages are for programmers ("expected '}}', found end of file"). The common
slips are recognised here and said in plain words; what is not recognised keeps the language's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from mailape.delivery.merge import BadTemplate

_TAG = re.compile(r"\{%-?\s*(\w+)[^%]*-?%\}")
_EMPTY = re.compile(r"\{\{-?\s*-?\}\}")
_ENDED = ("if", "unless", "for", "case", "capture", "comment", "ifchanged")
_LONGEST = 60


def advice(source: str, wrong: BadTemplate) -> tuple[int | None, str]:
    """The line of `source` that is wrong, counted from 1, where it is known, and what to do."""
    for known in (_unclosed, _never_ended, _unknown_filter, _unknown_tag, _empty, _unreadable):
        found = known(source, wrong)
        if found is not None:
            return found
    return wrong.line, str(wrong)


def line_of(source: str, tag: str) -> int | None:
    """The line where the merge tag called `tag` stands first."""
    name = re.escape(tag).replace(r"\.", r"\s*\.\s*")
    found = re.search(rf"\{{[{{%][^{{}}]*?(?<![\w.]){name}(?!\w)", source)
    return _line_at(source, found.start()) if found else None


def _unclosed(source: str, wrong: BadTemplate) -> tuple[int | None, str] | None:
    closing = next((end for end in ("}}", "%}") if f"expected '{end}'" in wrong.brief), None)
    if "missing tag name or closing delimiter" in wrong.brief:
        closing = "%}"
    if closing is None or wrong.line is None:
        return None
    opening = {"}}": "{{", "%}": "{%"}[closing]
    text = _the_line(source, wrong.line)
    tag = text[text.rfind(opening) :] if opening in text else text
    said = _("“%(tag)s” is not closed: write %(closing)s at its end.")
    return wrong.line, said % {"tag": _short(tag), "closing": closing}


def _never_ended(source: str, wrong: BadTemplate) -> tuple[int | None, str] | None:
    if not wrong.brief.startswith("expected tag end"):
        return None
    open_ones: list[tuple[str, str, int]] = []
    for name, tag, line in _tags(source):
        if name in _ENDED:
            open_ones.append((name, tag, line))
        elif name.startswith("end") and open_ones:
            open_ones.pop()
    if not open_ones:
        return None
    name, tag, line = open_ones[-1]
    said = _("“%(tag)s” has no end: write {%% end%(name)s %%} where it should end.")
    return line, said % {"tag": _short(tag), "name": name}


def _unknown_filter(source: str, wrong: BadTemplate) -> tuple[int | None, str] | None:
    found = re.match(r"unknown filter '(.+)'", wrong.brief)
    if found is None:
        return None
    said = _('There is no filter called “%(name)s”; a fallback is written | default: "there".')
    return wrong.line, said % {"name": found[1]}


def _unknown_tag(source: str, wrong: BadTemplate) -> tuple[int | None, str] | None:
    found = re.match(r"unexpected tag '(.+)'", wrong.brief)
    if found is None:
        return None
    name = found[1]
    if name.startswith("end") or name in {"else", "elsif", "when"}:
        said = _("“{%% %(name)s %%}” stands alone: nothing was begun that it could belong to.")
    else:
        said = _("There is no tag called “%(name)s”. There are: if, unless, case, for, assign.")
    return wrong.line, said % {"name": name}


def _empty(source: str, wrong: BadTemplate) -> tuple[int | None, str] | None:
    found = _EMPTY.search(source) if "primitive expression" in wrong.brief else None
    if found is None:
        return None
    return _line_at(source, found.start()), _("There is nothing between {{ and }}: name a tag.")


def _unreadable(source: str, wrong: BadTemplate) -> tuple[int | None, str] | None:
    if "expected end of expression" not in wrong.brief or wrong.line is None:
        return None
    line = _the_line(source, wrong.line)
    tag = next((one for one in re.findall(r"\{[{%].*?[}%]\}", line)), line)
    if wrong.brief.endswith("'='"):
        said = _("“%(tag)s” cannot be read: two things are compared by ==.")
    elif wrong.brief.endswith("string"):
        said = _('“%(tag)s” cannot be read: a colon stands after default, as in default: "there".')
    else:
        said = _(
            "“%(tag)s” cannot be read. A tag is a name without blanks, as {{ subscriber.name }}."
        )
    return wrong.line, said % {"tag": _short(tag)}


def _tags(source: str) -> Iterator[tuple[str, str, int]]:
    for found in _TAG.finditer(source):
        yield found[1], found[0], _line_at(source, found.start())


def _line_at(source: str, place: int) -> int:
    return source.count("\n", 0, place) + 1


def _the_line(source: str, number: int) -> str:
    lines = source.split("\n")
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def _short(tag: str) -> str:
    tag = " ".join(tag.split())
    return tag if len(tag) <= _LONGEST else f"{tag[:_LONGEST]}…"
