"""Rules that a reader of one change cannot see broken, held over the whole code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mailape"
CODE = sorted(p for p in PACKAGE.rglob("*.py") if not {"tests", "migrations"} & set(p.parts))
LONGEST = 500  # lines
# Written by hand, so that built and borrowed files (static/dist, static/vendor) may be longer.
WRITTEN = sorted(
    path
    for folder in ("mailape", "tests", "benchmarks", "chaos", "deploy", "requirements")
    for kind in ("py", "html", "css", "js", "sh", "txt")
    for path in (ROOT / folder).rglob(f"*.{kind}")
    if not {"dist", "vendor", "migrations"} & set(path.parts) and path.parent.name != "requirements"
)


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file with its place and the dotted name of what is called."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def offences(wrong) -> list[str]:
    return [place for path in CODE for place, call in calls(path) if wrong(call)]


def test_there_is_code_to_look_at() -> None:
    assert len(CODE) > 40


def test_delays_are_columns_and_no_task_retries_itself() -> None:
    """ETA and countdown run twice beyond the broker's visibility timeout; the sweep rings again."""

    def wrong(call: ast.Call) -> bool:
        words = {keyword.arg for keyword in call.keywords}
        own_retry = isinstance(call.func, ast.Attribute) and call.func.attr == "retry"
        forbidden = {"eta", "countdown", "autoretry_for", "retry_backoff", "max_retries"}
        return own_retry or bool(words & forbidden)

    assert offences(wrong) == []


def test_time_comes_from_one_clock() -> None:
    """Tests move that clock; whoever asks the machine does not see it."""
    asked = {
        "datetime.now", "datetime.utcnow", "datetime.datetime.now", "timezone.now", "date.today",
        "time.time", "django.utils.timezone.now",
    }  # fmt: skip

    def wrong(call: ast.Call) -> bool:
        return ast.unparse(call.func) in asked

    assert [o for o in offences(wrong) if not o.startswith("mailape/core/clock.py")] == []


def test_only_transports_talk_smtp() -> None:
    """One path for every mail: nothing is mailed from a request."""
    mail = r"^\s*(?:from|import) (?:smtplib|aiosmtplib|django\.core\.mail)\b"
    found = [p.relative_to(PACKAGE) for p in CODE if re.search(mail, p.read_text("utf-8"), re.M)]
    assert [str(p) for p in found if p.parts[:2] != ("delivery", "transports")] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


def test_every_module_can_be_imported_without_a_warning(tmp_path: Path) -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in CODE]
    (tmp_path / "static").mkdir()  # as `mailape up` makes it
    imports = "\n".join(f"import {name}" for name in modules if not name.endswith("__main__"))
    start = "import django; django.setup()\n"
    variables = {
        "MAILAPE_DATA": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "mailape.config.settings",
        "PATH": "",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + imports],
        env=variables, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def pinned(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE))


def test_what_runs_is_what_is_tested() -> None:
    run, dev = pinned("run.txt"), pinned("dev.txt")
    assert len(run) > 30
    assert run.items() <= dev.items()


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_every_locked_package_has_a_hash(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
