"""A short selection of `chaos` for every run of the suite; `make chaos` runs all of it, for longer.

Each row is a process of its own: it sets up Django for the instance that it breaks. Slow, because
an instance has to start, be broken a few times and come to rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from chaos.rows import ROWS

pytestmark = [pytest.mark.processes, pytest.mark.slow]
ROOT = Path(__file__).resolve().parent.parent
STACK = "embedded" if settings.EMBEDDED_DATABASE else "production"
# Which, how many faults, and with which seed.
# What a server does is once the same for every stack, and takes half a minute.
SHORT = [
    pytest.param("kill-sender", 5, 11, id="kill-sender"),
    pytest.param("smtp-cut", 12, 12, id="smtp-cut", marks=pytest.mark.once),
]


def run(row: str, number: int, seed: int) -> dict[str, object]:
    command = [sys.executable, "-m", "chaos", "--row", row, "--stack", STACK]
    more = ["--n", number, "--seed", seed, "--people", 250]
    done = subprocess.run(
        [*command, *map(str, more)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr[-6000:] + done.stdout[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("row", "number", "seed"), SHORT)
def test_everything_holds(row: str, number: int, seed: int) -> None:
    result = run(row, number, seed)
    assert result["injections"] == number
    assert result["mails"]
    assert not any(result[name] for name in ("lost", "stuck", "unexpected", "findings"))


def test_every_row_says_what_it_is_about_and_breaks_something() -> None:
    for row in ROWS.values():
        assert row.about
        assert row.faults
        assert set(row.stacks) <= {"embedded", "production"}
