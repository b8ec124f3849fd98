"""`mailape doctor` finds what is wrong, and what to do; `mailape send-test` shows the answer."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder

from mailape.campaigns.models import Message
from mailape.core import clock, signs
from mailape.core.models import WorkerSign
from mailape.delivery.transports.base import Fate
from mailape.delivery.transports.probe import Reached, RouteFault
from mailape.ops import doctor
from mailape.ops.doctor import FAULT, OK, WARNING, Finding
from tests.house.instances import Instance
from tests.house.smtp import SmtpServer, Stage

Processes = Callable[..., Instance]


def about(name: str) -> list[Finding]:
    return [one for one in doctor.examine() if one.about == name]


def levels(name: str) -> set[str]:
    return {one.level for one in about(name)}


@pytest.fixture
def whole(settings: Any, db: None) -> None:
    """An instance with nothing to complain of but what a test changes."""
    settings.SITE_URL, settings.SITE_IS_HTTPS = "https://news.example.org", True
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.1")]
    settings.SECRET_KEY = "x" * 50
    Path(settings.DATA).chmod(0o700)
    for role, queues in (("worker", "wake"), ("worker", "send,bulk"), ("beat", "")):
        sign = signs.Sign(role, queues)
        sign.name += queues
        sign.write()


def test_a_whole_instance_is_well(whole: None) -> None:
    assert [one for one in doctor.examine() if one.level != OK] == []


def test_every_complaint_says_what_to_do(db: None, settings: Any) -> None:
    settings.DATA = Path("/nowhere/at/all")
    settings.SMTP_URL = "smtp://127.0.0.1:1"
    complaints = [one for one in doctor.examine() if one.level != OK]
    assert {one.about for one in complaints} >= {"settings", "disk", "workers", "smtp"}
    assert all(one.todo for one in complaints)


def test_an_http_site_is_told_of_one_click_unsubscribe(whole: None, settings: Any) -> None:
    settings.SITE_URL, settings.SITE_IS_HTTPS = "http://127.0.0.1:8000", False
    (found,) = [one for one in about("settings") if one.level == WARNING]
    assert "List-Unsubscribe" in found.text


def test_an_https_site_without_a_trusted_proxy_is_told(whole: None, settings: Any) -> None:
    settings.TRUSTED_PROXIES = []
    (found,) = [one for one in about("settings") if one.level == WARNING]
    assert "TRUSTED_PROXIES" in found.text


def test_a_missing_migration_is_a_fault(whole: None) -> None:
    MigrationRecorder.Migration.objects.filter(app="delivery").order_by("-id")[0].delete()
    assert levels("database") == {OK, FAULT}
    assert about("workers") == []  # which would only repeat it


def test_a_little_room_is_told_and_no_room_is_a_fault(
    whole: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, level in ((doctor.ROOM - 1, WARNING), (doctor.LITTLE - 1, FAULT)):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path, usage=usage: usage)
        assert levels("disk") == {level}


def test_without_a_worker_or_beat_mail_waits(whole: None) -> None:
    WorkerSign.objects.filter(queues="wake").delete()
    assert any("wake" in one.text for one in about("workers") if one.level == WARNING)
    with clock.moved(signs.SILENCE + timedelta(seconds=1)):
        assert len([one for one in about("workers") if one.level == WARNING]) == 2


def test_a_record_from_the_future_shows_a_wrong_clock(whole: None) -> None:
    with clock.moved(timedelta(days=1)):
        Message.objects.create(subject="from tomorrow")
    assert FAULT in levels("time")


def test_a_mail_server_that_lets_us_in(
    whole: None, settings: Any, smtp_server: Callable[..., SmtpServer]
) -> None:
    settings.SMTP_URL = smtp_server().url
    settings.DEFAULT_FROM = "News <news@example.org>"
    (found,) = about("smtp")
    assert found.level == OK
    assert "in clear" in found.text


@pytest.mark.parametrize(
    "setting", [None, (Stage.CONNECT, "554 5.7.1 Not you"), (Stage.EHLO, "550 5.7.1 Not you")]
)
def test_a_mail_server_that_does_not(
    whole: None, settings: Any, smtp_server: Callable[..., SmtpServer], setting: Any
) -> None:
    server = smtp_server()
    settings.SMTP_URL = server.url if setting else "smtp://127.0.0.1:1"
    if setting:
        server.answer(setting[1], at=setting[0])
    (found,) = about("smtp")
    assert found.level == FAULT
    assert ("Not you" in found.text) == bool(setting)


def test_a_wrong_password_is_a_fault_and_is_not_shown(
    whole: None, settings: Any, smtp_server: Callable[..., SmtpServer]
) -> None:
    server = smtp_server(user="ann", password="right")
    settings.SMTP_URL = server.url.replace("right", "wrong-secret")
    found = about("smtp")
    assert {one.level for one in found} == {FAULT}
    assert "wrong-secret" not in str(found)


def test_the_command_ends_with_a_fault_only_when_there_is_one(
    whole: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("doctor", "--json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ok"] is True
    settings.SMTP_URL = "smtp://127.0.0.1:1"
    with pytest.raises(CommandError, match="one fault"):
        call_command("doctor")
    said = capsys.readouterr().out
    assert re.search(r"^fault +smtp +.*127\.0\.0\.1:1.*\n +→ Look at SMTP_URL", said, re.M), said


@pytest.mark.processes
def test_a_database_and_broker_that_are_away_are_faults_not_a_crash(processes: Processes) -> None:
    away = processes(
        DATABASE_URL="postgresql://x:secret-word@127.0.0.1:1/x",
        REDIS_URL="redis://:secret-word@127.0.0.1:1/0",
        SECRET_KEY="k" * 50,
    )
    done = away.run("doctor", "--json", check=False)
    assert done.returncode == 1
    found = json.loads(done.stdout.splitlines()[-1])
    faults = {one["about"] for one in found["findings"] if one["level"] == FAULT}
    assert {"database", "broker"} <= faults
    assert "secret-word" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


# --- mailape send-test ---------------------------------------------------------------------------


def send_test(site: Instance, *words: str) -> subprocess.CompletedProcess[str]:
    return site.run("send-test", "ada@example.org", *words, check=False)


@pytest.mark.processes
def test_a_test_mail_takes_the_real_path_and_shows_the_answer(
    processes: Processes, smtp: SmtpServer
) -> None:
    site = processes(SMTP_URL=smtp.url)
    site.migrate()
    nobody = send_test(site, "--within", "1")
    assert (nobody.returncode, "no worker runs" in nobody.stderr) == (1, True)
    site.start("worker", "--queues", "wake")
    done = send_test(site)
    assert done.returncode == 0, done.stderr + site.output()
    assert done.stdout.startswith("Sent to ada@example.org: 250 ")
    shown = json.loads(send_test(site, "--json").stdout.splitlines()[-1])
    assert (shown["state"], shown["answer"][:4]) == ("sent", "250 ")
    smtp.answer("550 5.1.1 Nobody here", to="ada@example.org")
    refused = send_test(site)
    assert refused.returncode == 1
    assert "Nobody here" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert len(smtp.wait_for(2)) >= 2


@pytest.mark.processes
def test_without_an_smtp_server_the_test_mail_lies_in_the_outbox(processes: Processes) -> None:
    site = processes()
    site.migrate()
    site.start("worker", "--queues", "wake")
    done = send_test(site)
    assert done.returncode == 0, done.stderr + site.output()
    assert "Outbox" in done.stdout


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize(
    ("url", "leaks"),
    [
        ("smtp://ann:a-secret@mail.example.org", True),
        ("smtp://mail.example.org", False),
        ("smtp://ann:a-secret@127.0.0.1:25", False),
        ("smtp+starttls://ann:a-secret@mail.example.org", False),
        ("smtps://ann:a-secret@mail.example.org", False),
    ],
)
def test_a_password_that_may_go_out_in_clear_is_warned_of(
    whole: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    leaks: bool,
    reached: bool,
) -> None:
    def answer() -> Reached:
        if reached:
            return Reached("mail.example.org:25", "TLSv1.3", True)
        raise RouteFault(Fate.ROUTE_DOWN, "mail.example.org:25 does not answer")

    settings.SMTP_URL, settings.DEFAULT_FROM = url, "News <news@example.org>"
    monkeypatch.setattr(doctor, "probe", answer)  # a server beyond this machine is not asked
    warned = [one for one in about("smtp") if one.level == WARNING]
    assert bool(warned) == leaks
    for one in warned:
        assert "smtp+starttls://" in one.todo
        assert "a-secret" not in one.text
