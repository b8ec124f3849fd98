"""Runs the suite: `python -m tests.house all`, or `embedded`, `postgres`, `lint`, `pythons`.

What follows is given to pytest. The last line is `N passed, N failed, N skipped` over all steps;
the exit code is 0 only when something passed and nothing failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from tests.house import parts, servers, steps
from tests.house.steps import Result

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PYTHONS = ("python3.11", "python3.12", "python3.13")
EMBEDDED = "SQLite + embedded broker"
PRODUCTION = "PostgreSQL + Redis"


def lint() -> list[Result]:
    """All that can be seen without running MailApe's code, and the migrations."""
    return [
        steps.check("ruff check", BIN / "ruff", "check", "."),
        steps.check("ruff format", BIN / "ruff", "format", "--check", "."),
        steps.check("mypy", BIN / "mypy"),
        steps.check("order of layers", BIN / "lint-imports"),
        steps.check(
            "no migration missing",
            *(sys.executable, "-m", "tests.house.manage", "makemigrations", "--check", "--dry-run"),
        ),
    ]


def suite(stack: str, words: list[str], variables: dict[str, str], browser: bool) -> list[Result]:
    """The tests on one stack: the quick ones, then those with processes, then the journeys."""
    if words:
        return [steps.tests(f"picked tests on {stack}", words, variables)]
    cores = len(os.sched_getaffinity(0))
    # One more than cores, because all of them wait at times. There are numbers of Redis for four.
    workers = ["-n", str(min(cores + 1, 4)), "--dist"]
    but = " and not once" if stack == PRODUCTION else ""
    runs = {
        "tests": ["-m", f"not journey and not processes{but}", *workers, "worksteal"],
        "processes": [
            *("-m", f"processes and not journey{but}", *workers, "worksteal"),
            *holding("processes"),
        ],
        # By file, because each worker that meets one starts an instance and fills it.
        "journeys": [
            *("-m", f"journey{but}", *workers, "loadfile"),
            *holding("journey"),
        ],
    }
    if not browser:
        del runs["journeys"]
    slowest = ["--durations=8", "--durations-min=2"]
    return [
        steps.tests(f"{name} on {stack}", [*run, *slowest], variables) for name, run in runs.items()
    ]


def holding(marker: str) -> list[str]:
    """The files with tests of this marker: to look through all takes each worker some seconds."""
    files = [*(ROOT / "mailape").rglob("test_*.py"), *(ROOT / "tests").rglob("test_*.py")]
    found = [one for one in files if f"pytest.mark.{marker}" in one.read_text("utf-8")]
    return sorted(str(one.relative_to(ROOT)) for one in found)


def production(words: list[str], browser: bool) -> list[Result]:
    """The tests on PostgreSQL and Redis, which are started for it."""
    try:
        with servers.production_stack() as stack:
            return suite(PRODUCTION, words, stack.variables(), browser)
    except servers.NotStarted as fault:
        print(fault, file=sys.stderr)
        return [Result(f"start of {PRODUCTION}", failed=1)]


def pythons(words: list[str]) -> list[Result]:
    """The quick tests on the embedded default, on each Python that is found."""
    results = []
    for name in PYTHONS:
        python = parts.find_python(name)
        if python is None:
            print(f"{name} is not here: not run")
            continue
        venv = ROOT / f".venv-{name}"
        environment = {**os.environ, "PYTHON": str(python), "MAILAPE_VENV": venv.name}
        subprocess.run([ROOT / "requirements/venv.sh", "dev"], env=environment, check=True)
        command = [venv / "bin/python", "-m", "tests.house", "embedded"]
        picked = words or ["-m", "not journey and not processes", "-n", "2", "-q"]
        results.append(steps.check(f"quick tests on {name}", *command, *picked))
    return results


def close(results: list[Result], missing: list[parts.Part]) -> int:
    """The closing table, what was not run, and the last line; returns the exit code."""
    steps.heading("what came of it")
    width = max(len(result.name) for result in results)
    print(f"{'':{width}}  passed  failed  skipped  seconds")
    for r in results:
        row = f"{r.passed:8}{r.failed:8}{r.skipped:9}{r.seconds:9.1f}"
        print(f"{r.name:{width}}{row}{'   <-- FAILED' if r.failed else ''}")
    if missing:
        names = " and ".join(part.name for part in missing)
        print(f"\n!!! NOT RUN: what needs {names}, which this machine lacks. To add it:")
        print(f"!!!     {parts.line_that_adds(missing)}")
    passed, failed, skipped = (
        sum(getattr(r, kind) for r in results) for kind in ("passed", "failed", "skipped")
    )
    if not passed and not failed:
        print("\nNo test ran.", file=sys.stderr)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 0 if passed and not failed else 1


def provide(wanted: list[parts.Part]) -> tuple[list[parts.Part], list[Result]]:
    """What is missing still, and that as failures where nothing may be missing (CI=true)."""
    missing = parts.provide(wanted)
    strict = os.environ.get("CI", "").lower() in {"1", "true"}
    return missing, [Result(f"{part.name} is missing", failed=1) for part in missing if strict]


def main(what: str, words: list[str]) -> int:
    """Runs one of the makefile's targets."""
    if what == "lint":
        return close(lint(), [])
    if what == "pythons":
        return close(pythons(words), [])
    embedded, postgres = what in {"all", "embedded"}, what in {"all", "postgres"}
    wanted = [parts.POSTGRES, parts.REDIS] if postgres else []
    missing, results = provide([*wanted, parts.CHROMIUM, parts.OPENDKIM])
    browser = parts.CHROMIUM not in missing
    if what == "all" and not words:
        results += lint()
    if embedded:
        results += suite(EMBEDDED, words, {}, browser)
    if postgres and not set(wanted) & set(missing):
        results += production(words, browser)
    return close(results, missing)


def _end_on_signal(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    os.chdir(ROOT)
    # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, _end_on_signal)
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
