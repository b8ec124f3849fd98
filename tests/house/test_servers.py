"""Servers can be killed and started again on the same port, and keep what they must keep."""

from __future__ import annotations

import signal

import psycopg
import pytest
import redis

from tests.house import parts, servers

pytestmark = [pytest.mark.processes, pytest.mark.once]


@pytest.mark.skipif(parts.find_postgres() is None, reason="PostgreSQL is not installed")
@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGKILL])
def test_postgres_comes_back_with_what_was_committed(number: signal.Signals) -> None:
    with servers.postgres_server() as (server, url):
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        server.stop(number)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=2)
        server.start()
        servers.wait_for(url)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(7,)]


@pytest.mark.skipif(parts.find_redis() is None, reason="Redis is not installed")
def test_redis_comes_back_empty() -> None:
    with servers.redis_server() as (server, url):
        redis.Redis.from_url(url).set("key", "value")
        server.stop(signal.SIGKILL)
        server.start()
        servers.wait_for(url)
        assert redis.Redis.from_url(url).get("key") is None
