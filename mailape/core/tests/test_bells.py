"""A bell never raises, never waits for long, and is not rung before the commit."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from mailape.core import bell
from tests.house.environment import ROOT

RINGS_TWICE = """
import os, sys, time
import django
django.setup()
from mailape.core import bell
for _ in range(2):
    started = time.monotonic()
    assert not bell.ring_now(bell.WAKE)
    print(time.monotonic() - started, flush=True)
"""


@pytest.fixture(autouse=True)
def no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "_alone_until", 0.0)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(bell, "ring_now", found.append)
    return found


@pytest.mark.django_db(transaction=True)
def test_it_is_rung_after_the_commit(rung: list[str]) -> None:
    with transaction.atomic():
        bell.ring(bell.WAKE)
        assert rung == []
    assert rung == [bell.WAKE]


@pytest.mark.django_db(transaction=True)
def test_it_is_not_rung_after_a_rollback(rung: list[str]) -> None:
    with transaction.atomic():
        bell.ring(bell.WAKE)
        transaction.set_rollback(True)
    assert rung == []


def test_a_bell_that_is_not_listed_is_no_bell(caplog: pytest.LogCaptureFixture) -> None:
    assert not bell.ring_now("delivery.unknown")
    assert "not rung" in caplog.text


@pytest.mark.parametrize("broker", ["refuses", "is silent"])
def test_a_dead_redis_costs_a_second_at_most_and_then_nothing(broker: str, tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if broker == "is silent":
            server.listen(5)
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        environment = {
            "MAILAPE_DATA": str(tmp_path),
            "REDIS_URL": url,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "mailape.config.settings",
        }
        done = subprocess.run(
            [sys.executable, "-c", RINGS_TWICE],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 0, done.stderr
    first, second = map(float, done.stdout.split())
    assert first < 1.6
    assert second < 0.05
    assert url not in done.stderr


@pytest.mark.skipif(not settings.EMBEDDED_BROKER, reason="about the embedded broker")
def test_a_locked_broker_file_costs_little_more_than_a_second() -> None:
    assert bell.ring_now(bell.WAKE)
    with sqlite3.connect(settings.DATA / "broker.sqlite3", isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        assert not bell.ring_now(bell.WAKE)
        assert time.monotonic() - started < 2.5
        db.execute("ROLLBACK")


def test_a_thousand_rings_open_no_thousand_files(
    monkeypatch: pytest.MonkeyPatch, open_files: Callable[[], int]
) -> None:
    assert bell.ring_now(bell.WAKE)
    before = open_files()
    for _ in range(200):
        assert bell.ring_now(bell.WAKE)
    assert open_files() <= before + 3


@pytest.fixture
def open_files() -> Callable[[], int]:
    return lambda: len(list(Path("/proc/self/fd").iterdir()))
