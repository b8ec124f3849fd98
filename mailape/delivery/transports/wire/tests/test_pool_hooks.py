"""What a caller is asked and told by the pool, and what its own faults do."""

from __future__ import annotations

import asyncio

import pytest

from mailape.delivery.transports.base import Fate, Mail, Outcome
from mailape.delivery.transports.wire import Feed
from mailape.delivery.transports.wire.tests.pools import SENT, carry, fates, pool_of, run
from mailape.delivery.transports.wire.tests.scripted import ScriptedServer
from mailape.delivery.transports.wire.tests.simulated import letters


def test_what_may_not_begin_is_never_named_to_the_server() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server)
            mails = [
                Mail(n, "a@example.org", f"reader{n}@example.org", b"x\r\n", may_go=lambda: False)
                for n in range(1, 6)
            ]
            assert fates(await carry(pool, mails)) == {Fate.NOT_BEGUN: 5}
            assert b"MAIL" not in server.in_clear
            await pool.close()

    run(work())


def test_what_may_not_end_any_more_does_not_arrive() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server, connections=1)
            asked = 0

            def only_begin() -> bool:
                nonlocal asked
                asked += 1
                return asked == 1

            late = Mail(1, "a@example.org", "late@example.org", b"x\r\n", may_go=only_begin)
            outcomes = await carry(pool, [late, *letters(4)[1:]])
            assert outcomes[1].fate is Fate.NOT_BEGUN
            assert server.recipients == [x.recipient for x in letters(4)[1:]]
            await pool.close()

    run(work())


class DiskFull(Exception):
    """What a journal raises."""


@pytest.mark.parametrize("where", ["source", "before_dot", "on_outcome"])
def test_what_a_hook_raises_stops_everything_and_is_raised(where: str) -> None:
    async def work() -> None:
        async with ScriptedServer(answer_delay=0.005) as server:
            pool = pool_of(server, connections=3)
            outcomes: list[Outcome] = []
            begun: list[int] = []
            mails = iter(letters(100))

            def source() -> Mail | None:
                if where == "source" and len(begun) == 20:
                    raise DiskFull
                mail = next(mails)
                begun.append(mail.delivery_id)
                return mail

            def before_dot(mail: Mail) -> bool:
                if where == "before_dot" and mail.delivery_id == 20:
                    raise DiskFull
                return True

            def told(outcome: Outcome) -> None:
                outcomes.append(outcome)
                if where == "on_outcome" and outcome.delivery_id == 20:
                    raise DiskFull

            with pytest.raises(DiskFull):
                await pool.run(Feed(told, source=source, before_dot=before_dot))
            assert len(outcomes) == len(begun) < 30
            assert len(server.taken) == sum(one.fate is SENT for one in outcomes) < 30
            await pool.close()

    run(work())


def test_a_source_that_runs_dry_is_asked_again_when_the_pool_is_woken() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server, connections=2)
            waiting: list[Mail] = []
            outcomes: list[Outcome] = []
            feed = Feed(outcomes.append, source=lambda: waiting.pop(0) if waiting else None)
            running = asyncio.create_task(pool.run(feed))
            for mail in letters(5):
                await asyncio.sleep(0.02)
                waiting.append(mail)
                pool.wake()
            await asyncio.sleep(0.1)
            assert len(outcomes) == 5
            feed.close()
            await running
            await pool.close()

    run(work())


def test_closing_lets_the_mails_under_way_finish() -> None:
    async def work() -> None:
        async with ScriptedServer(answer_delay=0.05) as server:
            pool = pool_of(server, connections=4)
            sending = asyncio.create_task(carry(pool, letters(100)))
            while pool.open_connections < 4:
                await asyncio.sleep(0.01)
            await pool.close()
            counts = fates(await sending)
            assert set(counts) == {SENT, Fate.NOT_BEGUN}
            assert counts[SENT] == len(server.taken)
            assert server.goodbyes == server.connections

    run(work())


def test_dots_at_the_beginning_of_lines_survive() -> None:
    body = b".\r\n..\r\nSubject: dots\r\n\r\n.\r\n.x\r\n\r\n.\r\n"

    async def work() -> None:
        for offers in (("PIPELINING",), ("CHUNKING",)):
            async with ScriptedServer(offers=offers) as server:
                pool = pool_of(server)
                await carry(pool, [Mail(1, "a@example.org", "b@example.org", body)])
                assert server.taken == [("b@example.org", body)]
                await pool.close()

    run(work())
