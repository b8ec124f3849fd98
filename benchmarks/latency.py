"""What distance costs: mails per connection and round trip, into a sink that is 20 ms away.

    python -m benchmarks.latency [--round-trip 20] [--mails 2000] [--connections 8]

Pipelined, with CHUNKING and a window, and one by one. The sink holds back every answer for the
round trip. The last line is one JSON object; goal: pipelined at least 0.8.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from benchmarks.sink import Manner, own_sink
from benchmarks.wire import by_pool, content, mails

MANNERS = {
    "pipelined": {"pipelining": True},
    "chunked": {"pipelining": True, "chunking": True},
    "one_by_one": {"pipelining": False},
}


def per_round_trip(manner: str, given: argparse.Namespace) -> float:
    """Mails per connection and round trip."""
    seconds = given.round_trip / 1000
    # As many round trips of work in each manner, more or less.
    count = {"pipelined": given.mails, "chunked": given.mails * 8, "one_by_one": given.mails // 4}
    ready = list(mails(count[manner], content(given.size)))
    with own_sink(Manner(round_trip=seconds, **MANNERS[manner])) as port:
        figures = asyncio.run(by_pool("127.0.0.1", port, ready, given.connections))
    return round(figures["rate"] * seconds / given.connections, 2)


def run(given: argparse.Namespace) -> dict[str, Any]:
    """All manners, one after the other."""
    return {
        **{manner: per_round_trip(manner, given) for manner in MANNERS},
        "round_trip_ms": given.round_trip,
        "connections": given.connections,
        "mails": given.mails,
    }


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--round-trip", type=float, default=20, help="milliseconds")
    parser.add_argument("--mails", type=int, default=4_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--size", type=int, default=14_400)
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()
