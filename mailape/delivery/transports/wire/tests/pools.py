"""What the tests of sessions and pool have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from mailape.delivery.transports.base import Fate, Mail, Outcome
from mailape.delivery.transports.wire import Feed, Limits, Pool, Server
from mailape.delivery.transports.wire.tests.scripted import ScriptedServer

SENT = Fate.SENT
SOON = Limits(greeting=1.0, command=1.0, data=1.0, block=1.0, content=1.0, idle=0.4)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a test's coroutine; none takes longer than this."""
    asyncio.run(asyncio.wait_for(work, 20))


def pool_of(server: ScriptedServer, *, limits: Limits = SOON, **options: Any) -> Pool:
    return Pool(Server("127.0.0.1", server.port, helo="test.example"), limits=limits, **options)


async def carry(pool: Pool, mails: list[Mail]) -> dict[int, Outcome]:
    """All of them through the pool; what became of each."""
    outcomes: dict[int, Outcome] = {}

    def told(outcome: Outcome) -> None:
        assert outcome.delivery_id not in outcomes
        outcomes[outcome.delivery_id] = outcome

    feed = Feed(told)
    feed.extend(mails)
    feed.close()
    await pool.run(feed)
    assert set(outcomes) == {mail.delivery_id for mail in mails}
    return outcomes


def fates(outcomes: dict[int, Outcome]) -> dict[Fate, int]:
    counts: dict[Fate, int] = {}
    for outcome in outcomes.values():
        counts[outcome.fate] = counts.get(outcome.fate, 0) + 1
    return counts
