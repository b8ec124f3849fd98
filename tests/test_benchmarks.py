"""The benchmarks run, are all in the table of `make bench`, and are documented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS, Figure, table
from tests.house import parts

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent
HELPERS = {"__init__", "__main__", "ground", "page_speed", "postfix", "sender", "sink"}


def test_make_bench_runs_every_benchmark() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - HELPERS
    assert {one.module for one in BENCHMARKS} == modules


@pytest.mark.parametrize("module", sorted({one.module for one in BENCHMARKS}))
def test_every_benchmark_is_documented(module: str) -> None:
    document = (ROOT / "docs/develop/benchmarks.md").read_text(encoding="utf-8")
    assert f"`python -m benchmarks.{module}`" in document


def test_a_figure_that_misses_its_goal_is_marked() -> None:
    ratio, rss = Figure("ratio", least=100), Figure("us.rss", most=150)
    assert ratio.said({"ratio": 120}) == "ratio 120 (goal ≥ 100)"
    assert ratio.said({"ratio": 99}) == "ratio 99 (goal ≥ 100, missed)"
    assert rss.said({"us": {"rss": 151}}) == "us.rss 151 (goal ≤ 150, missed)"
    assert ratio.said({"ratio": None}) == "ratio not measured"
    assert "FAILED" in table({"render": (None, 3.0)})


@pytest.mark.slow
@pytest.mark.processes
def test_the_ordinary_program_and_ours_send_the_same_letter() -> None:
    """Slow, because it starts PostgreSQL, Redis, a Celery worker and a sender of ours."""
    if parts.find_postgres() is None or parts.find_redis() is None:
        pytest.skip("PostgreSQL or Redis is not installed")
    words = ["--recipients", "20", "--ours", "500", "--own-sink"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.naive", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    ordinary, ours = report["ordinary"], report["ours"]
    assert ordinary["sent"] == 20
    assert ours["counts"] == {"sent": 500}
    assert abs(ordinary["octets"] - ours["octets"]) < 1_000
    assert 13_500 < ours["octets"] < 15_500
    assert report["ratio"] > 5
