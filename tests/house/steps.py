"""One step of the suite: a command run under a heading, and what became of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.house import servers

NOTHING_COLLECTED = 5  # pytest's exit code
GRACE = 30.0  # seconds that a step has to tidy up after a signal


@dataclass(frozen=True)
class Result:
    """What became of a step. `seconds` is wall-clock time."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def heading(text: str) -> None:
    """Prints a line that parts one step from the next."""
    print(f"\n──── {text} ".ljust(90, "─"), flush=True)


def check(name: str, *command: str | Path) -> Result:
    """A command that is right or wrong as a whole: one passed or one failed."""
    heading(name)
    start = time.monotonic()
    code = run(command, {})
    print("ok" if code == 0 else f"failed (exit code {code})", flush=True)
    return Result(name, int(code == 0), int(code != 0), 0, time.monotonic() - start)


def tests(name: str, words: Sequence[str], variables: Mapping[str, str]) -> Result:
    """A run of pytest with `words` behind it; the counts are read from its report."""
    heading(name)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mailape-report-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *words]
        code = run(command, variables)
        passed, failed, skipped = _counts(report)
    if code not in {0, NOTHING_COLLECTED} and not failed:
        failed = 1  # broken before or after the tests themselves: never green
    return Result(name, passed, failed, skipped, time.monotonic() - start)


def _counts(report: Path) -> tuple[int, int, int]:
    if not report.exists():
        return 0, 0, 0
    total = failed = skipped = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return max(total - failed - skipped, 0), failed, skipped


def run(command: Sequence[str | Path], variables: Mapping[str, str]) -> int:
    """Runs a command to its end and returns its exit code.

    When a signal ends us (KeyboardInterrupt, SystemExit), the command gets SIGINT and time to stop
    what it started itself. `subprocess.call` would kill it after a quarter of a second.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
    # Each of a dozen pytests, and every process that they start, would compile everything anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    words = [*servers.dies_with_us(signal.SIGINT), *map(str, command)]
    child = subprocess.Popen(words, env=environment)
    try:
        return child.wait()
    except BaseException:
        _end(child)
        raise


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGINT)
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
