"""requirements/venv.sh makes a virtual environment, sees that it is made, and heals a broken one.

The package here is an empty one with flit_core as its whole lock: each making takes seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house import parts
from tests.house.__main__ import PYTHONS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = """
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"
[project]
name = "nothing"
version = "1"
description = "Nothing."
"""

pytestmark = pytest.mark.once


class Clone:
    """A folder with venv.sh in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "requirements").mkdir(parents=True)
        shutil.copy(ROOT / "requirements/venv.sh", folder / "requirements/venv.sh")
        lock = (ROOT / "requirements/run.txt").read_text("utf-8")
        (flit,) = re.findall(r"^flit-core==.*\n(?: .*\n)+", lock, re.MULTILINE)
        for name in ("run", "dev"):
            (folder / f"requirements/{name}.txt").write_text(flit)
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "nothing.py").write_text("")

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    def make(
        self, lock: str = "run", path: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHON"}
        environment = {**clean, "PATH": path or _path(), **variables}
        return subprocess.run(
            ["/bin/sh", "requirements/venv.sh", lock],
            cwd=self.folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip

    def works(self) -> bool:
        code = "import nothing; print(nothing.__file__)"
        done = subprocess.run(
            [self.venv / "bin/python", "-c", code], capture_output=True, text=True
        )
        return done.stdout.strip() == str(self.folder / "nothing.py")

    def made_at(self) -> float:
        return (self.venv / "pyvenv.cfg").stat().st_mtime


def _path() -> str:
    # The Python that runs the tests, not one that a venv or a shim would put before it.
    return f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone whose venv is made; tests leave it whole."""
    clone = Clone(tmp_path_factory.mktemp("clone") / "with a blank")
    done = clone.make()
    assert done.returncode == 0, done.stderr
    return clone


def test_it_is_made_from_the_lock(made: Clone) -> None:
    assert made.works()
    assert not (made.venv / "half-made").exists()


def test_the_second_time_takes_a_moment_and_says_nothing(made: Clone) -> None:
    start, before = time.monotonic(), made.made_at()
    done = made.make()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - start < 2
    assert made.made_at() == before


def test_a_changed_lock_is_installed_into_it(made: Clone) -> None:
    before = made.made_at()
    with (made.folder / "requirements/run.txt").open("a") as lock:
        lock.write("# a word more\n")
    done = made.make()
    assert "Making .venv" in done.stderr
    assert made.made_at() == before
    assert made.make().stderr == ""


def test_one_whose_making_was_killed_is_made_anew(made: Clone) -> None:
    (made.venv / "half-made").touch()
    shutil.rmtree(next(made.venv.glob("lib/python*/site-packages/flit_core")))
    assert made.make().returncode == 0
    assert made.works()
    assert not (made.venv / "half-made").exists()


def test_one_without_its_python_is_made_anew(made: Clone) -> None:
    (made.venv / "bin/python").unlink()
    assert made.make().returncode == 0
    assert made.works()


def test_one_that_was_moved_is_made_anew(made: Clone) -> None:
    moved = made.folder.with_name("elsewhere")
    made.folder.rename(moved)
    made.folder = moved
    assert not made.works()
    assert made.make().returncode == 0
    assert made.works()


def test_another_python_makes_it_anew_and_is_kept(made: Clone) -> None:
    current = f"python{sys.version_info.major}.{sys.version_info.minor}"
    others = [parts.find_python(name) for name in PYTHONS if name != current]
    other = next((python for python in others if python), None)
    if other is None:
        pytest.skip("no other Python here")
    assert made.make(PYTHON=str(other)).returncode == 0
    assert made.works()
    assert (made.venv / "lib" / other.name).is_dir()
    assert made.make().stderr == ""
    assert made.make(PYTHON=str(other)).stderr == ""


def test_a_wrong_hash_is_not_installed(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    lock = clone.folder / "requirements/run.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text()))
    done = clone.make()
    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert (clone.venv / "half-made").exists()


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("exit 1", "Python 3.11 or newer is needed: apt-get install python3 python3-venv"),
        (
            'case "$*" in *ensurepip*) exit 1;; esac',
            "python3 cannot make a virtual environment: apt-get install python3-venv.",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    tmp_path: Path, python: str, sentence: str
) -> None:
    clone = Clone(tmp_path / "clone")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (programs / "python3").chmod(0o755)
    for name in ("dirname", "cat", "cmp", "flock", "basename", "rm"):
        (programs / name).symlink_to(shutil.which(name) or "")
    done = clone.make(path=str(programs))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"mailape: {sentence}")
    assert not clone.venv.exists()
