"""Two texts that began as one, put together line by line: both people's words are in it.

What only one of them changed is taken from that one. Where both changed the same lines, both stand
in the result, theirs first, and it is not `clean`: somebody has to read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_LINES = 5_000  # beyond, comparing takes seconds


@dataclass(frozen=True)
class Both:
    """The text of both, and whether no line of it was changed by both."""

    text: str
    clean: bool


def together(base: str, mine: str, theirs: str) -> Both:
    """`mine` and `theirs`, which both began as `base`, in one text."""
    lines = [_lines(text) for text in (base, mine, theirs)]
    if max(len(one) for one in lines) > MOST_LINES:
        return Both(theirs + mine, clean=mine == theirs)
    done: list[str] = []
    clean = True
    for old, ours, other in _pieces(*lines):
        if ours == other or other == old:
            done += ours
        elif ours == old:
            done += other
        else:
            clean = False
            done += other + ours
    return Both("".join(done).removesuffix("\n"), clean)


def _lines(text: str) -> list[str]:
    # Each ends with a line break, the last too, so that lines put together never grow into one.
    return [line + "\n" for line in text.split("\n")]


def _pieces(
    base: list[str], mine: list[str], theirs: list[str]
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """The three texts in pieces that belong together: alike in all, then changed in one or both."""
    at, ours, other = 0, 0, 0
    for start, size, in_mine, in_theirs in _alike(base, mine, theirs):
        yield base[at:start], mine[ours:in_mine], theirs[other:in_theirs]
        same = base[start : start + size]
        yield same, same, same
        at, ours, other = start + size, in_mine + size, in_theirs + size
    yield base[at:], mine[ours:], theirs[other:]


def _alike(
    base: list[str], mine: list[str], theirs: list[str]
) -> Iterator[tuple[int, int, int, int]]:
    """Runs of lines that stand in all three: where in the base, how many, where in the others."""
    first = SequenceMatcher(None, base, mine, autojunk=False).get_matching_blocks()
    second = SequenceMatcher(None, base, theirs, autojunk=False).get_matching_blocks()
    i = j = 0
    while i < len(first) and j < len(second):
        a, b = first[i], second[j]
        start, end = max(a.a, b.a), min(a.a + a.size, b.a + b.size)
        if start < end:
            yield start, end - start, a.b + start - a.a, b.b + start - b.a
        if a.a + a.size < b.a + b.size:
            i += 1
        else:
            j += 1
