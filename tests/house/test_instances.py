"""The instances of the tests: each has data of its own, and nothing of it is left at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import pytest

from tests.house.instances import Instance, instance

pytestmark = pytest.mark.processes
Processes = Callable[..., Instance]
# A process whose child leaves its group and outlives it.
LEAVES_AN_ORPHAN = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
time.sleep(60)
"""


@pytest.mark.once
def test_a_command_that_fails_shows_what_it_said(processes: Processes) -> None:
    one = processes()
    with pytest.raises(AssertionError, match=r"no-such-command: .*mailape"):
        one.run("no-such-command")


def test_two_instances_share_no_database(processes: Processes) -> None:
    one, other = processes(), processes()
    one.run("migrate")
    assert one.run("migrate", "--check").returncode == 0
    assert other.run("migrate", "--check", check=False).returncode == 1


def test_a_copy_of_one_that_was_migrated_is_migrated(processes: Processes) -> None:
    one = processes()
    one.migrate()
    assert one.run("migrate", "--check").returncode == 0


@pytest.mark.once
def test_a_wrong_variable_stops_the_start_with_one_sentence(processes: Processes) -> None:
    said = processes(PORT="eighty").run("check", check=False)
    assert said.returncode == 1
    assert said.stderr.startswith("mailape: PORT must be a number")
    assert said.stderr.count("\n") == 1


@pytest.mark.once
def test_at_the_end_every_process_is_gone_also_one_that_left_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = [sys.executable, "-c", LEAVES_AN_ORPHAN]
    monkeypatch.setattr("tests.house.instances._mailape", lambda *words: command)
    with instance() as one:
        leader = one.start("stubborn")
        while len(one.pids()) < 2:
            pass
        assert one.stop(leader, signal.SIGTERM) == -signal.SIGTERM
        assert len(one.pids()) == 1
        with pytest.raises(AssertionError, match="orphans"):
            one.wait_gone(within=0.1)
    assert one.pids() == []
