"""Who one is, who is dead, and dying together with one's parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailape.core import processes

TELLS_ITS_NAME = """
import sys
from mailape.core import processes
print(processes.identity(), flush=True)
sys.stdin.readline()
"""
HAS_A_CHILD = """
import os, subprocess, sys, time
child = "import time; from mailape.core import processes; processes.die_with_parent();" \\
    "print('here', flush=True); time.sleep(60)"
environment = {**os.environ, "MAILAPE_PARENT": str(os.getpid())}
made = subprocess.Popen([sys.executable, "-c", child], env=environment)
print(made.pid, flush=True)
time.sleep(60)
"""


def _start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_this_process_is_alive() -> None:
    assert not processes.is_dead(processes.identity())
    assert processes.same_boot(processes.identity())


def test_another_is_dead_once_it_was_killed_even_before_anyone_fetched_it() -> None:
    with _start(TELLS_ITS_NAME) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        assert not processes.is_dead(name)
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
        assert processes.is_dead(name)
    assert processes.is_dead(name)


def test_a_pid_that_was_given_away_again_is_another_process() -> None:
    *place, birth = processes.identity().split("/")
    assert processes.is_dead("/".join([*place, str(int(birth) - 1)]))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_of_another_host_boot_or_container_nothing_is_known(part: int) -> None:
    parts = processes.identity().split("/")
    parts[part], parts[3] = "elsewhere", "4194305"
    assert not processes.is_dead("/".join(parts))


@pytest.mark.parametrize("name", ["", "x", "a/b", "host:1:worker", "a/b/c/d/e", "/////"])
def test_a_name_that_is_none_is_not_called_dead(name: str) -> None:
    assert not processes.is_dead(name)
    assert not processes.same_boot(name)


def test_without_the_variable_nobody_dies_with_anybody() -> None:
    processes.die_with_parent()


@pytest.mark.once
@pytest.mark.processes
def test_a_child_dies_when_its_parent_is_killed() -> None:
    with _start(HAS_A_CHILD) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "here\n"
        parent.send_signal(signal.SIGKILL)
        assert _gone_within(child, 2)


@pytest.mark.once
@pytest.mark.processes
def test_a_child_whose_parent_died_before_it_looked_ends_itself() -> None:
    code = "from mailape.core import processes; processes.die_with_parent(); print('lives')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, processes.PARENT: "4194304"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")


def _gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.02)
    return False
