"""What it costs that mails are signed: mails per second as the sender makes them.

    python -m benchmarks.dkim --recipients 4000

The 14 KB newsletter of `benchmarks.render`, made in four ways with no, RSA, Ed25519 and both keys:
one after the other in the thread that asks for them (`inline`), and some lots ahead by the threads
of `delivery.signing` (`ahead`), as a worker does. `lag_ms` is how late an event loop in another
thread of the same process is woken meanwhile, at the 99th of a hundred wakings: that loop talks to
the mail servers. Rates are by the wall clock, the best of three rounds.

The last line is one JSON object. Goal: with two cores RSA ahead is at least 1.5 times inline.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.render import compiled_program, ed25519, newsletter, readers, stamps

# isort: split
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.db import connection

from mailape.core.models import LinkKey
from mailape.delivery import signing
from mailape.delivery.dkim import Signer
from mailape.delivery.mime.program import Program

ROUNDS = 3
TICK = 0.002


class Maker:
    """Makes mails as `delivery.letters` does."""

    def __init__(self, program: Program, people: list[Any], signers: list[Signer]) -> None:
        self.program, self.people = program, people
        self.ready = stamps(program, people)
        self.seal = program.seal(signers) if signers else None

    def mail(self, number: int) -> bytes:
        values = {"subscriber": self.people[number], "list": {"name": "x"}}
        if self.seal is None:
            return self.program.render(values, self.ready[number])
        return self.program.render_sealed(values, self.ready[number], self.seal)

    def inline(self) -> None:
        for number in range(len(self.people)):
            self.mail(number)

    def ahead(self) -> None:
        for _, make in signing.ahead(range(len(self.people)), self.mail):  # type: ignore[arg-type,type-var]
            make()


@contextmanager
def ticking(lags: list[float]) -> Iterator[None]:
    """An event loop in another thread that wants to be woken every two milliseconds."""
    over = threading.Event()

    async def tick() -> None:
        while not over.is_set():
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            lags.append(time.perf_counter() - due)

    thread = threading.Thread(target=asyncio.run, args=(tick(),))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measured(maker: Maker, way: str) -> dict[str, float]:
    taken, lags = [], []
    for _ in range(ROUNDS):
        with ticking(lags):
            began = time.perf_counter()
            getattr(maker, way)()
            taken.append(time.perf_counter() - began)
    lags.sort()
    return {
        "rate": round(len(maker.people) / min(taken)),
        "lag_ms": round(lags[int(len(lags) * 0.99)] * 1e3, 2),
    }


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dkim")
    parser.add_argument("--recipients", type=int, default=4_000)
    count = parser.parse_args(words).recipients
    with connection.schema_editor() as editor:
        editor.create_model(LinkKey)  # the only table that links need
    program, people = compiled_program(newsletter()), readers(count)
    rsa = Signer("example.org", "rsa", generate_private_key(65537, 2048))
    ed = Signer("example.org", "ed", ed25519())
    kinds = {"none": [], "rsa": [rsa], "ed25519": [ed], "both": [rsa, ed]}
    found: dict[str, Any] = {}
    for name, signers in kinds.items():
        maker = Maker(program, people, signers)
        found[name] = {way: measured(maker, way) for way in ("inline", "ahead")}
        print(name, found[name])
    ratio = found["rsa"]["ahead"]["rate"] / found["rsa"]["inline"]["rate"]
    print(json.dumps({"cores": os.cpu_count(), **found, "ratio": round(ratio, 2)}))


if __name__ == "__main__":
    main(sys.argv[1:])
