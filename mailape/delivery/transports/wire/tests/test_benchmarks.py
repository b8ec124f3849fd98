"""The benchmarks of the wire run and print what they promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]


def last_line(*command: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("option", ["--own-sink", "--chunking"])
def test_the_wire(option: str) -> None:
    figures = last_line("benchmarks.wire", "--own-sink", option, "--mails", "400")
    assert {"rate", "limit", "ratio", "us", "blocking", "smtplib"} <= set(figures)
    assert figures["us"]


def test_the_distance() -> None:
    figures = last_line("benchmarks.latency", "--mails", "64", "--round-trip", "5")
    assert figures["pipelined"] > figures["one_by_one"] > 0  # type: ignore[operator]
