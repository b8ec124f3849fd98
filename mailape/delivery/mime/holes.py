"""Plain text without the holes that merge tags leave where they hold nothing.

A block of logic on lines of its own that writes nothing would leave its blank lines behind, two of
them or four. So more than one empty line becomes one, and a text begins with no blank and ends with
one line end. What the template says by itself is tidied once, here; lines that hold nothing but
slots are set apart as a `Region`, which is tidied when it is known what they hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from mailape.delivery.mime.slots import Mark, Part, Slot

_SURPLUS = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_Line = list[Part]


@dataclass(frozen=True, slots=True)
class Region:
    """Lines that hold nothing but slots, with the blank lines and line ends round them."""

    parts: tuple[str | Slot, ...]
    first: bool = False  # the text begins with it
    last: bool = False  # the text ends with it

    def tidied(self, filled: str) -> str:
        """What its parts hold, all together, without the holes."""
        return tidied(filled, first=self.first, last=self.last)


def tidied(text: str, *, first: bool = True, last: bool = True) -> str:
    """A text without the holes; no blank before it if it is `first`, one line end if `last`."""
    text = _SURPLUS.sub("\n\n", text.lstrip() if first else text)
    return text.rstrip() + "\n" if last else text


def set_apart(parts: list[Part]) -> list[Part | Region]:
    """The parts of a text, tidied, with its regions as one part each."""
    runs = [list(run) for _, run in groupby(_lines(parts), key=_is_solid)]
    done: list[Part | Region] = []
    for number, run in enumerate(runs):
        first, last = number == 0, number == len(runs) - 1
        done += _solid(run, last) if _is_solid(run[0]) else _hollow(run, first, last)
    return done


def _solid(run: list[_Line], last: bool) -> list[Part | Region]:
    return [*_joined(run), *(["\n"] if last else [])]


def _hollow(run: list[_Line], first: bool, last: bool) -> list[Part | Region]:
    """Lines that say nothing by themselves: a region, or just the space between two others."""
    before, after = [] if first else ["\n"], [] if last else ["\n"]
    inside = [*before, *(p for p in _joined(run) if not isinstance(p, Mark)), *after]
    if any(isinstance(part, Slot) for part in inside):
        return [Region(tuple(inside), first, last)]
    if last:
        return ["\n"]
    return [] if first else [_SURPLUS.sub("\n\n", "".join(map(str, inside)))]


def _lines(parts: list[Part]) -> list[_Line]:
    """The parts by the lines that they stand on, without blanks at the ends of it all."""
    lines: list[_Line] = [[]]
    for number, part in enumerate(parts):
        if isinstance(part, str):
            text = part.lstrip() if number == 0 else part
            text = text.rstrip() if number == len(parts) - 1 else text
            first, *rest = text.split("\n")
            lines[-1].append(first)
            lines += [[line] for line in rest]
        else:
            lines[-1].append(part)
    return lines


def _is_solid(line: _Line) -> bool:
    return any(part.strip() if isinstance(part, str) else isinstance(part, Mark) for part in line)


def _joined(lines: list[_Line]) -> list[Part]:
    parts: list[Part] = []
    for number, line in enumerate(lines):
        parts += [*(["\n"] if number else []), *line]
    return [part for part in parts if part != ""]
