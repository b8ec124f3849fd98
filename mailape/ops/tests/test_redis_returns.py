"""Redis goes and comes back: the worker hears again, by itself and soon."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from mailape.ops.tests.probe import WITH_PROBES, ring, wait_for
from tests.house import servers
from tests.house.instances import Instance

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(settings.EMBEDDED_BROKER, reason="about the stack with Redis"),
]
SOON = 15


@pytest.fixture
def server() -> Iterator[tuple[servers.Server, str]]:
    with servers.redis_server() as started:
        yield started


@pytest.fixture
def site(processes: Callable[..., Instance], server: tuple[servers.Server, str]) -> Instance:
    """One with a worker and the Redis of the test."""
    made = processes(REDIS_URL=server[1], **WITH_PROBES)
    made.migrate()
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "marks"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_after_a_restart_of_redis_the_worker_hears_again(
    site: Instance, server: tuple[servers.Server, str], file: Path, number: signal.Signals
) -> None:
    worker = site.start("worker")
    ring(site, "probe.mark", "send", [str(file), 1])
    assert list(wait_for(1, file, within=30)) == [1]
    server[0].stop(number)
    time.sleep(6)
    server[0].start()
    servers.wait_for(server[1])
    ring(site, "probe.mark", "send", [str(file), 2])
    assert sorted(wait_for(2, file, within=SOON)) == [1, 2]
    assert worker.poll() is None
    assert site.stop(worker) == 0


def test_a_worker_that_has_waited_long_for_redis_is_there_soon_after_it(
    site: Instance, server: tuple[servers.Server, str], file: Path
) -> None:
    server[0].stop()
    worker = site.start("worker")
    time.sleep(14)  # Celery's own pauses would be eight seconds by now
    assert worker.poll() is None
    server[0].start()
    servers.wait_for(server[1])
    ring(site, "probe.mark", "send", [str(file), 1])
    assert list(wait_for(1, file, within=5)) == [1]
    assert site.output().count("cannot be reached") == 1


def test_a_worker_that_waits_for_redis_stops_when_it_is_told_to(
    site: Instance, server: tuple[servers.Server, str]
) -> None:
    server[0].stop()
    worker = site.start("worker")
    time.sleep(4)
    started = time.monotonic()
    assert site.stop(worker) == 0
    assert time.monotonic() - started < 5


def test_a_flush_makes_nobody_deaf(
    site: Instance, server: tuple[servers.Server, str], file: Path
) -> None:
    site.start("worker")
    ring(site, "probe.mark", "send", [str(file), 1])
    assert list(wait_for(1, file, within=30)) == [1]
    with redis.Redis.from_url(server[1]) as connection:
        connection.flushall()
    ring(site, "probe.mark", "send", [str(file), 2])
    assert sorted(wait_for(2, file, within=SOON)) == [1, 2]


def test_beat_rings_again_after_a_restart_of_redis_and_not_without_end(
    site: Instance, server: tuple[servers.Server, str]
) -> None:
    beat = site.start("beat")
    with redis.Redis.from_url(server[1]) as connection:
        _until_it_rings(connection)
    server[0].stop()
    time.sleep(6)
    server[0].start()
    servers.wait_for(server[1])
    with redis.Redis.from_url(server[1]) as connection:
        _until_it_rings(connection)
        connection.rpush("wake", *["a bell that nobody hears"] * 200)
        time.sleep(6)
        assert connection.llen("wake") <= 203
    assert site.stop(beat) == 0


def _until_it_rings(connection: redis.Redis) -> None:
    end = time.monotonic() + SOON
    while not connection.llen("wake"):
        assert time.monotonic() < end
        time.sleep(0.1)
