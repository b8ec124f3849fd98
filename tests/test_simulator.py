"""A short selection of the simulator for every run of the suite, and that it finds what is wrong.

`python -m chaos.simulate` runs as many schedules as one likes; docs/develop/chaos.md says more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chaos.simulator.choices import Choices
from chaos.simulator.machine import Host, Machine
from chaos.simulator.record import Record, Watched
from mailape.delivery.journal import JournalBroken
from mailape.delivery.transports.base import Fate, Mail, NoWitness, Outcome, Witness

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent


def simulate(*words: object) -> tuple[dict[str, Any], str]:
    """What it says at the end, and on the way."""
    done = subprocess.run(
        [sys.executable, "-m", "chaos.simulate", *map(str, words)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.stdout, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found, done.stderr


def test_every_schedule_holds() -> None:
    result, told = simulate("--schedules", 200, "--seed", 1)
    assert result["failed"] == 0, told[-6000:]
    assert result["deaths"] > 100
    assert result["mails"] > 400


@pytest.mark.parametrize(
    ("variant", "seed", "invariant"),
    [
        ("no_line_before_the_dot", 1, "I3"),
        ("no_line_after_the_answer", 1, "I3"),
        ("takes_what_is_leased", 1, "I"),
        ("doubt_is_forgotten", 1, "I3"),
        ("no_replay", 1, "I"),
        ("drops_what_was_piped", 1, "I3"),
        ("written_twice", 1, "I"),
    ],
)
def test_it_finds_what_is_wrong_on_purpose(variant: str, seed: int, invariant: str) -> None:
    """Each time within a hundred schedules, and with a seed that shows it again."""
    words = ["--broken", variant, "--no-shrink"]
    result, _ = simulate("--schedules", 100, "--seed", seed, *words)
    assert result["failed"] == 1
    (failure,) = result["failures"]
    assert any(one.startswith(invariant) for one in failure["wrong"])
    again, _ = simulate("--schedules", 1, "--seed", failure["seed"], *words)
    assert again["failures"] == result["failures"]


def test_a_failure_is_shrunk_to_what_it_takes() -> None:
    words = ["--broken", "doubt_is_forgotten"]
    whole, told = simulate("--schedules", 100, "--seed", 1, "--no-shrink", *words)
    small, shrunk = simulate("--schedules", 100, "--seed", 1, *words)
    assert small["failed"] == whole["failed"] == 1
    assert len(shrunk.splitlines()) <= len(told.splitlines())
    assert "arrived 2 times" in shrunk


class _Full(NoWitness):
    """A witness whose disk is full at first."""

    full = True

    def told(self) -> None:
        if self.full:
            raise JournalBroken("full")


class _Way:
    """A way out that only keeps its witness."""

    account_id = 1
    witness: Witness

    def send(self, mails: object, witness: Witness) -> Iterator[None]:
        self.witness = witness
        yield None


def test_an_answer_whose_line_was_lost_is_known_to_nobody_from_then_on() -> None:
    """A full disk takes a line, the next one is written: of the first, nothing is known.

    A schedule in which its sender died before the database had it was called wrong by mistake.
    """
    machine = Machine(Choices(1), lambda process: None)
    machine.current = machine.start(Host("host", Path("nowhere")))
    record, witness, way = Record(machine), _Full(), _Way()
    list(Watched(way, record).send([], witness))
    for delivery in (3, 4):
        way.witness.before_dot(Mail(delivery, "ann@example.org", "eve@example.org", b""))
        way.witness.answered(Outcome(delivery, Fate.SENT))
        with suppress(JournalBroken):
            way.witness.told()
        witness.full = False
    assert [record.doubts(delivery) for delivery in (3, 4)] == [1, 0]
