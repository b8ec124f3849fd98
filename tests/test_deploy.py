"""The systemd units say what the commands know, and systemd itself finds nothing wrong in them.

They are read and verified, not run: a machine of the tests has no systemd to start them.
"""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import load_command_class

from mailape.__main__ import COMMANDS
from mailape.config.variables import VARIABLES, read_env_file
from mailape.core import bell
from mailape.ops import supervise
from mailape.ops.management.commands import web

pytestmark = pytest.mark.once
UNITS = Path(__file__).resolve().parent.parent / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
PROGRAM = "/opt/mailape/.venv/bin/mailape"


def unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=True, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string((UNITS / name).read_text(encoding="utf-8"))
    return found


def commands(name: str) -> Iterator[list[str]]:
    """The words after the program of each command that a unit runs."""
    service = unit(name)["Service"]
    for key in ("ExecStartPre", "ExecStart"):
        if key in service:
            program, *words = shlex.split(service[key])
            assert program == PROGRAM
            yield words


@pytest.mark.parametrize("name", SERVICES)
def test_each_unit_runs_a_command_that_takes_its_words(name: str) -> None:
    for command, *words in commands(name):
        assert command in COMMANDS
        load_command_class("mailape.ops", command).create_parser("mailape", command).parse_args(
            words
        )


def test_the_target_starts_web_beat_and_a_worker_for_every_queue() -> None:
    wanted = unit("mailape.target")["Unit"]["Wants"].split()
    names = [name.replace("@1", "@") for name in wanted]
    assert set(names) == set(SERVICES) - {"mailape.service"}
    words = [words for name in names for words in commands(name)]
    served = {queue for one in words if one[0] == "worker" for queue in one[-1].split(",")}
    assert served == set(bell.QUEUES.values())
    assert {one[0] for one in words} == {"migrate", "web", "worker", "beat"}


@pytest.mark.parametrize("name", SERVICES)
def test_each_unit_waits_for_the_work_under_way(name: str) -> None:
    service = unit(name)["Service"]
    needs = {"mailape.service": supervise.GRACE, "mailape-web.service": web.STOP_WITHIN}
    assert float(service["TimeoutStopSec"]) > needs.get(name, 5)
    assert service["KillMode"] == "mixed", (
        "a signal to the children would kill a task in its middle"
    )
    assert service["Restart"] == "always"
    assert service["User"] == "mailape"


def test_the_example_of_variables_is_right() -> None:
    text = (UNITS / "env.example").read_text(encoding="utf-8")
    given = [line.lstrip("#") for line in text.splitlines() if not line.startswith("# ")]
    known = {variable.name: variable for variable in VARIABLES}
    for name, _, value in (line.partition("=") for line in given if line):
        known[name].parse(value)
    assert read_env_file(UNITS / "env.example")["MAILAPE_DATA"] == "/var/lib/mailape"
    assert unit("mailape.service")["Service"]["StateDirectory"] == "mailape"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        # The program need not lie here for its unit to be right.
        text = path.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        name = path.name.replace("@.", "@1.")
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = sorted(
        str(path) for path in tmp_path.iterdir() if path.suffix in {".service", ".target"}
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "mailape" in line]
    assert said == []
