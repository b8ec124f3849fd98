"""Tasks for tests of the workers, loaded by `mailape worker` where MAILAPE_TEST_TASKS says so."""

from __future__ import annotations

import time
from pathlib import Path

from celery import shared_task

MODULE = __name__


@shared_task(name="probe.mark")
def mark(file: str, number: int, seconds: float = 0.0) -> None:
    """Works for `seconds`, then adds a line to `file`."""
    Path(f"{file}.begun").touch()
    time.sleep(seconds)
    with open(file, "a", encoding="ascii") as marks:
        marks.write(f"{number}\n")


@shared_task(name="probe.die")
def die() -> None:
    """Fails."""
    raise ZeroDivisionError("as it was meant to")
