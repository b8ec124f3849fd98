"""All benchmarks, one after the other, and a table of their figures: `make bench`.

    python -m benchmarks [--full] [--only send,naive] [--postfix-bin FOLDER]

Short sizes, about five minutes on two cores; `--full` takes the sizes that the goals speak of and
well over an hour. Each runs as its own command in a process of its own, whose whole output goes to
standard error. A figure that misses its goal is marked; the exit code says only whether each ran.
The last line is one JSON object with all reports. For sizes of your own run the one that you want.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE = 7200  # seconds for one benchmark


@dataclass(frozen=True)
class Figure:
    """One number of a report by its path, and the goal it has, if any: at least, or at most."""

    path: str
    least: float | None = None
    most: float | None = None

    def of(self, report: dict[str, Any]) -> float | None:
        """The number, or None where this run could not measure it."""
        found: Any = report
        for name in self.path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, int | float) else None

    def said(self, report: dict[str, Any]) -> str:
        """The figure as words of the table."""
        number = self.of(report)
        if number is None:
            return f"{self.path} not measured"
        said = f"{self.path} {number:,}"
        if self.least is not None:
            said += f" (goal ≥ {self.least:g}{', missed' if number < self.least else ''})"
        if self.most is not None:
            said += f" (goal ≤ {self.most:g}{', missed' if number > self.most else ''})"
        return said


@dataclass(frozen=True)
class Benchmark:
    """One row: a command with its short and its full size, and what to show of its report."""

    name: str
    module: str
    short: str
    full: str
    figures: tuple[Figure, ...]
    to_a_sink: bool = False

    def command(self, given: argparse.Namespace) -> list[str]:
        words = (self.full if given.full else self.short).split()
        if given.postfix_bin and self.to_a_sink:
            words += ["--postfix-bin", given.postfix_bin]
        return [sys.executable, "-m", f"benchmarks.{self.module}", *words]


def _send(name: str, short: str, full: str, *figures: Figure) -> Benchmark:
    return Benchmark(name, "send", short, full, figures, to_a_sink=True)


_RATE, _RSS = Figure("rate"), Figure("rss_mb", most=150)
_RATIO = Figure("ratio", least=1.0)
BENCHMARKS = (
    Benchmark(
        "render",
        "render",
        "--recipients 20000",
        "--recipients 100000",
        (Figure("ours", most=8), Figure("ratio", least=80), Figure("octets")),
    ),
    Benchmark(
        "wire",
        "wire",
        "--mails 20000 --rounds 1",
        "",
        (_RATE, Figure("ratio", least=1.3), Figure("us", most=20)),
        to_a_sink=True,
    ),
    Benchmark("latency", "latency", "--mails 1000", "", (Figure("pipelined", least=0.8),)),
    _send("send-sqlite", "--recipients 20000", "--recipients 100000", _RATE, _RATIO, _RSS),
    _send(
        "send-postgres",
        "--recipients 20000 --database postgres",
        "--recipients 100000 --database postgres",
        *(_RATE, _RATIO, _RSS),
    ),
    _send(
        "send-two",
        "--recipients 20000 --database postgres --processes 2 --own-sink",
        "--recipients 100000 --database postgres --processes 2 --own-sink",
        *(_RATE, _RSS),
    ),
    _send("send-million", "", "--recipients 1000000 --database postgres", _RATE, _RSS),
    Benchmark(
        "naive",
        "naive",
        "--recipients 1000 --ours 20000",
        "--recipients 5000 --ours 100000",
        (Figure("ratio", least=100), Figure("ordinary.rate"), Figure("ours.rate")),
        to_a_sink=True,
    ),
    Benchmark("dkim", "dkim", "", "", (Figure("ratio", least=1.5),)),
    Benchmark("reports", "reports", "--rows 50000", "", (Figure("report", most=100),)),
    Benchmark("build", "build", "--recipients 50000", "", (_RATE, Figure("ratio"))),
    Benchmark(
        "flow",
        "flow",
        "--recipients 2000",
        "",
        (Figure("lost", most=0), Figure("twice", most=0), Figure("first_pass_rate")),
    ),
    Benchmark("pages", "pages", "--rows 50000", "", (Figure("slowest_ms", most=100),)),
    Benchmark(
        "broker",
        "broker",
        "--tasks 2000",
        "",
        (Figure("done_per_second"), Figure("latency_median_ms")),
    ),
    Benchmark("sqlite_lock", "sqlite_lock", "--seconds 5", "--seconds 20", ()),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes of the goals")
    parser.add_argument("--only", default="", help="names, parted by commas")
    parser.add_argument("--postfix-bin", default=None, help="where smtp-sink and smtp-source lie")
    given = parser.parse_args()
    reports = {one.name: run(one, given) for one in chosen(given)}
    print(table(reports))
    print(json.dumps({name: report for name, (report, _) in reports.items()}))
    if failed := [name for name, (report, _) in reports.items() if report is None]:
        sys.exit(f"did not run to its end: {', '.join(failed)}")


def chosen(given: argparse.Namespace) -> Iterator[Benchmark]:
    """Those that were named, or all that have this size."""
    names = {name for name in given.only.split(",") if name}
    if unknown := names - {one.name for one in BENCHMARKS}:
        known = ", ".join(one.name for one in BENCHMARKS)
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {known}")
    for one in BENCHMARKS:
        has_size = given.full or one.name != "send-million"
        if one.name in names or (not names and has_size):
            yield one


Found = tuple[dict[str, Any] | None, float]


def run(one: Benchmark, given: argparse.Namespace) -> Found:
    """The report of its last line, or None when it failed; and the seconds it took."""
    began = time.monotonic()
    command = one.command(given)
    print(f"── {one.name}: {' '.join(command[1:])}", file=sys.stderr, flush=True)
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, cwd=ROOT, check=False
    )
    print(done.stdout, file=sys.stderr, flush=True)
    took = time.monotonic() - began
    try:
        report = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return None, took
    return (None if done.returncode else report), took


def table(reports: dict[str, Found]) -> str:
    """Name, seconds and figures of each, for people and for a page of Markdown."""
    lines = ["| benchmark | seconds | figures |", "|---|---|---|"]
    figures = {one.name: one.figures for one in BENCHMARKS}
    for name, (report, took) in reports.items():
        said = ", ".join(figure.said(report) for figure in figures[name]) if report else "FAILED"
        lines.append(f"| {name} | {took:.0f} | {said or 'see its report below'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
