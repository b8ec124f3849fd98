"""The whole flow on real processes: `python -m benchmarks.flow --recipients 20000 --workers 2`.

Starts beat, N workers and an SMTP server of the test house, each a process of its own, sends one
message, has the server answer a part of all recipients 451 at first, and then proves from the
server's own ledger that each recipient got one mail. Retries wait their minute, as in production.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import ground
from tests.house.instances import Instance


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flow", description=__doc__)
    parser.add_argument("--recipients", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--defer", type=float, default=0.1, help="the part answered 451 at first")
    parser.add_argument("--database", choices=ground.DATABASES, default="sqlite")
    parser.add_argument("--within", type=float, default=900, help="seconds, then it is given up")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailape-ledger-") as folder:
        ledger = Path(folder) / "taken.jsonl"
        with (
            _server(ledger, given.defer) as url,
            ground.instance(given.database, SMTP_URL=url) as one,
        ):
            report = _flow(one, given)
        report |= _proof(ledger, given.recipients)
    print(json.dumps({"database": given.database, "workers": given.workers, **report}))
    if report["lost"] or report["twice"] or report["counts"] != {"sent": given.recipients}:
        sys.exit("the record and the ledger do not say one mail each")


@contextlib.contextmanager
def _server(ledger: Path, later: float) -> Iterator[str]:
    """The test house's SMTP server in a process of its own; gives its URL."""
    words = ["--port", "0", "--ledger", str(ledger), "--later", str(later)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.house.smtp", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.send_signal(signal.SIGTERM)
            print(f"the server says: {process.stdout.readline().strip()}")


def _flow(one: Instance, given: argparse.Namespace) -> dict[str, Any]:
    from mailape.campaigns import dispatch
    from mailape.delivery import tally

    message: Any = ground.newsletter(ground.readers(given.recipients))
    one.start("beat")
    for _ in range(given.workers):
        one.start("worker")
    _wait_for_workers(given.workers)
    begun = time.monotonic()
    message = dispatch.send(message)
    first_pass = 0.0
    while message.status in {"queued", "sending"} and time.monotonic() - begun < given.within:
        time.sleep(0.5)
        message.refresh_from_db()
        counts = {state: n for state, n in tally.counts(message).items() if n}
        passed = bool(message.built_at) and not {"queued", "sending"} & set(counts)
        first_pass = first_pass or (time.monotonic() - begun if passed else 0.0)
        print(f"{time.monotonic() - begun:6.1f} s  {message.status}  {counts}", flush=True)
    seconds = time.monotonic() - begun
    if message.status != "sent":
        print(one.output()[-4000:])
    return {
        "status": message.status,
        "seconds": round(seconds, 1),
        "first_pass_seconds": round(first_pass, 1),
        "first_pass_rate": round(given.recipients / first_pass) if first_pass else 0,
        "counts": counts,
    }


def _wait_for_workers(count: int) -> None:
    from mailape.core import signs

    end = time.monotonic() + 60
    while len(signs.alive("worker")) < count:
        if time.monotonic() > end:
            raise SystemExit("the workers did not start")
        time.sleep(0.2)


def _proof(ledger: Path, recipients: int) -> dict[str, Any]:
    """What the server took down before it answered: one mail each, and nothing else."""
    each: Counter[str] = Counter()
    message_ids = set()
    with ledger.open(encoding="utf-8") as lines:
        for line in lines:
            letter = json.loads(line)
            each.update(letter["recipients"])
            message_ids.add(letter["message_id"])
    return {
        "letters": each.total(),
        "lost": recipients - len(each),
        "twice": sum(1 for number in each.values() if number > 1),
        "message_ids": len(message_ids),
    }


if __name__ == "__main__":
    main()
