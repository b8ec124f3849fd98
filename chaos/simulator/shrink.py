"""The smallest schedule that still fails in the same way: fewer choices, and more of them 0."""

from __future__ import annotations

import time
from collections.abc import Callable

from chaos.simulator.schedule import Verdict, run
from chaos.simulator.stage import Stage

PATIENCE = 60.0  # seconds


def shrink(stage: Stage, failed: Verdict, patience: float = PATIENCE) -> Verdict:
    """A verdict of the same kind on a schedule in which as little as possible happens."""
    kind = _kind(failed)
    end = time.monotonic() + patience
    best = failed

    def fails(choices: list[int]) -> bool:
        nonlocal best
        found = run(stage, failed.seed, choices)
        if kind & _kind_of(found.wrong):
            best = found
            return True
        return False

    made = _without_tail(list(failed.made), fails)
    size = max(len(made) // 2, 1)
    while size and time.monotonic() < end:
        made = _pass(made, size, fails, end)
        size //= 2
    return best


def _without_tail(made: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
    low, high = 0, len(made)
    while low < high:
        middle = (low + high) // 2
        if fails(made[:middle]):
            high = middle
        else:
            low = middle + 1
    return made[:high]


def _pass(made: list[int], size: int, fails: Callable[[list[int]], bool], end: float) -> list[int]:
    """Each stretch of this size set to zeros where it still fails."""
    for at in range(0, len(made), size):
        stretch = made[at : at + size]
        if not any(stretch) or time.monotonic() > end:
            continue
        tried = made[:at] + [0] * len(stretch) + made[at + size :]
        if fails(tried):
            made = tried
    return made


def _kind(verdict: Verdict) -> set[str]:
    return _kind_of(verdict.wrong)


def _kind_of(wrong: list[str]) -> set[str]:
    """The first words of each: which invariant it is."""
    return {one[:3] for one in wrong}
