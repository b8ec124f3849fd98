"""How fast deliveries are built: `python -m benchmarks.build --recipients 100000`.

In the same run the same rows are copied by one INSERT … SELECT into a table without an index or a
batch, which is about what the database can do at best: the ratio says what indexes, batches,
suppressions, leases and steps cost.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from benchmarks import ground


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.build", description=__doc__)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--database", choices=ground.DATABASES, default="sqlite")
    given = parser.parse_args()
    with ground.instance(given.database):
        report = measure(given.recipients)
    print(f"built {report['rows']} deliveries in {report['seconds']} s: {report['rate']} a second")
    print(json.dumps({"database": given.database, **report}))


def measure(count: int) -> dict[str, Any]:
    """Builds one message to `count` readers, and copies what came out; times in seconds."""
    from mailape.campaigns import dispatch
    from mailape.delivery import build, tally

    message: Any = dispatch.send(ground.newsletter(ground.readers(count)))  # type: ignore[arg-type]
    _analyze()
    begun = time.monotonic()
    while build.one(time.monotonic() + 60):
        pass
    seconds = time.monotonic() - begun
    rows = tally.counts(message)["queued"]
    if rows != count:
        raise SystemExit(f"{rows} deliveries for {count} readers")
    plain = _plain_copy(message.pk)
    return {
        "rows": rows,
        "seconds": round(seconds, 3),
        "rate": round(rows / seconds),
        "plain_copy_seconds": round(plain, 3),
        "ratio": round(plain / seconds, 2),
    }


def _plain_copy(message_id: int) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        begun = time.monotonic()
        cursor.execute(
            "CREATE TABLE plain_copy AS SELECT * FROM delivery_subscribermessage"
            f" WHERE message_id = {message_id}"
        )
        seconds = time.monotonic() - begun
        cursor.execute("DROP TABLE plain_copy")
    return seconds


def _analyze() -> None:
    """What autovacuum would have done by the time a list has grown so long."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


if __name__ == "__main__":
    main()
