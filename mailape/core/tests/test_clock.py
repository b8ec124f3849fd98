"""The clock of leases and time limits."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from mailape.core import clock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has it")
def test_leases_are_measured_by_a_clock_that_goes_on_while_the_machine_is_suspended() -> None:
    """A worker that woke up after an hour took its leases for its own, and its looks for fresh."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    with clock.moved(timedelta(days=1)):
        between = clock.monotonic()
    assert before <= between <= time.clock_gettime(time.CLOCK_BOOTTIME)
