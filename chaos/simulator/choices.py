"""Every decision of a schedule: drawn from its seed, written down, and played again.

A decision is a number, and 0 is always the harmless one: nothing happens, the next in turn goes
on. So a schedule is a list of numbers, a shorter list ends in peace, and one with more zeros is
simpler.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Drawn from `seed`; or, with `given`, played again, with 0 behind its end."""

    def __init__(self, seed: int, given: Sequence[int] | None = None) -> None:
        self.made: list[int] = []
        self._random = random.Random(seed)
        self._given = given

    def chance(self, likely: float) -> bool:
        """Whether something happens that happens with this likelihood."""
        if self._given is not None:
            return bool(self._next())
        self.made.append(int(self._random.random() < likely))
        return bool(self.made[-1])

    def below(self, count: int) -> int:
        """A number from 0 to `count` - 1."""
        if count < 2:
            return 0
        if self._given is not None:
            return min(self._next(), count - 1)
        self.made.append(int(self._random.random() * count))
        return self.made[-1]

    def one_of(self, things: Sequence[T]) -> T:
        """One of these; the first is the harmless one."""
        return things[self.below(len(things))]

    def _next(self) -> int:
        place = len(self.made)
        assert self._given is not None
        self.made.append(self._given[place] if place < len(self._given) else 0)
        return self.made[-1]
