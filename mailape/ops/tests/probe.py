"""Rings the probe tasks of an instance from outside, as another process of it would."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from celery import current_app
from kombu import Connection

from mailape.ops.tests.probe_tasks import MODULE
from tests.house.instances import Instance

WITH_PROBES = {"MAILAPE_TEST_TASKS": MODULE}


def ring(site: Instance, name: str, queue: str, *calls: list[Any]) -> None:
    """Sends one task for each list of arguments."""
    with Connection(broker_url(site)) as connection, connection.Producer() as producer:
        for words in calls:
            current_app.send_task(name, words, queue=queue, producer=producer)


def broker_url(site: Instance) -> str:
    embedded = f"mailape+sqlite:///{quote(str(site.data / 'broker.sqlite3'))}"
    return site.variables.get("REDIS_URL") or embedded


def marks(file: Path) -> Counter[int]:
    """How often each number was marked."""
    return Counter(map(int, file.read_text().split())) if file.exists() else Counter()


def wait_for(count: int, file: Path, within: float) -> Counter[int]:
    """The marks, once there are `count` different ones, or when the time is over."""
    end = time.monotonic() + within
    while len(found := marks(file)) < count and time.monotonic() < end:
        time.sleep(0.05)
    return found
