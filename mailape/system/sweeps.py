"""The periodic tasks: when each ran last, how long it took, whether it is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailape.core import runs
from mailape.core.models import TaskRun


@dataclass(frozen=True)
class Sweep:
    """One periodic task and its last run, if it ever ran."""

    name: str
    every: timedelta
    run: TaskRun | None
    is_late: bool


def look(beat_since: datetime | None) -> list[Sweep]:
    """Each of them, beat having run since then. One query."""
    found = {run.name: run for run in TaskRun.objects.filter(name__in=runs.EVERY)}
    return [
        Sweep(name, every, found.get(name), runs.is_late(found.get(name), name, beat_since))
        for name, every in runs.EVERY.items()
    ]
