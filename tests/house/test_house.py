"""The house says the truth at the end: what passed, what failed, what was not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import __main__ as house
from tests.house import parts, steps
from tests.house.steps import Result

pytestmark = pytest.mark.once
ABSENT = parts.Part("Abacus", "abacus", lambda: None)
PRESENT = parts.Part("Shell", "dash", lambda: Path("/bin/sh"))


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_the_last_line_sums_all_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert house.close([Result("one", passed=3), Result("two", passed=2, skipped=1)], []) == 0
    assert last_line(capsys) == "5 passed, 0 failed, 1 skipped"


def test_one_failure_fails_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert house.close([Result("one", passed=3), Result("two", failed=1)], []) == 1
    assert last_line(capsys) == "3 passed, 1 failed, 0 skipped"


def test_no_test_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert house.close([Result("one", skipped=4)], []) == 1
    assert "No test ran" in capsys.readouterr().err


def test_a_plain_user_is_told_what_was_not_run_and_how_to_add_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("CI", raising=False)
    missing, failures = house.provide([PRESENT, ABSENT])
    assert (missing, failures) == ([ABSENT], [])
    assert house.close([Result("one", passed=1)], missing) == 0
    said = capsys.readouterr().out
    assert "NOT RUN: what needs Abacus" in said
    assert "sudo apt-get install --no-install-recommends abacus" in said


def test_in_ci_a_missing_part_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("CI", "true")
    assert house.provide([ABSENT])[1] == [Result("Abacus is missing", failed=1)]


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        ("def test_it(): pass", (1, 0, 0)),
        ("def test_it(): assert False", (0, 1, 0)),
        ("import pytest\ndef test_it(): pytest.skip()", (0, 0, 1)),
        ("import pytest\n@pytest.fixture\ndef f(): 1 / 0\ndef test_it(f): pass", (0, 1, 0)),
        ("import no_such_module", (0, 1, 0)),
        ("import os, signal\ndef test_it(): os.kill(os.getpid(), signal.SIGKILL)", (0, 1, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_a_run_is_counted_as_what_it_was(
    tmp_path: Path, body: str, counts: tuple[int, int, int]
) -> None:
    (tmp_path / "test_it.py").write_text(body)
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    found = steps.tests("one", ["-c", os.devnull, str(tmp_path)], alone)
    assert (found.passed, found.failed, found.skipped) == counts


def test_nothing_of_a_developers_own_configuration_reaches_a_test(tmp_path: Path) -> None:
    code = (
        "import os; from tests.house import environment;"
        "from mailape.config import variables;"
        "print({n: v for n, v in variables.read(variables.gather()).items() if v})"
    )
    own = {"SMTP_URL": "smtp://mail.example.org", "DEFAULT_FROM": "me@example.org", "PORT": "1"}
    (tmp_path / ".env").write_text("SMTP_URL=smtp://mail.example.org\nSIGNUP=open\n")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "example.org" not in done.stdout
    assert "open" not in done.stdout


def test_tests_never_touch_a_database_elsewhere() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/test_ground.py"],
        env={**os.environ, "DATABASE_URL": "postgresql://db.example.org/news"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "DATABASE_URL is not on this machine" in done.stderr
