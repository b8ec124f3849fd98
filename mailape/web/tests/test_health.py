"""/healthz says that the process lives; /readyz, that all works, and if not, what is missing."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from mailape.core import signs
from mailape.web import health


@pytest.fixture
def a_worker(db: None) -> None:
    signs.Sign("worker", "wake").write()


def test_healthz_asks_nothing_of_the_database(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_load_balancer_that_calls_by_number_is_answered(
    client: Client, a_worker: None, path: str
) -> None:
    assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200


def test_readyz_is_200_with_everything_there(client: Client, a_worker: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.content == b"database: ok\nmigrations: ok\nbroker: ok\nworker: ok\n"


def test_it_speaks_json_to_who_asks_for_it(client: Client, a_worker: None) -> None:
    answer = client.get("/readyz", headers={"Accept": "application/json"})
    assert answer.json() == {
        "ready": True,
        "database": "ok",
        "migrations": "ok",
        "broker": "ok",
        "worker": "ok",
    }


def test_it_is_503_without_a_worker(client: Client, db: None) -> None:
    signs.Sign("beat").write()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert b"worker: none is alive" in answer.content


def test_it_is_503_with_a_migration_missing(client: Client, a_worker: None) -> None:
    MigrationRecorder(connection).record_unapplied("core", "0001_initial")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert b"mailape migrate" in answer.content


def test_it_is_503_without_a_broker_and_tells_no_secret(
    client: Client, a_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EMBEDDED_BROKER", False)
    monkeypatch.setattr(settings, "REDIS_URL", "redis://:topsecret@127.0.0.1:1/0")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert b"broker: cannot be reached" in answer.content
    assert b"secret" not in answer.content
    assert b"127.0.0.1" not in answer.content


def test_it_is_503_without_a_database(
    client: Client, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    def broken() -> str:
        raise OSError("secret detail")

    monkeypatch.setitem(health._LOOKS, "database", broken)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert b"database: cannot be reached" in answer.content
    assert b"detail" not in answer.content


def test_a_start_fills_no_log_with_errors_and_a_change_is_said_once(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "_readiness", health.Readiness())

    def ask(times: int) -> list[tuple[str, str]]:
        caplog.clear()
        with caplog.at_level("INFO"):
            for _ in range(times):
                client.get("/readyz")
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    assert ask(5) == [("INFO", "not ready: worker: none is alive")]
    sign = signs.Sign("worker", "wake")
    sign.write()
    assert ask(5) == [("INFO", "ready")]
    sign._take_away()
    assert ask(5) == [("WARNING", "not ready: worker: none is alive")]
