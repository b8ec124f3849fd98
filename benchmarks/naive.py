"""What one task, one connection and one UPDATE per recipient costs: an ordinary program beside us.

    python -m benchmarks.naive [--recipients 2000] [--ours 50000] [--processes 1] [--own-sink]

`benchmarks.ordinary` is a newsletter program as Django and Celery invite one to write it: prefork
with two children, Redis, PostgreSQL, EmailMultiAlternatives, everything else by default. It mails
to `--recipients`; then our sender mails to `--ours`, into the same sink, with the same database
server, eight personal links and 14 KB on the wire in both. Timed is the sending alone, in both.

The last line is one JSON object; `ratio` is our rate against the other. Goal: at least 100.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import ground, send
from tests.house.instances import Instance


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naive", description=__doc__)
    parser.add_argument("--recipients", type=int, default=2_000, help="of the ordinary program")
    parser.add_argument("--ours", type=int, default=50_000, help="recipients of our sender")
    parser.add_argument("--children", type=int, default=2, help="of the ordinary worker")
    parser.add_argument("--processes", type=int, default=1, help="of our sender")
    send.add_sink_arguments(parser)
    given = parser.parse_args()
    with (
        send.sink(given) as (host, port),
        ground.instance("postgres", SMTP_URL=f"smtp://{host}:{port}") as one,
    ):
        ordinary = _ordinary(one, given)
        print(f"ordinary: {ordinary['rate']}/s", flush=True)
        given.recipients, given.database, given.bare = given.ours, "postgres", False
        ours = send.measure(one, given, host, port)
    ratio = round(ours["rate"] / ordinary["rate"])
    print(json.dumps({"ratio": ratio, "ordinary": ordinary, "ours": ours}))


def _ordinary(one: Instance, given: argparse.Namespace) -> dict[str, Any]:
    """The other program, on the same servers; its broker has a number of its own."""
    url, _, number = one.variables["REDIS_URL"].rpartition("/")
    words = [str(given.recipients), str(given.children)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ordinary", *words],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1],
        env={**one.environment, "REDIS_URL": f"{url}/{int(number) + 1}"},
    )  # fmt: skip
    if done.returncode:
        sys.exit("the ordinary program failed")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


if __name__ == "__main__":
    main()
