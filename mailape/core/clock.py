"""The one clock. Nothing else asks the machine for the time, so that tests can move it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta(0)
# On Linux the one that goes on while the machine is suspended: a worker that wakes up an hour later
# must find that its leases are over.
_UNMOVED: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC) + _offset


def monotonic() -> float:
    """Seconds that only grow: for leases and time limits, which a moved clock must not touch."""
    return time.clock_gettime(_UNMOVED)


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """For tests: the clock of this process runs `by` ahead inside the block."""
    global _offset
    before, _offset = _offset, _offset + by
    try:
        yield
    finally:
        _offset = before
