"""One sending process of `benchmarks.send`: the worker's own task, called again and again.

It sends until the message is sent, with a clock round each part of the work.
"""

from __future__ import annotations

import itertools
import json
import logging
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from benchmarks import set_up_django

set_up_django()

from mailape.campaigns.models import Message, Status  # noqa: E402
from mailape.core import bell, processes  # noqa: E402
from mailape.delivery import claim, send, status, tally, tasks, transports, watch  # noqa: E402
from mailape.delivery.journal import Journal  # noqa: E402
from mailape.delivery.letters import Letters  # noqa: E402

SAMPLE = 16  # of so many calls for a mail one is timed

_spent: defaultdict[str, float] = defaultdict(float)
_sizes: list[int] = []


def clocked(owner: Any, name: str, part: str, every: int = 1) -> None:
    """Adds the time of each call to its part; of what is called for each mail, the time of one in
    so many, or the clock would take as long as what it measures."""
    right: Callable[..., Any] = getattr(owner, name)
    calls = itertools.cycle(range(every))

    def call(*args: Any, **named: Any) -> Any:
        if next(calls):
            return right(*args, **named)
        began = time.perf_counter()
        try:
            return right(*args, **named)
        finally:
            _spent[part] += (time.perf_counter() - began) * every

    setattr(owner, name, call)


def measured() -> None:
    """Keeps the size of the first mail that is rendered."""
    right = Letters.mail

    def mail(*given: Any) -> Any:
        Letters.mail = right  # type: ignore[method-assign]
        made = right(*given)
        _sizes.append(len(made.content))
        return made

    Letters.mail = mail  # type: ignore[method-assign]


def bare() -> None:
    """Without journal, and without asking whether a lease is still held: what do they cost?"""
    for name in ("_write", "dots", "heard", "keep", "sync"):
        setattr(Journal, name, lambda *_: None)
    status.check = status.renew = lambda lease: None


def main() -> None:
    message = Message.objects.get(pk=int(sys.argv[1]))
    logging.getLogger("mailape").setLevel(logging.ERROR)
    bell.ring = lambda name: None  # the loop below is the bell
    for owner, name, part in (
        (claim, "batch", "claim"), (send, "Letters", "claim"), (status, "write", "mark"),
        (watch, "unwanted", "look"), (watch, "messages", "look"), (Journal, "claim", "journal"),
        (claim, "_take_batch", "lease"), (status, "check", "lease"), (status, "renew", "lease"),
    ):  # fmt: skip
        clocked(owner, name, part)
    clocked(Letters, "mail", "render", SAMPLE)
    for name in ("dots", "heard", "keep"):
        clocked(Journal, name, "journal", SAMPLE)
    measured()
    if "bare" in sys.argv[2:]:
        bare()
    transports.current()
    processes.settle_down()  # as a worker does
    began, cpu = time.time(), time.process_time()
    while Message.objects.filter(pk=message.pk, status=Status.SENDING).exists():
        tasks.send()
    ended, cpu = time.time(), time.process_time() - cpu
    transports.close()
    counts = {state: number for state, number in tally.counts(message).items() if number}
    mine = max(counts.get("sent", 0), 1)
    print(json.dumps(_report(began, ended, cpu, counts, mine)))


def _report(
    began: float, ended: float, cpu: float, counts: dict[str, int], mine: int
) -> dict[str, Any]:
    us = {part: round(seconds / mine * 1e6, 1) for part, seconds in _spent.items()}
    known = sum(_spent[part] for part in ("render", "journal"))
    return {
        "began": began,
        "ended": ended,
        "us": {
            **us,
            "smtp": round((cpu - known) / mine * 1e6, 1),
            "cpu": round(cpu / mine * 1e6, 1),
        },
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "octets": _sizes[0] if _sizes else 0,
        "counts": counts,
    }


if __name__ == "__main__":
    main()
