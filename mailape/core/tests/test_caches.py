"""The cache: a Redis that is away is an empty cache, soon left alone; and nobody is signed out."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from django.contrib.sessions.backends.cached_db import SessionStore

from mailape.core import caches
from mailape.core.caches import SoftRedisCache
from tests.house import parts, servers

needs_redis = pytest.mark.skipif(parts.find_redis() is None, reason="Redis is not installed")


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_lines", {})


@pytest.fixture
def redis() -> Iterator[tuple[servers.Server, str]]:
    with servers.redis_server() as started:
        yield started


@pytest.fixture
def refusing() -> Iterator[SoftRedisCache]:
    """A cache whose port nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield SoftRedisCache(f"redis://127.0.0.1:{bound.getsockname()[1]}/0", {})


@pytest.fixture
def silent() -> Iterator[SoftRedisCache]:
    """A cache whose server takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
        yield SoftRedisCache(f"redis://127.0.0.1:{listening.getsockname()[1]}/0", {})


def test_while_redis_refuses_the_cache_is_empty(refusing: SoftRedisCache) -> None:
    refusing.set("a", 1)
    assert refusing.get("a", "none") == "none"
    assert refusing.get_many(["a", "b"]) == {}
    assert refusing.set_many({"a": 1}) == ["a"]
    assert not refusing.has_key("a")
    assert "a" not in refusing
    assert not refusing.delete("a")
    assert not refusing.touch("a")
    assert refusing.add("a", 1)
    assert refusing.get_or_set("a", lambda: 5) == 5
    refusing.delete_many(["a"])
    refusing.clear()
    with pytest.raises(ValueError, match="not found"):
        refusing.incr("a")


def test_a_silent_redis_costs_a_second_once_and_then_nothing(silent: SoftRedisCache) -> None:
    started = time.monotonic()
    silent.get("a")
    assert 0.9 < time.monotonic() - started < 1.5
    started = time.monotonic()
    for _ in range(100):
        silent.get("a")
        silent.set("a", 1)
    assert time.monotonic() - started < 0.2


def test_when_the_time_is_up_one_caller_tries_and_the_others_do_not_wait(
    silent: SoftRedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "LEFT_ALONE", 0.2)
    silent.get("a")
    time.sleep(0.3)
    monkeypatch.setattr(caches, "LEFT_ALONE", 5)
    times: list[float] = []

    def get() -> None:
        started = time.monotonic()
        silent.get("a")
        times.append(time.monotonic() - started)

    threads = [threading.Thread(target=get) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(seconds > 0.5 for seconds in times) == 1


@needs_redis
def test_it_is_a_cache_while_redis_is_there(redis: tuple[servers.Server, str]) -> None:
    cache = SoftRedisCache(redis[1], {})
    cache.set("a", {"b": [1]})
    assert cache.get("a") == {"b": [1]}
    assert cache.add("n", 1)
    assert not cache.add("n", 2)
    assert cache.incr("n", 4) == 5
    assert cache.set_many({"x": 1, "y": 2}) == []
    assert cache.get_many(["x", "y", "z"]) == {"x": 1, "y": 2}
    assert cache.delete("a")
    assert cache.get("a") is None
    with pytest.raises(ValueError, match="not found"):
        cache.incr("missing")


@needs_redis
def test_it_heals_and_what_changed_meanwhile_is_forgotten(
    redis: tuple[servers.Server, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "LEFT_ALONE", 0.1)
    server, url = redis
    cache = SoftRedisCache(url, {})
    cache.set("ended", "session")
    cache.set("other", "session")
    with _hanging(server):
        cache.delete("ended")
    time.sleep(0.2)
    assert cache.get("other") == "session"
    assert cache.get("ended") is None


@needs_redis
def test_clearing_leaves_what_is_not_ours(redis: tuple[servers.Server, str]) -> None:
    import redis as client

    cache = SoftRedisCache(redis[1], {"KEY_PREFIX": "mailape"})
    cache.set("a", 1)
    with client.Redis.from_url(redis[1]) as connection:
        connection.rpush("wake", "a bell")
        cache.clear()
        assert cache.get("a") is None
        assert connection.llen("wake") == 1


@needs_redis
def test_a_session_outlives_a_redis_that_is_flushed_or_stopped(
    redis: tuple[servers.Server, str], db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis as client

    server, url = redis
    session = _session(url)
    session["user"] = "alice"
    session.save()
    with client.Redis.from_url(url) as connection:
        connection.flushall()
    assert _session(url, session.session_key).load() == {"user": "alice"}
    server.stop()
    assert _session(url, session.session_key).load() == {"user": "alice"}
    late = _session(url, session.session_key)
    late["seen"] = True
    late.save()
    assert _session(url, session.session_key).load() == {"user": "alice", "seen": True}


@needs_redis
def test_a_session_that_ended_while_redis_was_away_does_not_come_back(
    redis: tuple[servers.Server, str], db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "LEFT_ALONE", 0.1)
    server, url = redis
    session = _session(url)
    session["user"] = "alice"
    session.save()
    with _hanging(server):
        _session(url, session.session_key).delete(session.session_key)
    time.sleep(0.2)
    assert _session(url, session.session_key).load() == {}


def _session(url: str, key: str | None = None) -> SessionStore:
    made = SessionStore(key)
    made._cache = SoftRedisCache(url, {})
    return made


@contextlib.contextmanager
def _hanging(server: servers.Server) -> Iterator[None]:
    """Redis keeps what it knows and answers nobody."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    yield
    server.process.send_signal(signal.SIGCONT)
