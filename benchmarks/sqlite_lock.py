"""How long a write waits on SQLite while everybody writes: `python -m benchmarks.sqlite_lock`.

Three processes write as the web does (one small transaction, then 10 ms of other work), two write
as workers do (a batch of updates, no pause), one imports (500 rows a transaction, 20 ms pause) and
two read. `--lock` chooses how they take turns: SQLite's own waiting (none), one flock (one), or the
product's pair of them (turn).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROLES = ["web", "web", "web", "worker", "worker", "importer", "reader", "reader"]


def run(folder: Path, seconds: float, lock: str = "turn") -> dict[str, Any]:
    """Lets all roles work on one new database in `folder`; waits in seconds, by role."""
    context = multiprocessing.get_context("spawn")
    found: Any = context.Queue()
    first = context.Process(target=_in_child, args=(folder, "none", "prepare", 0, found))
    first.start()
    first.join()
    args = [(folder, lock, role, seconds, found) for role in ROLES]
    children = [context.Process(target=_in_child, args=each) for each in args]
    for child in children:
        child.start()
    reports = [found.get(timeout=seconds + 120) for _ in children]
    for child in children:
        child.join()
    return {role: _together([r for r in reports if r["role"] == role]) for role in set(ROLES)}


def _together(reports: list[dict[str, Any]]) -> dict[str, Any]:
    waits = sorted(wait for report in reports for wait in report["waits"])
    return {
        "count": len(waits),
        "errors": sum(report["errors"] for report in reports),
        "median": round(waits[len(waits) // 2], 4),
        "p99": round(waits[int(len(waits) * 0.99)], 4),
        "worst": round(waits[-1], 4),
    }


def _in_child(folder: Path, lock: str, role: str, seconds: float, found: Any) -> None:
    os.environ["MAILAPE_DATA"] = str(folder)
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "mailape.config.settings"
    import django

    django.setup()
    _choose(lock)
    deed = {"web": _web, "worker": _worker, "importer": _import, "reader": _read}.get(role)
    if deed is None:
        _prepare()
        return
    found.put({"role": role, **_repeat(deed, seconds)})


def _choose(lock: str) -> None:
    from mailape.core.sqlite.lock import WriteLock

    if lock == "none":
        WriteLock.take = WriteLock.release = lambda self: None  # type: ignore[method-assign]
    if lock == "one":
        WriteLock.take = lambda self: self._write.take()  # type: ignore[method-assign]


def _repeat(deed: Callable[[int], float], seconds: float) -> dict[str, Any]:
    from django.db import OperationalError

    waits, errors, end, turn = [], 0, time.monotonic() + seconds, 0
    while time.monotonic() < end:
        turn += 1
        started = time.monotonic()
        pause = 0.0
        try:
            pause = deed(turn)
        except OperationalError:
            errors += 1
        waits.append(time.monotonic() - started)
        time.sleep(pause)
    return {"waits": waits, "errors": errors}


def _prepare() -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    _rows(1, 5000, "start")
    connection.close()


def _rows(first: int, count: int, key: str) -> None:
    from mailape.core import clock
    from mailape.core.models import RateCounter

    windows = range(first, first + count)
    RateCounter.objects.bulk_create(
        [RateCounter(key=key, window=window, expires_at=clock.now()) for window in windows]
    )


def _web(turn: int) -> float:
    from mailape.core.models import InstanceSetting

    name = f"web-{os.getpid()}-{turn % 50}"
    InstanceSetting.objects.update_or_create(name=name, defaults={"value": turn})
    return 0.01


def _worker(turn: int) -> float:
    from django.db import transaction
    from django.db.models import F

    from mailape.core.models import RateCounter

    with transaction.atomic():
        for window in range(20):
            RateCounter.objects.filter(key="start", window=window * 50 + 1).update(
                count=F("count") + 1
            )
    return 0.0


def _import(turn: int) -> float:
    _rows(1 + turn * 500, 500, f"import-{os.getpid()}")
    return 0.02


def _read(turn: int) -> float:
    from mailape.core.models import RateCounter

    list(RateCounter.objects.filter(key="start").values_list("pk", "count")[:2000])
    return 0.01


def main() -> None:
    """Measures, and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--lock", choices=["none", "one", "turn"], default="turn")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), given.seconds, given.lock)
    print(json.dumps({"benchmark": "sqlite_lock", "lock": given.lock, "seconds_by_role": found}))


if __name__ == "__main__":
    main()
