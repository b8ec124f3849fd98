"""A backup that was made in the middle of a send, restored as an instance of its own."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from django.conf import settings

from mailape.delivery.tests.test_processes import LIST, SEND, script, until

pytestmark = pytest.mark.processes
MANY = 300


@pytest.fixture
def first(processes, smtp):
    """An instance in the middle of a send, which goes on slowly until `smtp.behave()`."""
    made = processes(SMTP_URL=smtp.url)
    made.migrate()
    smtp.delay(0.1, at="DOT")
    script(made, LIST + SEND.format(count=MANY))
    made.start("worker")
    made.start("beat")
    smtp.wait_for(20, within=30)
    return made


def test_a_backup_restored_in_the_middle_of_a_send_sends_nothing_until_it_is_released(
    first, processes, smtp
):
    second = processes(SMTP_URL=smtp.url)
    second.restore(first)
    smtp.behave()
    until(first, f"sent {{'sent': {MANY}}}")

    second.start("worker")
    second.start("beat")
    second.wait_said("Nothing is sent until somebody releases it")
    time.sleep(7)  # a sweep comes every five seconds
    assert second.run("doctor", check=False).stdout.count("Nothing is sent since") == 1
    assert "newsletters that are paused: 1" in second.run("release", "--pause").stdout
    until(second, "paused")
    time.sleep(2)
    assert set(Counter(letter.to for letter in smtp.letters).values()) == {1}
    assert len(smtp.letters) == MANY


@pytest.mark.skipif(not settings.EMBEDDED_DATABASE, reason="about a database that is a file")
def test_a_backup_written_over_the_file_in_place_sends_nothing_either(first, processes, smtp):
    backup = processes()
    backup.restore(first)
    smtp.behave()
    until(first, f"sent {{'sent': {MANY}}}")
    first.kill()
    for over in first.data.glob("mailape.sqlite3-[ws]*"):
        over.unlink()
    (first.data / "mailape.sqlite3").write_bytes((backup.data / "mailape.sqlite3").read_bytes())

    first.start("worker")
    first.start("beat")
    first.wait_said("Nothing is sent until somebody releases it")
    time.sleep(7)
    assert len(smtp.letters) == MANY
