"""Answers that take the same time whether an address is known or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mailape.core import clock

# More than the slowest honest path needs on a small machine, less than a person notices.
AT_LEAST = 0.15


@contextmanager
def evenly(at_least: float | None = None) -> Iterator[None]:
    """The block takes `at_least` seconds, whatever happens in it."""
    start = clock.monotonic()
    try:
        yield
    finally:
        left = (AT_LEAST if at_least is None else at_least) - (clock.monotonic() - start)
        if left > 0:
            time.sleep(left)
