"""Sessions and pool on real sockets against a server that does what mail servers do."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from mailape.delivery.transports.base import Fate, Mail
from mailape.delivery.transports.wire import Limits, Pool, Server
from mailape.delivery.transports.wire.tests.pools import SENT, SOON, carry, fates, pool_of, run
from mailape.delivery.transports.wire.tests.scripted import ScriptedServer
from mailape.delivery.transports.wire.tests.simulated import Does, by_recipient, letters

# --- connections ---


@pytest.mark.parametrize("offers", [("PIPELINING",), ("PIPELINING", "CHUNKING"), ("CHUNKING",), ()])
def test_all_mails_arrive_over_several_connections(offers: tuple[str, ...]) -> None:
    async def work() -> None:
        async with ScriptedServer(offers=offers, answer_delay=0.001) as server:
            pool = pool_of(server, connections=4)
            outcomes = await carry(pool, letters(200))
            opened = pool.open_connections
            await pool.close()
            assert fates(outcomes) == {SENT: 200}
            assert sorted(server.taken) == sorted((x.recipient, x.content) for x in letters(200))
            assert opened > 1
            assert opened <= server.goodbyes <= server.connections
            assert server.faults == []

    run(work())


def test_one_mail_opens_one_connection() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server)
            await carry(pool, letters(1))
            await carry(pool, letters(1))
            assert server.connections == 1
            await pool.close()

    run(work())


def test_an_idle_connection_is_closed_politely() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server)
            await carry(pool, letters(3))
            assert pool.open_connections
            await asyncio.sleep(SOON.idle + 0.6)
            assert pool.open_connections == 0
            assert server.goodbyes == server.connections
            assert fates(await carry(pool, letters(3))) == {SENT: 3}
            await pool.close()

    run(work())


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server, connections=2)
            await carry(pool, letters(5))
            port = server.port
        async with ScriptedServer(port=port) as server:
            assert fates(await carry(pool, letters(5))) == {SENT: 5}
            assert not pool.one_by_one
            await pool.close()

    run(work())


def test_after_so_many_mails_a_connection_is_given_back() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server, connections=1, mails_per_connection=10)
            assert fates(await carry(pool, letters(35))) == {SENT: 35}
            await pool.close()
            assert server.connections == 4
            assert server.goodbyes == 4

    run(work())


def test_two_callers_share_the_connections() -> None:
    async def work() -> None:
        async with ScriptedServer(answer_delay=0.02) as server:
            pool = pool_of(server, connections=1)
            many = asyncio.create_task(carry(pool, letters(120)))
            await asyncio.sleep(0.1)
            began = time.monotonic()
            assert fates(await carry(pool, letters(1))) == {SENT: 1}
            assert time.monotonic() - began < 3
            assert not many.done()
            assert fates(await many) == {SENT: 120}
            await pool.close()

    run(work())


def test_fewer_connections_are_used_when_fewer_are_allowed() -> None:
    async def work() -> None:
        async with ScriptedServer(answer_delay=0.005) as server:
            pool = pool_of(server, connections=4, limits=Limits())
            await carry(pool, letters(100))
            assert pool.open_connections == 4
            pool.connections = 2
            await asyncio.sleep(0.6)
            assert pool.open_connections == 2
            await pool.close()

    run(work())


# --- the server's answers ---


def test_answers_one_byte_at_a_time() -> None:
    async def work() -> None:
        async with ScriptedServer(piece=1) as server:
            pool = pool_of(server, connections=2, limits=Limits())
            assert fates(await carry(pool, letters(5))) == {SENT: 5}
            await pool.close()

    run(work())


def test_refused_recipients_hold_nobody_up() -> None:
    def script(number: int) -> Any:
        return by_recipient(
            RCPT_3=Does(b"550 5.1.1 Nobody\r\n"),
            RCPT_7=Does(b"451 4.7.1 Later\r\n"),
            CONTENT_9=Does(b"554 5.6.0 I do not like it\r\n"),
        )

    async def work() -> None:
        async with ScriptedServer(script=script) as server:
            pool = pool_of(server, connections=2)
            outcomes = await carry(pool, letters(20))
            assert [outcomes[n].fate for n in (3, 7, 9)] == [
                Fate.REFUSED,
                Fate.TRY_LATER,
                Fate.REFUSED,
            ]
            assert len(server.taken) == 17
            assert outcomes[3].answer == "550 5.1.1 Nobody"
            assert server.faults == []
            await pool.close()

    run(work())


def test_a_server_that_closes_after_each_few_mails_gets_them_all() -> None:
    def script(number: int) -> Any:
        return by_recipient(MAIL_6=Does(b"421 4.7.0 Enough for now\r\n", closes=True))

    async def work() -> None:
        async with ScriptedServer(script=script) as server:
            pool = pool_of(server, connections=2)
            assert fates(await carry(pool, letters(48))) == {SENT: 48}
            assert server.connections >= 9
            await pool.close()

    run(work())


def test_one_connection_until_the_server_has_taken_a_sender() -> None:
    async def work() -> None:
        refuses = Does(b"550 5.7.1 Not you\r\n")
        async with ScriptedServer(
            script=lambda number: by_recipient(MAIL_1=refuses), answer_delay=0.05
        ) as server:
            pool = pool_of(server, connections=8)
            assert fates(await carry(pool, letters(50))) == {Fate.ROUTE_BROKEN: 50}
            assert server.connections == 1
            await pool.close()

    run(work())


def test_a_refused_sender_stops_the_route() -> None:
    def script(number: int) -> Any:
        return by_recipient(MAIL_4=Does(b"550 5.7.1 Not you\r\n"))

    async def work() -> None:
        async with ScriptedServer(script=script) as server:
            pool = pool_of(server, connections=1)
            outcomes = await carry(pool, letters(50))
            assert fates(outcomes) == {SENT: 3, Fate.ROUTE_BROKEN: 47}
            assert outcomes[50].answer == "550 5.7.1 Not you"
            assert len(server.taken) == 3
            await pool.close()

    run(work())


# --- drops ---


@pytest.mark.parametrize("takes", [True, False])
def test_after_a_drop_one_mail_is_in_doubt_and_the_rest_goes_on(takes: bool) -> None:
    def script(number: int) -> Any:
        rules = {"CONTENT_5": Does(takes=takes, closes=True)} if number == 1 else {}
        return by_recipient(**rules)

    async def work() -> None:
        async with ScriptedServer(script=script) as server:
            pool = pool_of(server, connections=1)
            outcomes = await carry(pool, letters(20))
            assert outcomes[5].fate is Fate.IN_DOUBT
            assert fates(outcomes) == {SENT: 19, Fate.IN_DOUBT: 1}
            assert len(server.taken) == len(set(server.taken)) == 19 + takes
            assert not pool.one_by_one
            await pool.close()

    run(work())


def test_a_route_that_drops_twice_while_pipelined_goes_one_by_one() -> None:
    def script(number: int) -> Any:
        return by_recipient(CONTENT_1=Does(closes=True), CONTENT_3=Does(closes=True))

    async def work() -> None:
        async with ScriptedServer(script=script) as server:
            pool = pool_of(server, connections=1)
            outcomes = await carry(pool, letters(10))
            assert pool.one_by_one
            assert fates(outcomes) == {SENT: 8, Fate.IN_DOUBT: 2}
            assert max(server.writes_read[-6:]) < 100
            await pool.close()

    run(work())


def test_all_connections_dropping_at_once_count_as_one_drop() -> None:
    async def work() -> None:
        async with ScriptedServer(answer_delay=0.02) as server:
            pool = pool_of(server, connections=4)
            sending = asyncio.create_task(carry(pool, letters(300)))
            while len(server.taken) < 30:
                await asyncio.sleep(0.01)
            port = server.port
        async with ScriptedServer(port=port):
            outcomes = await sending
            counts = fates(outcomes)
            assert counts.get(Fate.IN_DOUBT, 0) <= 4
            assert not pool.one_by_one
            await pool.close()

    run(work())


def test_a_mail_that_kills_every_connection_is_tried_later() -> None:
    def script(number: int) -> Any:
        return by_recipient(RCPT_3=Does(closes=True))

    async def work() -> None:
        async with ScriptedServer(script=script) as server:
            pool = pool_of(server, connections=1)
            outcomes = await carry(pool, letters(6))
            assert fates(outcomes) == {SENT: 5, Fate.TRY_LATER: 1}
            assert outcomes[3].fate is Fate.TRY_LATER
            await pool.close()

    run(work())


def test_a_server_that_drops_every_connection_is_down() -> None:
    def script(number: int) -> Any:
        return lambda stage, recipient: Does(closes=True)

    async def work() -> None:
        async with ScriptedServer(script=script) as server:
            pool = pool_of(server)
            outcomes = await carry(pool, letters(50))
            assert set(fates(outcomes)) <= {Fate.ROUTE_DOWN, Fate.TRY_LATER}
            assert fates(outcomes)[Fate.ROUTE_DOWN] >= 45
            assert server.connections < 10
            await pool.close()

    run(work())


# --- no way in ---


@pytest.mark.parametrize(
    ("options", "fate", "answer"),
    [
        ({"greeting": b"554 5.7.1 No\r\n"}, Fate.ROUTE_BROKEN, "554 5.7.1 No"),
        ({"greeting": b"421 4.3.2 Busy\r\n"}, Fate.ROUTE_DOWN, "421 4.3.2 Busy"),
        ({"ehlo": b"550 5.7.1 Who?\r\n"}, Fate.ROUTE_BROKEN, "550 5.7.1 Who?"),
        ({"ehlo": b"451 4.3.0 Not now\r\n"}, Fate.ROUTE_DOWN, "451 4.3.0 Not now"),
        ({"close_after_greeting": True}, Fate.ROUTE_DOWN, ""),
        ({"greeting": b"nonsense\r\n"}, Fate.ROUTE_DOWN, "nonsense"),
        ({"silent_from": 1}, Fate.ROUTE_DOWN, ""),
        ({"piece": 1, "piece_delay": 0.1}, Fate.ROUTE_DOWN, ""),
    ],
)
def test_a_server_that_does_not_let_us_in(options: dict[str, Any], fate: Fate, answer: str) -> None:
    async def work() -> None:
        async with ScriptedServer(**options) as server:
            pool = pool_of(server)
            outcomes = await carry(pool, letters(5))
            assert fates(outcomes) == {fate: 5}
            assert answer in outcomes[1].answer
            assert outcomes[1].answer
            assert server.taken == []
            await pool.close()

    run(work())


def test_nobody_listens() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            port = server.port
        pool = Pool(Server("127.0.0.1", port, helo="test.example"), limits=SOON)
        outcomes = await carry(pool, letters(2))
        assert fates(outcomes) == {Fate.ROUTE_DOWN: 2}
        assert f"127.0.0.1:{port}" in outcomes[1].answer
        await pool.close()

    run(work())


def test_a_server_without_ehlo_is_greeted_in_the_old_way() -> None:
    async def work() -> None:
        async with ScriptedServer(ehlo=b"502 5.5.1 What?\r\n") as server:
            pool = pool_of(server, connections=1)
            assert fates(await carry(pool, letters(3))) == {SENT: 3}
            await pool.close()

    run(work())


def test_fewer_connections_than_we_would_like() -> None:
    class Narrow(ScriptedServer):
        async def _serve(self, reader: Any, writer: Any) -> None:
            self.greeting = b"220 Come in\r\n" if self.at_once < 2 else b"421 4.7.0 Too many\r\n"
            await super()._serve(reader, writer)

    async def work() -> None:
        async with Narrow(answer_delay=0.001) as server:
            pool = pool_of(server, connections=8)
            assert fates(await carry(pool, letters(200))) == {SENT: 200}
            assert server.connections <= 4
            await pool.close()

    run(work())


# --- time ---


@pytest.mark.parametrize(
    ("stage", "fate"),
    [("MAIL", Fate.ROUTE_DOWN), ("RCPT", Fate.ROUTE_DOWN), ("CONTENT", Fate.IN_DOUBT)],
)
def test_a_server_that_falls_silent(stage: str, fate: Fate) -> None:
    silent = Does(mute=True, takes=True)

    async def work() -> None:
        rules = {f"{stage}_1": silent}
        async with ScriptedServer(script=lambda number: by_recipient(**rules)) as server:
            pool = pool_of(server, connections=1)
            began = time.monotonic()
            outcomes = await carry(pool, letters(3))
            assert outcomes[1].fate is fate
            assert 0.4 < time.monotonic() - began < 5
            await pool.close()

    run(work())


def test_a_slow_server_is_waited_for() -> None:
    async def work() -> None:
        async with ScriptedServer(answer_delay=0.3) as server:
            pool = pool_of(server, connections=3)
            assert fates(await carry(pool, letters(6))) == {SENT: 6}
            await pool.close()

    run(work())


def test_a_tarpit_is_left_though_it_says_a_little_all_the_time() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            pool = pool_of(server, connections=1)
            await carry(pool, letters(1))
            server.piece, server.piece_delay = 1, 0.1
            outcomes = await carry(pool, letters(3))
            assert SENT not in fates(outcomes)
            await pool.close()

    run(work())


BIG = 8_000_000


def big(count: int) -> list[Mail]:
    line = b"x" * 76 + b"\r\n"
    body = b"Subject: big\r\n\r\n" + line * (BIG // len(line))
    return [Mail(n, "a@example.org", f"reader{n}@example.org", body) for n in range(1, count + 1)]


@pytest.mark.parametrize("offers", [("PIPELINING",), ("PIPELINING", "CHUNKING")])
def test_a_server_that_reads_slowly_gets_it_all(offers: tuple[str, ...]) -> None:
    async def work() -> None:
        async with ScriptedServer(offers=offers, read_delay=0.002) as server:
            server.read_limit = 1 << 17
            pool = pool_of(server, connections=1, limits=replace(SOON, content=5))
            assert fates(await carry(pool, big(2))) == {SENT: 2}
            assert sorted(server.recipients) == ["reader1@example.org", "reader2@example.org"]
            await pool.close()

    run(work())


@pytest.mark.parametrize("offers", [("PIPELINING",), ("PIPELINING", "CHUNKING")])
def test_a_server_that_stops_reading_leaves_nobody_in_doubt(offers: tuple[str, ...]) -> None:
    """The end of the content is still in this process, so it cannot have gone out."""

    async def work() -> None:
        async with ScriptedServer(offers=offers) as server:
            pool = pool_of(server, connections=1)
            await carry(pool, letters(1))
            server.read_delay = 30
            outcomes = await carry(pool, big(2))
            assert Fate.IN_DOUBT not in fates(outcomes)
            assert SENT not in fates(outcomes)
            await pool.close()

    run(work())
