"""A fail point does what its file says, once, and nothing where nobody armed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailape.core import failpoints
from mailape.core.failpoints import VARIABLE, Points

COUNTS = """
import sys
from mailape.core import failpoints
for number in range(1, 6):
    print(number, flush=True)
    failpoints.reach("here")
"""


def run(folder: Path | str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", COUNTS],
        env={**os.environ, VARIABLE: str(folder)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.split()


def test_without_the_variable_a_place_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("kill")
    assert run("") == (0, ["1", "2", "3", "4", "5"])
    assert (tmp_path / "here").exists()


def test_without_the_variable_a_place_costs_next_to_nothing() -> None:
    assert failpoints.reach.__name__ == "_nothing"
    start = time.perf_counter()
    for _ in range(100_000):
        failpoints.reach("here")
    assert time.perf_counter() - start < 0.1  # a microsecond each, ten times what it takes


def test_an_armed_place_kills_the_first_that_gets_there_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("kill")
    assert run(tmp_path) == (-signal.SIGKILL, ["1"])
    assert run(tmp_path) == (0, ["1", "2", "3", "4", "5"])


def test_the_third_time_is_the_third_time(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("kill 3")
    assert run(tmp_path) == (-signal.SIGKILL, ["1", "2", "3"])


def test_another_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kill")
    assert run(tmp_path)[0] == 0


def test_a_place_can_wait_and_fail(tmp_path: Path) -> None:
    points = Points(tmp_path)
    (tmp_path / "slow").write_text("wait 0.05")
    start = time.monotonic()
    points.reach("slow")
    points.reach("slow")
    assert 0.05 <= time.monotonic() - start < 0.09
    (tmp_path / "full").write_text("fail")
    with pytest.raises(OSError, match="No space left"):
        points.reach("full")
    points.reach("full")
