"""A sign-up that was answered gets its mail, whatever dies between the commit and the task."""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Callable

import pytest
from django.conf import settings

from tests.house import servers
from tests.house.instances import Instance
from tests.house.smtp import SmtpServer

pytestmark = pytest.mark.processes
SOON = 15


def a_list_at(site: Instance) -> str:
    """The sign-up page of a new list, made over the API."""
    email, _ = site.open_account()
    token = site.run("token", "add", email).stdout.strip()
    call = urllib.request.Request(
        f"{site.url}/api/v1/lists",
        data=b'{"name": "Weekly letter"}',
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(call, timeout=10) as answer:
        found = re.search(r'"subscribe_url":\s*"([^"]+)"', answer.read().decode())
    assert found is not None
    return found.group(1)


def sign_up(page: str, email: str) -> float:
    """Sends the form; returns the seconds until its answer."""
    began = time.monotonic()
    form = urllib.parse.urlencode({"email": email}).encode()
    with urllib.request.urlopen(page, data=form, timeout=30) as answer:
        assert answer.status == 200
    return time.monotonic() - began


def test_kill_9_of_everything_between_commit_and_task_delays_the_mail_and_no_more(
    processes: Callable[..., Instance], smtp: SmtpServer
) -> None:
    site = processes(SMTP_URL=smtp.url)
    site.up()
    page = a_list_at(site)
    # No worker takes the bell: they are stopped, and then everything is killed.
    for pid in workers_of(site):
        os.kill(pid, signal.SIGSTOP)
    sign_up(page, "ann@example.org")
    time.sleep(0.2)
    site.kill()
    assert not smtp.letters
    site.up()
    smtp.wait_for(1, within=SOON)
    time.sleep(1)
    assert [letter.to for letter in smtp.letters] == ["ann@example.org"]


def workers_of(site: Instance) -> list[int]:
    def words(pid: int) -> bytes:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return file.read()
        except OSError:
            return b""

    found = [pid for pid in site.pids() if b"worker" in words(pid)]
    assert found
    return found


@pytest.mark.skipif(settings.EMBEDDED_BROKER, reason="about the stack with Redis")
def test_while_redis_is_away_a_sign_up_is_answered_and_its_mail_comes_when_it_is_back(
    processes: Callable[..., Instance], smtp: SmtpServer
) -> None:
    with servers.redis_server() as (redis, url):
        site = processes(SMTP_URL=smtp.url, REDIS_URL=url)
        site.up()
        page = a_list_at(site)
        redis.stop(signal.SIGKILL)
        # The goal is 2 s on a quiet machine; here five times that.
        assert sign_up(page, "ann@example.org") < 10
        assert sign_up(page, "bea@example.org") < 10
        redis.start()
        servers.wait_for(url)
        smtp.wait_for(2, within=SOON)
        assert sorted(letter.to for letter in smtp.letters) == [
            "ann@example.org",
            "bea@example.org",
        ]
