"""`make run` in the folder of the clone: how it begins, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from mailape.config.variables import VARIABLES
from tests.house.instances import Instance

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [
    pytest.mark.processes,
    pytest.mark.once,
    pytest.mark.skipif(not settings.EMBEDDED_DATABASE, reason="make run is the embedded default"),
    pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="would make another .venv"),
]
Started = tuple[Instance, "subprocess.Popen[bytes]"]


@pytest.fixture
def started(processes: Callable[..., Instance]) -> Iterator[Started]:
    """An instance that `make run` started and that serves."""
    # Emptied, because `.env` of this folder is the developer's.
    site = processes(**{v.name: "" for v in VARIABLES if v.name not in {"MAILAPE_DATA", "PORT"}})
    make = site.start_program("make", "run", cwd=ROOT)
    site.wait_ready(process=make)
    return site, make


def test_it_prints_the_address_and_the_set_up_link(started: Started) -> None:
    site, _ = started
    said = site.wait_said(f"{site.url}/setup/")
    assert "Traceback" not in said


def test_ctrl_c_ends_it_and_leaves_no_process(started: Started) -> None:
    site, make = started
    os.killpg(make.pid, signal.SIGINT)
    make.wait(20)
    site.wait_gone(within=2)
    assert "Traceback" not in site.output()


def test_sigterm_to_make_ends_it_and_leaves_no_process(started: Started) -> None:
    site, make = started
    site.stop(make, signal.SIGTERM, within=20)
    site.wait_gone(within=2)
    assert "Traceback" not in site.output()


def test_kill_9_of_make_takes_everything_along(started: Started) -> None:
    site, make = started
    site.stop(make, signal.SIGKILL)
    site.wait_gone(within=20)


def test_a_second_start_goes_on_with_the_same_data(started: Started) -> None:
    site, make = started
    key = (site.data / "secret-key").read_text()
    site.stop(make, signal.SIGTERM, within=20)
    again = site.start_program("make", "run", cwd=ROOT)
    site.wait_ready(process=again)
    assert (site.data / "secret-key").read_text() == key
