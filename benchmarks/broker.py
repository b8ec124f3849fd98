"""How fast the embedded broker is: `python -m benchmarks.broker`.

One process publishes, one worker (`mailape worker`) does tasks that do nothing. Beside it, from the
same run: rows that are inserted, updated and deleted one by one in a SQLite file with the same
settings, which is what a broker on SQLite can be at best.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import shared_task

ROOT = Path(__file__).resolve().parent.parent


@shared_task(name="bench.note")
def note(file: str, sent: float) -> None:
    """Adds the seconds since `sent`, and the time now, to `file`; both on the monotonic clock."""
    now = time.monotonic()
    with open(file, "a", encoding="ascii") as notes:
        notes.write(f"{now - sent} {now}\n")


@shared_task(name="bench.nothing")
def nothing(number: int) -> None:
    """Does nothing."""


def raw(folder: Path, count: int) -> float:
    """Rows a second that are inserted, updated and deleted, each by a transaction of its own."""
    db = sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body TEXT, holder TEXT)")
    body, started = "x" * 1000, time.monotonic()
    for number in range(count):
        db.execute("INSERT INTO message VALUES (?, ?, NULL)", (number, body))
        db.execute("UPDATE message SET holder = 'me' WHERE id = ?", (number,))
        db.execute("DELETE FROM message WHERE id = ?", (number,))
    return count / (time.monotonic() - started)


def store(folder: Path, count: int) -> float:
    """Messages a second through our store alone, in one process."""
    from mailape.core.broker.store import Store

    ours = Store(folder / "store.sqlite3")
    body, started = "x" * 1000, time.monotonic()
    for _ in range(count):
        ours.put("send", body, None, None)
        taken = ours.take("send")
        assert taken is not None
        ours.done(taken.id)
    seconds = time.monotonic() - started
    ours.close()
    return count / seconds


def tasks(folder: Path, count: int) -> tuple[float, float]:
    """Tasks a second: published, and done by one worker."""
    notes = folder / "notes"
    started = time.monotonic()
    _send("bench.note", [[str(notes), started]])
    _send("bench.nothing", [[number] for number in range(count)])
    _send("bench.note", [[str(notes), started]])
    published = (count + 2) / (time.monotonic() - started)
    with _worker(folder):
        first, last = _notes(notes, 2)
    return published, (count + 1) / (last[1] - first[1])


def latency(folder: Path, count: int) -> list[float]:
    """Seconds from publishing to the start of the task in an idle worker, sorted."""
    notes = folder / "latency"
    with _worker(folder):
        for number in range(count + 1):
            _send("bench.note", [[str(notes), time.monotonic()]])
            found = _notes(notes, number + 1)
            time.sleep(0.05 + 0.0137 * (number % 7))  # so as not to fall into step with the polling
    return sorted(waited for waited, _ in found[1:])


def _send(name: str, calls: list[list[Any]]) -> None:
    from celery import current_app

    with current_app.producer_or_acquire() as producer:
        for words in calls:
            current_app.send_task(name, words, queue="send", producer=producer, ignore_result=True)


def _notes(file: Path, count: int) -> list[tuple[float, float]]:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) >= count:
            pairs = [line.split() for line in lines]
            return [(float(waited), float(at)) for waited, at in pairs]
        time.sleep(0.005)
    raise TimeoutError("the worker did not do its tasks")


@contextmanager
def _worker(folder: Path) -> Iterator[None]:
    environment = {**os.environ, "MAILAPE_TEST_TASKS": "benchmarks.broker", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mailape", "worker", "--queues", "send"]
    with (folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()


def _set_up(folder: Path) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ[name] = ""
    os.environ.update(MAILAPE_DATA=str(folder), DJANGO_SETTINGS_MODULE="mailape.config.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def main() -> None:
    """Measures, and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    count = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _set_up(folder)
        best, ours = raw(folder, count), store(folder, count)
        published, done = tasks(folder, count)
        waits = latency(folder, 100)
    found = {
        "benchmark": "broker",
        "tasks": count,
        "raw_rows_per_second": round(best),
        "store_messages_per_second": round(ours),
        "published_per_second": round(published),
        "done_per_second": round(done),
        "done_to_raw": round(done / best, 3),
        "latency_median_ms": round(statistics.median(waits) * 1000, 1),
        "latency_p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 1),
        "latency_worst_ms": round(waits[-1] * 1000, 1),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
