"""The engine in processes of its own: real workers, a real broker, a real SMTP server."""

from __future__ import annotations

import ast
import time
from collections import Counter

import pytest

from mailape.delivery import transports

pytestmark = pytest.mark.processes

LIST = """
from mailape.delivery.tests.conftest import add_readers
from mailape.accounts.models import Workspace
from mailape.campaigns import audience, dispatch
from mailape.campaigns.models import Message
from mailape.lists import subscribe
from mailape.lists.models import MailingList, Method
from mailape.senders.models import Sender
workspace, _ = Workspace.objects.get_or_create(name="Alice")
Sender.objects.get_or_create(workspace=workspace, email="alice@example.org", is_default=True)
a_list, _ = MailingList.objects.get_or_create(workspace=workspace, name="Weekly")
"""
SEND = """
add_readers(a_list, {count})
message = Message.objects.create(
    workspace=workspace, audience=audience.rule([a_list]), subject="News", body="Some news")
dispatch.send(message)
"""
SIGN_UP = """
subscribe.sign_up(a_list, "{email}", "", subscribe.Origin(Method.FORM))
import time
print(time.time())
"""
COUNTS = """
from mailape.campaigns.models import Message
from mailape.delivery import tally
for message in Message.objects.filter(kind="newsletter"):
    print(message.status, {s: n for s, n in tally.counts(message).items() if n})
"""
RESULTS = """
from django_celery_results.models import TaskResult
print(list(TaskResult.objects.values_list("task_name", "status")))
"""


@pytest.fixture
def instance(processes, smtp):
    made = processes(SMTP_URL=smtp.url)
    made.migrate()
    return made


def script(instance, text: str) -> str:
    return instance.run("shell", "--no-imports", "-c", text).stdout


def until(instance, wanted: str, within: float = 30) -> None:
    end = time.monotonic() + within
    while wanted not in (said := script(instance, COUNTS)):
        assert time.monotonic() < end, f"{said}\n{instance.output()[-3000:]}"
        time.sleep(0.5)


def test_two_workers_send_one_mail_to_each(instance, smtp):
    instance.start("worker")
    instance.start("worker")
    script(instance, LIST + SEND.format(count=2000))
    smtp.wait_for(2000, within=120)
    until(instance, "sent {'sent': 2000}")
    each = Counter(letter.to for letter in smtp.letters)
    assert len(each) == 2000
    assert set(each.values()) == {1}
    assert len({letter.message_id for letter in smtp.letters}) == 2000
    assert smtp.most_at_once <= transports.AT_ONCE


def test_a_confirmation_is_there_within_two_seconds(instance, smtp):
    instance.start("worker", "--queues", "wake")
    script(instance, LIST + SIGN_UP.format(email="first@example.org"))
    smtp.wait_for(1)  # the worker is awake now
    asked = float(script(instance, LIST + SIGN_UP.format(email="eve@example.org")))
    smtp.wait_for(2)
    (letter,) = smtp.to("eve@example.org")
    assert letter.at - asked < 2
    time.sleep(0.5)
    assert "('delivery.wake', 'SUCCESS')" in script(instance, RESULTS)


def test_a_sign_up_that_no_worker_heard_is_found_by_the_sweep(instance, smtp):
    script(instance, LIST + SIGN_UP.format(email="eve@example.org"))
    assert not smtp.letters
    instance.start("worker", "--queues", "wake")
    instance.start("beat")
    smtp.wait_for(1, within=15)


def test_a_killed_worker_loses_nothing_and_doubles_nothing(instance, smtp):
    smtp.delay(0.02, at="RCPT")
    instance.start("worker")
    script(instance, LIST + SEND.format(count=1000))
    smtp.wait_for(100)
    instance.kill()
    instance.start("worker")
    instance.start("beat")
    until(instance, "sent {", within=60)
    each = Counter(letter.to for letter in smtp.letters)
    assert set(each.values()) == {1}
    assert len({(letter.to, letter.message_id, letter.sha256) for letter in smtp.letters}) == len(
        each
    )
    # In doubt is at most the one mail of each connection whose answer was not read. Of these, and
    # of no others, the server may have none.
    counts = ast.literal_eval(script(instance, COUNTS).partition(" ")[2])
    in_doubt = counts.pop("unknown", 0)
    assert in_doubt <= smtp.most_at_once <= 16
    assert counts == {"sent": 1000 - in_doubt}
    assert 1000 - in_doubt <= len(each) <= 1000


def test_a_stopped_worker_finishes_what_is_under_way_and_doubles_nothing(instance, smtp):
    smtp.delay(0.02, at="RCPT")
    worker = instance.start("worker")
    script(instance, LIST + SEND.format(count=600))
    smtp.wait_for(50)
    assert instance.stop(worker) == 0
    instance.start("worker")
    instance.start("beat")
    until(instance, "sent {'sent': 600}", within=60)
    assert len(smtp.letters) == len({letter.to for letter in smtp.letters}) == 600
