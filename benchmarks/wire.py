"""How fast ready-made mails go over the wire: the session alone, without rendering and records.

    python -m benchmarks.wire --mails 50000 --size 14400 [--sink HOST:PORT | --own-sink]

Without a sink it starts Postfix's smtp-sink where its tools are found, else its own. In the same
run smtp-source (16 sessions, connections kept) sends into the same sink: that is the limit. smtplib
with one connection kept is there for comparison. `us` is processor time per mail in microseconds.

The last line is one JSON object: rate and limit in mails per second, ratio, us. Goals: ratio > 1.3,
us at most 20.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import smtplib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks import postfix, set_up_django
from benchmarks.sink import Manner, own_sink

set_up_django()  # before anything of ours is imported

from mailape.delivery.transports.base import Fate, Mail, Outcome  # noqa: E402
from mailape.delivery.transports.wire import Feed, Pool, Server, WireTransport  # noqa: E402

FEW = 5_000  # mails for the comparison, which is slow


def content(size: int) -> bytes:
    """A mail of about `size` octets in the form that the compiler makes: CRLF, no line that begins
    with a dot, 76 octets a line."""
    head = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Hello\r\n\r\n"
    line = b"One line of a newsletter, with a full stop. And a link: http://news.example/=\r\n"
    return head + line * ((size - len(head)) // len(line))


def mails(count: int, body: bytes) -> Iterator[Mail]:
    """Mails to different people."""
    for number in range(count):
        recipient = f"reader{number}@example.org"
        yield Mail(number, "news@example.org", recipient, body, dotless=True)


async def by_pool(host: str, port: int, ready: list[Mail], connections: int) -> dict[str, float]:
    """The session, driven as the engine does: one loop, a source that gives mail after mail."""
    source = iter(ready)
    fates: dict[Fate, int] = dict.fromkeys(Fate, 0)
    feed: Feed

    def next_mail() -> Mail | None:
        mail = next(source, None)
        if mail is None:
            feed.close()
        return mail

    def told(outcome: Outcome) -> None:
        fates[outcome.fate] += 1

    pool = Pool(Server(host, port, helo="bench.example"), connections=connections)
    feed = Feed(told, source=next_mail)
    wall, cpu = time.perf_counter(), time.process_time()
    await pool.run(feed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await pool.close()
    assert fates[Fate.SENT] == len(ready), fates
    return _figures(len(ready), wall, cpu)


def by_transport(host: str, port: int, ready: list[Mail], connections: int) -> dict[str, float]:
    """The blocking face: the caller in one thread, the loop in another."""
    transport = WireTransport(Server(host, port, helo="bench.example"), 1, connections)
    wall, cpu = time.perf_counter(), time.process_time()
    sent = sum(1 for x in transport.send(ready) if x is not None and x.fate is Fate.SENT)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    transport.close()
    assert sent == len(ready), sent
    return _figures(len(ready), wall, cpu)


def by_smtplib(host: str, port: int, ready: list[Mail]) -> dict[str, float]:
    """The standard library, one connection kept."""
    wall, cpu = time.perf_counter(), time.process_time()
    with smtplib.SMTP(host, port, local_hostname="bench.example") as client:
        for mail in ready:
            client.sendmail(mail.sender, [mail.recipient], mail.content)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return _figures(len(ready), wall, cpu)


def _figures(count: int, wall: float, cpu: float) -> dict[str, float]:
    return {"rate": round(count / wall), "us": round(cpu / count * 1e6, 1)}


@contextmanager
def _sink(given: argparse.Namespace) -> Iterator[tuple[str, int, str]]:
    """Host, port and name of the sink."""
    if given.sink:
        host, _, port = given.sink.rpartition(":")
        yield host, int(port), given.sink
        return
    postfix_sink = postfix.tool("smtp-sink", given.postfix_bin)
    if given.own_sink or postfix_sink is None:
        with own_sink(Manner(chunking=given.chunking)) as port:
            yield "127.0.0.1", port, "own"
        return
    with postfix.sink(postfix_sink) as port:
        yield "127.0.0.1", port, "smtp-sink"


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Rounds of the limit and us, turn by turn, because other work on the machine comes and goes;
    of rates and ratios the median, of processor time the least."""
    ready = list(mails(given.mails, content(given.size)))
    gc.freeze()  # the engine does not have all mails in memory, so their cost is not the wire's
    with _sink(given) as (host, port, name):
        rounds = [_round(given, host, port, ready) for _ in range(given.rounds)]
        transport = by_transport(host, port, ready, given.connections)
        plain = by_smtplib(host, port, ready[:FEW])
    limits = [limit for limit, _ in rounds if limit]
    ratios = [ours["rate"] / limit for limit, ours in rounds if limit]
    return {
        "rate": round(median(ours["rate"] for _, ours in rounds)),
        "limit": round(median(limits)) if limits else None,
        "ratio": round(median(ratios), 2) if ratios else None,
        "us": min(ours["us"] for _, ours in rounds),
        "blocking": transport,
        "smtplib": plain,
        "sink": name,
        "mails": given.mails,
        "rounds": given.rounds,
        "size": len(ready[0].content),
        "python": sys.version.split()[0],
    }


def _round(
    given: argparse.Namespace, host: str, port: int, ready: list[Mail]
) -> tuple[float | None, dict[str, float]]:
    """The limit, where smtp-source is found, and our figures."""
    limit = None
    if source := postfix.tool("smtp-source", given.postfix_bin):
        limit = postfix.source_rate(source, port, len(ready), len(ready[0].content), host=host)
    return limit, asyncio.run(by_pool(host, port, ready, given.connections))


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__)
    parser.add_argument("--mails", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=14_400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--sink", metavar="HOST:PORT")
    parser.add_argument("--own-sink", action="store_true")
    parser.add_argument("--chunking", action="store_true", help="the own sink offers it")
    parser.add_argument("--postfix-bin", metavar="FOLDER", help="where smtp-source lies")
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()
