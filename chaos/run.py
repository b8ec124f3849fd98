"""One run: what is ordered, what comes out of it, and the instance that it happens on."""

from __future__ import annotations

import atexit
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import django

from chaos.rig import Rig, rig
from chaos.rows import ROWS
from mailape.config.variables import VARIABLES
from tests.house import environment


@dataclass
class Result:
    """What a run prints. The numbers that must be 0 are lost, duplicates_unexplained, unexpected,
    stuck; `unsaved` counts what is sent twice because the engine keeps no journal yet."""

    row: str
    stack: str
    seed: int
    people: int
    injections: int = 0
    killed_processes: int = 0
    mails: int = 0
    messages: int = 0
    acts: int = 0
    lost: int = 0
    duplicates_explained: int = 0
    duplicates_unexplained: int = 0
    duplicates_unsaved: int = 0
    unexpected: int = 0
    stuck: int = 0
    states: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    points: dict[str, int] = field(default_factory=dict)
    recovery: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    drained: float = 0.0
    findings: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    row: str
    stack: str
    seed: int
    number: int  # of injections
    people: int
    keep_logs: str = ""


def run(order: Order, say: Callable[[str], None]) -> Result:
    """Runs it. Raises CannotRig where this machine lacks something that the row needs."""
    row = ROWS[order.row]
    started = time.monotonic()
    atexit.register(shutil.rmtree, environment.DATA, ignore_errors=True)
    with rig(replace(row.plan, stack=order.stack)) as r:
        _set_up_django(r)
        from chaos.story import Story  # only now: it needs the models

        result = Result(order.row, order.stack, order.seed, order.people)
        try:
            Story(order, row, r, result, say).tell()
        finally:
            if order.keep_logs:
                Path(order.keep_logs).write_text(r.instance.output())
        result.seconds = round(time.monotonic() - started, 1)
        return result


def _set_up_django(r: Rig) -> None:
    """This process becomes one more of the instance: it seeds, looks and counts by the deeds."""
    for name in [variable.name for variable in VARIABLES]:
        os.environ[name] = r.instance.variables.get(name, "")
    for name in ("DJANGO_SETTINGS_MODULE", "CHAOS_LEASE", "CHAOS_CLOCK"):
        os.environ[name] = r.instance.variables[name]
    if r.database_url:
        os.environ["DATABASE_URL"] = r.database_url
    os.environ["LOG_LEVEL"] = "CRITICAL"
    django.setup()
