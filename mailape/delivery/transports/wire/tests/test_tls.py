"""TLS and AUTH with real certificates: where TLS is demanded nothing goes out in clear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailape.delivery.transports.base import Fate, Outcome
from mailape.delivery.transports.wire import Pool, Server, Tls
from mailape.delivery.transports.wire.tests.scripted import ScriptedServer
from mailape.delivery.transports.wire.tests.simulated import letters
from mailape.delivery.transports.wire.tests.test_pool import SOON, big, carry, fates, run
from tests.house.certificate import make_certificate

SENT = Fate.SENT
BROKEN = Fate.ROUTE_BROKEN


def certificate(*names: str) -> tuple[Path, Any]:
    return make_certificate(list(names) or ["127.0.0.1"])


async def send(
    server: ScriptedServer, tls: Tls, trusted: Path | None = None, **options: Any
) -> dict[int, Outcome]:
    """Three mails to the server over a pool of one connection."""
    target = Server(
        "127.0.0.1",
        server.port,
        tls,
        helo="test.example",
        certificates=str(trusted or ""),
        **options,
    )
    pool = Pool(target, limits=SOON, connections=1)
    outcomes = await carry(pool, letters(3))
    await pool.close()
    return outcomes


def test_starttls_is_taken_when_it_is_offered_whatever_the_certificate() -> None:
    async def work() -> None:
        _, context = certificate("elsewhere.example")
        async with ScriptedServer(starttls=context) as server:
            assert fates(await send(server, Tls.WHEN_OFFERED)) == {SENT: 3}
            assert server.in_clear == b"EHLO test.example\r\nSTARTTLS\r\n"

    run(work())


def test_without_the_offer_mail_goes_in_clear_where_tls_is_not_demanded() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            assert fates(await send(server, Tls.WHEN_OFFERED)) == {SENT: 3}
            assert b"RCPT TO" in server.in_clear

    run(work())


@pytest.mark.parametrize("tls", [Tls.DEMANDED, Tls.FROM_THE_START])
def test_a_good_certificate_lets_the_mail_through(tls: Tls) -> None:
    async def work() -> None:
        trusted, context = certificate("127.0.0.1")
        where = {"starttls": context} if tls is Tls.DEMANDED else {"tls": context}
        async with ScriptedServer(**where) as server:
            assert fates(await send(server, tls, trusted)) == {SENT: 3}
            assert b"MAIL" not in server.in_clear
            assert len(server.taken) == 3

    run(work())


def test_what_was_offered_in_clear_does_not_count_after_starttls() -> None:
    async def work() -> None:
        trusted, context = certificate()
        async with ScriptedServer(
            starttls=context, offers=("PIPELINING",), offers_under_tls=()
        ) as server:
            assert fates(await send(server, Tls.DEMANDED, trusted)) == {SENT: 3}
            groups = [size for size in server.writes_read if size > 100]
            assert groups == []

    run(work())


@pytest.mark.parametrize("tls", [Tls.DEMANDED, Tls.FROM_THE_START])
@pytest.mark.parametrize("fault", ["unknown authority", "another host's"])
def test_a_bad_certificate_breaks_the_route(tls: Tls, fault: str) -> None:
    async def work() -> None:
        trusted, context = certificate(
            "127.0.0.1" if fault == "unknown authority" else "other.example"
        )
        where = {"starttls": context} if tls is Tls.DEMANDED else {"tls": context}
        async with ScriptedServer(**where) as server:
            known = trusted if fault == "another host's" else None
            outcomes = await send(server, tls, known, user="ann", password="secret")
            assert fates(outcomes) == {BROKEN: 3}
            assert "certificate" in outcomes[1].answer
            assert server.taken == []
            assert b"AUTH" not in server.in_clear

    run(work())


@pytest.mark.parametrize(
    ("options", "fate"),
    [
        ({}, BROKEN),
        ({"starttls_answer": b"454 4.7.0 Not now\r\n"}, Fate.ROUTE_DOWN),
        ({"starttls_answer": b"501 5.5.4 No\r\n"}, BROKEN),
    ],
)
def test_where_tls_is_demanded_and_does_not_come_nothing_goes_out(
    options: dict[str, Any], fate: Fate
) -> None:
    async def work() -> None:
        trusted, context = certificate()
        if options:
            options["starttls"] = context
        async with ScriptedServer(user="ann", password="secret", **options) as server:
            outcomes = await send(server, Tls.DEMANDED, trusted, user="ann", password="secret")
            assert fates(outcomes) == {fate: 3}
            assert set(server.in_clear.split(b"\r\n")) <= {b"EHLO test.example", b"STARTTLS", b""}

    run(work())


def test_a_refused_starttls_does_not_fall_back_to_clear_text() -> None:
    async def work() -> None:
        _, context = certificate()
        async with ScriptedServer(
            starttls=context, starttls_answer=b"454 4.7.0 Not now\r\n"
        ) as server:
            assert fates(await send(server, Tls.WHEN_OFFERED)) == {Fate.ROUTE_DOWN: 3}
            assert b"MAIL" not in server.in_clear

    run(work())


@pytest.mark.parametrize("tls", [Tls.DEMANDED, Tls.WHEN_OFFERED])
@pytest.mark.parametrize("piece", [0, 3])
def test_text_put_in_before_tls_breaks_the_route(tls: Tls, piece: int) -> None:
    async def work() -> None:
        trusted, context = certificate()
        injected = b"220 2.0.0 Go on\r\n250-somebody\r\n250 AUTH PLAIN\r\n"
        async with ScriptedServer(
            starttls=context, starttls_answer=injected, user="ann", password="secret"
        ) as server:
            server.piece = piece
            outcomes = await send(server, tls, trusted, user="ann", password="secret")
            assert SENT not in fates(outcomes)
            assert server.taken == []
            assert b"AUTH" not in server.in_clear
            if not piece:
                assert fates(outcomes) == {BROKEN: 3}
                assert "put in" in outcomes[1].answer

    run(work())


def test_a_server_that_speaks_no_tls_where_it_should() -> None:
    async def work() -> None:
        async with ScriptedServer() as server:
            outcomes = await send(server, Tls.FROM_THE_START)
            assert set(fates(outcomes)) <= {BROKEN, Fate.ROUTE_DOWN}
            assert outcomes[1].answer

    run(work())


def test_under_tls_a_server_that_reads_slowly_gets_it_all() -> None:
    async def work() -> None:
        trusted, context = certificate()
        async with ScriptedServer(starttls=context, read_delay=0.002) as server:
            server.read_limit = 1 << 17
            target = Server("127.0.0.1", server.port, Tls.DEMANDED, certificates=str(trusted))
            pool = Pool(target, limits=replace(SOON, content=10), connections=1)
            assert fates(await carry(pool, big(2))) == {SENT: 2}
            assert [len(content) for _, content in server.taken] == [len(big(1)[0].content)] * 2
            await pool.close()

    run(work())


def test_under_tls_a_server_that_stops_reading_leaves_one_in_doubt_at_most() -> None:
    """How much of it is still in this process only the transport below TLS knows."""

    async def work() -> None:
        trusted, context = certificate()
        async with ScriptedServer(starttls=context) as server:
            target = Server("127.0.0.1", server.port, Tls.DEMANDED, certificates=str(trusted))
            pool = Pool(target, limits=SOON, connections=1)
            await carry(pool, letters(1))
            server.read_delay = 30
            counts = fates(await carry(pool, big(2)))
            assert SENT not in counts
            assert counts.get(Fate.IN_DOUBT, 0) <= 1
            await pool.close()

    run(work())


# --- AUTH ---


def test_the_right_password_opens_the_door() -> None:
    async def work() -> None:
        trusted, context = certificate()
        async with ScriptedServer(starttls=context, user="ann", password="s3cret") as server:
            outcomes = await send(server, Tls.DEMANDED, trusted, user="ann", password="s3cret")
            assert fates(outcomes) == {SENT: 3}

    run(work())


@pytest.mark.parametrize(
    ("options", "fate", "answer"),
    [
        ({"user": "ann", "password": "right"}, BROKEN, "535 5.7.8 Wrong password"),
        (
            {"user": "ann", "password": "wrong", "auth_answer": b"454 4.7.0 Not now\r\n"},
            Fate.ROUTE_DOWN,
            "454 4.7.0 Not now",
        ),
        ({}, BROKEN, ""),  # no AUTH offered
    ],
)
def test_a_login_that_fails_concerns_the_route(
    options: dict[str, Any], fate: Fate, answer: str
) -> None:
    async def work() -> None:
        async with ScriptedServer(**options) as server:
            outcomes = await send(server, Tls.WHEN_OFFERED, user="ann", password="wrong")
            assert fates(outcomes) == {fate: 3}
            assert outcomes[1].answer
            assert answer in outcomes[1].answer
            assert "wrong" not in outcomes[1].answer
            assert server.taken == []

    run(work())


def test_a_login_that_fails_at_a_later_connection_stops_there() -> None:
    async def work() -> None:
        async with ScriptedServer(user="ann", password="s3cret") as server:
            target = Server(
                "127.0.0.1", server.port, user="ann", password="s3cret", helo="x.example"
            )
            pool = Pool(target, limits=SOON, connections=1, mails_per_connection=20)
            assert fates(await carry(pool, letters(30))) == {SENT: 30}
            server.auth_answer = b"535 5.7.8 Not any more\r\n"
            counts = fates(await carry(pool, letters(30)))
            assert counts == {SENT: 10, BROKEN: 20}
            await pool.close()

    run(work())


def test_the_password_is_not_shown() -> None:
    server = Server.from_url("smtps://ann:pass%20word@mail.example.org")
    assert (server.password, server.port, server.tls) == ("pass word", 465, Tls.FROM_THE_START)
    assert "pass" not in repr(server)
    assert "ann" not in server.name
