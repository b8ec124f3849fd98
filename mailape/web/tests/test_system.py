"""The system page: what the administrator of the instance sees, with the rest kept secret."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_results.models import TaskResult

from mailape.config import variables
from mailape.core import bell, clock, minutes
from mailape.core.models import TaskRun, WorkerSign
from mailape.system import failures, status
from mailape.web.tests import worlds
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def page(admin: Person, path: str = "") -> str:
    response = admin.client().get(f"/system{path}")
    assert response.status_code == 200
    return response.content.decode()


def sign(role: str, queues: str = "", ago: int = 1, version: str = "0.1.0") -> None:
    now = clock.now()
    WorkerSign.objects.create(
        name=f"box:{WorkerSign.objects.count() + 7}:{role}", role=role, queues=queues,
        version=version, started_at=now - timedelta(hours=1), seen_at=now - timedelta(seconds=ago),
    )  # fmt: skip


def failure(task: str = bell.BUILD, trace: str = "Traceback\nValueError: no") -> TaskResult:
    return TaskResult.objects.create(
        task_id=f"id-{TaskResult.objects.count()}", task_name=task, status="FAILURE",
        traceback=trace, worker="bulk-9@box",
    )  # fmt: skip


def test_all_is_well_when_every_queue_is_served_and_beat_rings(admin: Person):
    sign("web")
    sign("worker", "wake")
    sign("worker", "send,bulk")
    sign("beat")
    now = clock.now()
    for name in (bell.SWEEP, bell.HOUSEKEEPING):
        TaskRun.objects.create(name=name, began_at=now, seconds=0.5, worker="box:7")
    html = page(admin)
    assert "Everything that should run is running" in html
    assert "silent" not in html.replace("was silent for", "")
    assert "0.50 s" in html


def test_a_worker_that_stopped_giving_signs_is_called_silent_and_its_queues_unserved(admin: Person):
    sign("web")
    sign("worker", "wake")
    sign("worker", "send,bulk", ago=40)
    html = page(admin)
    assert ">silent</span>" in html
    assert "No worker serves the queues bulk, send" in html
    assert "Beat is not running" in html


def test_a_process_of_another_version_is_named(admin: Person):
    sign("worker", "wake,send,bulk", version="0.0.9")
    html = page(admin)
    assert "0.0.9" in html
    assert "Some processes run another version" in html


def test_what_went_out_is_shown_by_minute_and_hour(admin: Person):
    minutes._waiting.clear()
    minutes.add({"sent": 1234, "failed": 2})
    minutes.write()
    with clock.moved(timedelta(minutes=1)):
        html = page(admin)
    assert html.count("1,234") >= 2
    assert "UTC" in html


def test_the_page_asks_the_same_few_questions_however_much_there_is(admin: Person):
    client = admin.client()
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get("/system")
    worlds.build(admin)
    for _ in range(5):
        sign("worker", "send")
    with CaptureQueriesContext(connection) as many:
        client.get("/system")
    assert len(many) == len(few)
    assert len(many) <= 16


def test_a_failed_task_shows_its_trace_without_addresses_and_can_be_rung_again(
    admin: Person, monkeypatch: pytest.MonkeyPatch
):
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring_now", lambda name: rung.append(name) or True)
    failure(trace="Traceback\n  File x\nValueError: to eve.smith@example.org password=hunter2 <b>")
    html = page(admin, "/failures")
    assert "ValueError" in html
    assert "&lt;b&gt;" in html
    assert "eve.smith" not in html
    assert "hunter2" not in html
    response = admin.client().post("/system/failures/ring", {"task": bell.BUILD}, follow=True)
    assert "is rung again" in response.content.decode()
    assert rung == [bell.BUILD]


def test_a_task_that_is_none_of_ours_cannot_be_rung(admin: Person):
    failure("some.other.task")
    assert "Ring again" not in page(admin, "/failures")
    response = admin.client().post("/system/failures/ring", {"task": "some.other.task"})
    assert response.status_code == 404


def test_many_failures_come_in_pages(admin: Person):
    for _ in range(30):
        failure()
    html = page(admin, "/failures")
    assert html.count("Ring again") == 25
    assert "Older" in html
    assert failures.rows().count() == 30


def test_a_broker_that_is_away_is_said_and_the_rest_is_shown(
    admin: Person, monkeypatch: pytest.MonkeyPatch
):
    def away():
        raise OSError("redis://user:hunter2@box")

    monkeypatch.setattr("mailape.system.queues.depths", away)
    html = page(admin)
    assert "The broker cannot be reached (OSError)" in html
    assert "hunter2" not in html


def test_the_log_is_filtered_by_level_and_words(admin: Person, settings, tmp_path: Path):
    settings.LOG_KEPT = str(tmp_path / "mailape.log")
    Path(settings.LOG_KEPT).write_text(
        "2026-03-01 10:00:00Z INFO    mailape.a  begun <script>\n"
        "2026-03-01 10:00:01Z ERROR   mailape.b  broken\nTraceback\nKeyError: 1\n"
    )
    assert "begun &lt;script&gt;" in page(admin, "/log")
    html = page(admin, "/log?level=ERROR")
    assert "begun" not in html
    assert "KeyError: 1" in html
    assert "Nothing in the end of the log fits" in page(admin, "/log?q=nothing-like-it")
    settings.LOG_KEPT = ""
    assert "Set LOG_FILE" in page(admin, "/log")


def test_settings_in_force_say_where_they_came_from_and_show_no_part_of_a_secret(
    admin: Person, settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    secrets = {
        "SECRET_KEY": "kkkkkkkkkkkk",
        "DATABASE_URL": "postgresql://mailape:pppppp/qqq@dbhost/dbname",
        "REDIS_URL": "redis://:rrrrrr@cachehost/0",
        "SMTP_URL": "smtp://uuuuuu:ssssss@mailhost:25",
    }
    (tmp_path / ".env").write_text("SMTP_URL=smtp://uuuuuu:ssssss@mailhost:25\nSIGNUP=open\n")
    monkeypatch.chdir(tmp_path)
    for name in ("SMTP_URL", "SIGNUP"):
        monkeypatch.delenv(name, raising=False)
    for name in secrets.keys() - {"SMTP_URL"}:
        monkeypatch.setenv(name, secrets[name])
    settings.IN_FORCE = variables.in_force()
    html = page(admin, "/instance")
    for part in ("kkkk", "pppppp", "qqq", "dbhost", "rrrrrr", "cachehost", "uuuuuu", "ssssss"):
        assert part not in html
    by_name = {one.name: one for one in settings.IN_FORCE}
    assert (by_name["SMTP_URL"].value, by_name["SMTP_URL"].source) == ("smtp://", "file")
    assert (by_name["SIGNUP"].value, by_name["SIGNUP"].source) == ("open", "file")
    assert by_name["SECRET_KEY"].source == "environment"
    assert by_name["LOG_LEVEL"].source == "default"
    assert configured.SECRET_KEY not in html


def test_every_variable_is_listed_and_no_secret_ever_has_a_value(admin: Person, settings):
    html = page(admin, "/instance")
    for variable in variables.VARIABLES:
        assert f"<code>{variable.name}</code>" in html
    shown = json.dumps([one.value for one in settings.IN_FORCE if one.is_secret])
    assert "@" not in shown


def test_migrations_that_are_missing_are_named(admin: Person, monkeypatch: pytest.MonkeyPatch):
    assert "all applied" in page(admin, "/instance")
    missing = {"lists.0099_more": ""}
    monkeypatch.setattr("mailape.system.versions._missing", lambda: missing)
    html = page(admin, "/instance")
    assert "1 migration is not applied" in html
    assert "lists.0099_more" in html


def test_disk_and_versions_are_shown(admin: Person):
    html = page(admin, "/instance")
    assert "are free where the data folder lies" in html
    for name in ("MailApe", "Python", "Django"):
        assert f"<dt>{name}</dt>" in html


def test_the_public_page_is_switched_on_and_off_here(admin: Person):
    client = admin.client()
    for answer, is_on in (("yes", True), ("yes", True), ("no", False)):
        assert client.post("/system/status-page", {"on": answer}).status_code == 302
        assert status.is_on() is is_on


def test_who_administers_nothing_sees_no_way_to_it(bob: Person):
    assert 'href="/system"' not in bob.client().get("/").content.decode()


def test_the_administrator_sees_the_way_to_it(admin: Person):
    assert 'href="/system"' in admin.client().get("/").content.decode()


def test_an_administrator_without_a_workspace_sees_it_too(admin: Person):
    admin.member.delete()
    assert "Processes" in page(admin)
