"""PostgreSQL goes and comes back while tasks run: the worker lives on, and works again at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailape.ops.tests.probe import WITH_PROBES, ring, wait_for
from tests.house import parts, servers
from tests.house.instances import Instance

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(parts.find_postgres() is None, reason="PostgreSQL is not installed"),
]


@pytest.fixture
def server() -> Iterator[tuple[servers.Server, str]]:
    with servers.postgres_server() as started:
        yield started


def test_a_task_that_ends_while_the_database_is_away_does_not_end_the_worker(
    processes: Callable[..., Instance], server: tuple[servers.Server, str], tmp_path: Path
) -> None:
    """Celery takes a result that cannot be stored for its own end."""
    file = tmp_path / "marks"
    site = processes(DATABASE_URL=server[1], SECRET_KEY="x" * 50, **WITH_PROBES)
    site.data.mkdir(exist_ok=True)
    site.run("migrate")
    worker = site.start("worker")
    ring(site, "probe.mark", "send", [str(file), 1])
    assert list(wait_for(1, file, within=30)) == [1]
    server[0].stop(signal.SIGQUIT)
    ring(site, "probe.mark", "send", [str(file), 2])
    ring(site, "delivery.sweep", "wake", [])
    assert sorted(wait_for(2, file, within=10)) == [1, 2]
    time.sleep(1)
    server[0].start()
    servers.wait_for(server[1])
    ring(site, "probe.mark", "send", [str(file), 3])
    assert sorted(wait_for(3, file, within=10)) == [1, 2, 3]
    assert worker.poll() is None, site.output()[-3000:]
    assert site.stop(worker) == 0
