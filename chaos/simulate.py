"""`python -m chaos.simulate`: runs schedules of the simulator; the last line is one JSON object."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

import django


def main() -> int:
    """Exit code 0 when every schedule held, 1 when one did not. SIGTERM ends it early."""
    given = _arguments()
    _repeatable()
    os.environ["DJANGO_SETTINGS_MODULE"] = "chaos.simulator.settings"
    django.setup()
    logging.disable(logging.CRITICAL)
    return _run(given)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.simulate", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the others follow it")
    parser.add_argument("--show", action="store_true", help="prints what happens in each")
    parser.add_argument("--statements", action="store_true", help="and what the database is asked")
    parser.add_argument("--plain", action="store_true", help="Django as it is, which is slower")
    parser.add_argument("--no-shrink", action="store_true", help="prints a failure as it was found")
    parser.add_argument("--broken", default="", metavar="NAME", help="a variant that is wrong")
    parser.add_argument("--most", type=int, default=1, help="ends after so many failures")
    return parser.parse_args()


def _repeatable() -> None:
    """Sets of words come in the same order each time only if Python is told so at its start."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        words = [sys.executable, "-m", "chaos.simulate", *sys.argv[1:]]
        os.execv(sys.executable, words)


def _run(given: argparse.Namespace) -> int:
    from chaos.simulator import broken, quick, seams, stage
    from chaos.simulator.schedule import run

    seams.install()
    if not given.plain:
        quick.install()
    prepared = stage.prepare()
    run(prepared, 0, stage.ALL)  # the first one finds what is remembered, as all others do
    seams.WORLD.tells_statements = given.statements
    if given.broken:
        broken.VARIANTS[given.broken]()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    started, totals, failures = time.monotonic(), dict[str, int](), list[dict[str, Any]]()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    for number in range(given.schedules):
        verdict = run(prepared, given.seed + number)
        for name, count in verdict.counts.items():
            totals[name] = totals.get(name, 0) + count
        if given.show:
            print("\n".join(verdict.trace), file=sys.stderr)
        if verdict.wrong:
            failures.append(_failure(prepared, verdict, shrinks=not given.no_shrink))
            if len(failures) >= given.most:
                break
        if ended.is_set():
            break
        if number % 1000 == 999:
            rate = (number + 1) / (time.monotonic() - started)
            print(f"{number + 1} schedules, {rate:.0f}/s", file=sys.stderr, flush=True)
    seconds = time.monotonic() - started
    print(
        json.dumps(
            {
                "schedules": number + 1,
                "seed": given.seed,
                "failed": len(failures),
                "failures": failures,
                **totals,
                "rate": round((number + 1) / seconds, 1),
            }
        )
    )
    return 1 if failures else 0


def _failure(prepared: Any, verdict: Any, *, shrinks: bool) -> dict[str, Any]:
    from chaos.simulator.shrink import shrink

    print(f"schedule {verdict.seed} does not hold:", file=sys.stderr)
    small = shrink(prepared, verdict) if shrinks else verdict
    for line in [*small.trace, *small.wrong]:
        print(f"  {line}", file=sys.stderr)
    print(f"again: python -m chaos.simulate --schedules 1 --seed {verdict.seed}", file=sys.stderr)
    return {"seed": verdict.seed, "wrong": small.wrong[:5]}


if __name__ == "__main__":
    sys.exit(main())
