"""The engine as a whole: claim, render, journal, wire, record, into a sink.

    python -m benchmarks.send --recipients 100000 --database postgres --processes 1 --own-sink

The newsletter has 14 KB on the wire, eight links and a name, everything on. The readers are made
and the deliveries built first; timed is from the first claim until the message is sent. Without
`--smtp HOST:PORT` the sink is Postfix's smtp-sink where its tools are found (`--postfix-bin`), or
with `--own-sink` a light one of our own. In the same run smtp-source (16 sessions, connections
kept) sends as many mails of that size into the same sink, before and after: that is the limit.

`us` is where a sending process spends its time, in microseconds of wall clock per mail: `smtp` is
what is left of its processor time. The last line is one JSON object. Goal: ratio at least 1.0.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import ground, postfix
from benchmarks.sink import Manner, own_sink
from tests.house.instances import Instance

SIZE = 14_400


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.send", description=__doc__)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--database", choices=ground.DATABASES, default="sqlite")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--bare", action="store_true", help="without journal and looks at leases, for comparison"
    )
    add_sink_arguments(parser)
    given = parser.parse_args()
    with (
        sink(given) as (host, port),
        ground.instance(given.database, SMTP_URL=f"smtp://{host}:{port}") as one,
    ):
        report = measure(one, given, host, port)
    print(json.dumps(report))


def add_sink_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the mails go."""
    parser.add_argument("--smtp", default="", help="HOST:PORT of a sink on this machine")
    parser.add_argument("--own-sink", action="store_true")
    parser.add_argument("--postfix-bin", default=None)


@contextlib.contextmanager
def sink(given: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Host and port of the sink: the one that was named, Postfix's, or our own."""
    path = postfix.tool("smtp-sink", given.postfix_bin)
    if given.smtp:
        host, _, port = given.smtp.rpartition(":")
        if not (host == "localhost" or host.startswith("127.")):
            sys.exit("the sink must be on this machine")
        yield host, int(port)
    elif given.own_sink or path is None:
        with own_sink(Manner()) as port:
            yield "127.0.0.1", port
    else:
        with postfix.sink(path) as port:
            yield "127.0.0.1", port


def measure(one: Instance, given: argparse.Namespace, host: str, port: int) -> dict[str, Any]:
    """Builds a newsletter, sends it, and gives the report."""
    message = _built(given.recipients)
    before = _limit(given, host, port)
    how = ["bare"] if given.bare else []
    processes = [_sender(one, message.pk, *how) for _ in range(given.processes)]
    reports = [_end_of(process) for process in processes]
    after = _limit(given, host, port)
    rate = given.recipients / (
        max(report["ended"] for report in reports) - min(report["began"] for report in reports)
    )
    limit = max(before, after)
    return {
        "database": given.database,
        "recipients": given.recipients,
        "processes": given.processes,
        "rate": round(rate),
        "limit": round(limit) or None,
        "ratio": round(rate / limit, 2) if limit else None,
        "us": reports[0]["us"],
        "rss_mb": max(report["rss_mb"] for report in reports),
        "octets": reports[0]["octets"],
        "counts": reports[0]["counts"],
    }


def _built(recipients: int) -> Any:
    """A newsletter whose deliveries wait."""
    from mailape.campaigns import dispatch, write
    from mailape.delivery import tasks

    to = ground.readers(recipients)
    stories = "\n\n".join(
        f"## Story {number}\n\n" + "Some words of news, written to be read. " * 11
        + f"[Read on](https://www.example.org/stories/2026/03/{number}?from=mail)"
        for number in range(8)
    )  # fmt: skip
    body = f'Dear {{{{ subscriber.first_name | default: "reader" }}}},\n\n{stories}\n'
    draft = write.Draft(lists=[to], subject="News for {{ subscriber.first_name }}", body=body)
    message = dispatch.send(write.create(to.workspace, None, draft))
    began = time.perf_counter()
    while message.built_at is None:
        tasks.build()
        message.refresh_from_db()
    print(f"built in {time.perf_counter() - began:.1f} s", flush=True)
    return message


def _limit(given: argparse.Namespace, host: str, port: int) -> float:
    source = postfix.tool("smtp-source", given.postfix_bin)
    if source is None:
        return 0.0
    count = min(given.recipients, 50_000)
    found = postfix.source_rate(source, port, count, SIZE, host=host)
    print(f"smtp-source: {found:.0f}/s", flush=True)
    return found


def _sender(one: Instance, message_id: int, *how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.sender", str(message_id), *how]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=one.environment,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip


def _end_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=3600)
    if process.returncode:
        sys.exit("a sender failed")
    report: dict[str, Any] = json.loads(said.splitlines()[-1])
    return report


if __name__ == "__main__":
    main()
