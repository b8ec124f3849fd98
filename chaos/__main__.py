"""`python -m chaos`: runs one row, or all of them; the last line is one JSON object."""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time

from chaos.rows import ROWS


def main() -> int:
    """Exit code 0 when everything held, 1 when something did not, 2 when nothing could be run."""
    given = _arguments()
    if given.list:
        for name, row in ROWS.items():
            print(f"{name:<16}{row.about} ({', '.join(row.stacks)})")
        return 0
    # So that a run that is ended tidies up behind itself.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if given.row == "all":
        return _all(given)
    return _one(given)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--row", default="all", choices=[*ROWS, "all"], metavar="NAME")
    parser.add_argument("--n", type=int, default=20, help="how many faults (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="0 takes one by chance")
    parser.add_argument("--people", type=int, default=600, help="subscribers (default: 600)")
    parser.add_argument(
        "--stack", choices=["embedded", "production"], help="default: the row's first"
    )
    parser.add_argument(
        "--record", action="store_true", help="adds the result to the table in docs"
    )
    parser.add_argument("--logs", default="", metavar="FILE", help="keeps what the processes wrote")
    parser.add_argument("--list", action="store_true", help="shows the rows")
    return parser.parse_args()


def _one(given: argparse.Namespace) -> int:
    from chaos.record import record
    from chaos.rig import CannotRig
    from chaos.run import Order, run

    row = ROWS[given.row]
    stack = given.stack or row.stacks[0]
    seed = given.seed or random.SystemRandom().randint(1, 999_999)
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    say(f"{given.row} on the {stack} stack, seed {seed}: {row.about}")
    try:
        result = run(Order(given.row, stack, seed, given.n, given.people, given.logs), say)
    except CannotRig as lack:
        print(f"NOT RUN: {given.row}: {lack}", file=sys.stderr)
        print(json.dumps({"row": given.row, "stack": stack, "skipped": str(lack)}))
        return 2
    for finding in result.findings[:40]:
        say(finding)
    if given.record:
        record(result)
    print(json.dumps({**result.as_json(), "findings": result.findings[:20]}))
    return 0 if result.good else 1


def _all(given: argparse.Namespace) -> int:
    """Every row on every stack it knows, each in a process of its own."""
    worst, ran, skipped = 0, 0, []
    for name, row in ROWS.items():
        for stack in [given.stack] if given.stack else row.stacks:
            if stack not in row.stacks:
                continue
            words = ["--row", name, "--stack", stack, "--n", given.n, "--people", given.people]
            words += ["--seed", given.seed] + (["--record"] if given.record else [])
            code = subprocess.call([sys.executable, "-m", "chaos", *map(str, words)])
            ran += code != 2
            skipped += [f"{name} ({stack})"] if code == 2 else []
            worst = max(worst, code if code != 2 else 0)
    print(json.dumps({"row": "all", "rows": ran, "skipped": skipped, "good": worst == 0}))
    return worst


if __name__ == "__main__":
    sys.exit(main())
