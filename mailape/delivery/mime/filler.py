"""From the parts of a body to pieces: encoded static text, and holes between it.

Static text is encoded and filled into lines here, once. A token of ours has a bounded width, so the
lines are filled round it as round a long word. Any other hole is set apart by soft breaks: what
fills it ends with one, so the text behind it always begins in column 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from mailape.delivery.mime import quoted
from mailape.delivery.mime.fields import TOKEN_WIDTH
from mailape.delivery.mime.holes import Region
from mailape.delivery.mime.slots import Mark, Part, Slot


class Address(NamedTuple):
    """A page of ours that a token leads to: the URL up to the token, and which token it is."""

    before: str
    token: str


@dataclass(frozen=True, slots=True)
class Token:
    """One of our tokens, by the name of its place in Links."""

    name: str


Hole = Slot | Region | Token
Piece = bytes | Hole


def fill(
    parts: Iterable[Part | Region], addresses: Mapping[str, Address], *, html: bool
) -> list[Piece]:
    """The pieces of a body, in order; static ones are as they go over the wire."""
    filler = _Filler()
    for part in parts:
        if isinstance(part, str):
            filler.text(part)
        elif isinstance(part, Mark):
            before, token = addresses[part.name]
            filler.text(escape(before) if html else before)
            filler.token(token)
        else:
            filler.hole(part)
    return filler.pieces()


class _Filler:
    """Collects pieces and knows in which column of its line the next one begins."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._column = 0

    def text(self, text: str) -> None:
        first, *rest = quoted.clean(text).split("\n")
        self._line(first)
        for line in rest:
            self._pieces.append(quoted.HARD_BREAK)
            self._column = 0
            self._line(line)

    def token(self, name: str) -> None:
        if self._column + TOKEN_WIDTH > quoted.COLUMNS:
            self._soft_break()
        self._pieces.append(Token(name))
        self._column += TOKEN_WIDTH

    def hole(self, hole: Slot | Region) -> None:
        if self._column:
            self._soft_break()
        self._pieces.append(hole)

    def pieces(self) -> list[Piece]:
        return self._pieces

    def _line(self, line: str) -> None:
        folded, self._column = quoted.fold(quoted.escape(line), self._column)
        self._pieces.append(folded)

    def _soft_break(self) -> None:
        self._pieces.append(quoted.SOFT_BREAK)
        self._column = 0
