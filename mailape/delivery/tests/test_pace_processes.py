"""Limits with two sending processes, and one of them killed."""

from __future__ import annotations

import ast
import time
from collections import Counter

import pytest

from mailape.delivery.tests.test_processes import COUNTS, LIST, SEND, script, until

pytestmark = pytest.mark.processes

ACCOUNT = """
from mailape.delivery import transports
from mailape.senders.models import TransportAccount
account = TransportAccount.objects.get(pk=transports.current().account_id)
TransportAccount.objects.filter(pk=account.pk).update({account})
"""
DOMAIN = """
from mailape.delivery.models import Pace
Pace.objects.create(account=account, domain="example.org", {domain})
"""


@pytest.fixture
def instance(processes, smtp):
    made = processes(SMTP_URL=smtp.url)
    made.migrate()
    return made


def two_send(instance, count: int, account: str, domain: str = "") -> None:
    text = ACCOUNT.format(account=account) + (DOMAIN.format(domain=domain) if domain else "")
    script(instance, LIST + text + SEND.format(count=count))
    instance.start("worker")
    instance.start("worker")
    instance.start("beat")


def rate(letters) -> float:
    """Letters per second in the middle: the first second and the last belong to the start."""
    times = sorted(letter.at for letter in letters)
    middle = [at for at in times if times[0] + 1 < at < times[-1] - 1]
    return (len(middle) - 1) / (middle[-1] - middle[0])


def test_an_accounts_rate_and_connections(instance, smtp):
    two_send(instance, 500, "per_second=50, connections=3")
    smtp.wait_for(500, within=60)
    until(instance, "sent {'sent': 500}")
    assert rate(smtp.letters) == pytest.approx(50, rel=0.1)
    assert smtp.most_at_once <= 3


def test_a_domains_rate(instance, smtp):
    two_send(instance, 400, "per_second=None", "per_second=30")
    smtp.wait_for(400, within=60)
    until(instance, "sent {'sent': 400}")
    assert rate(smtp.letters) == pytest.approx(30, rel=0.1)
    assert set(Counter(letter.to for letter in smtp.letters).values()) == {1}


def test_an_hours_allowance(instance, smtp):
    two_send(instance, 400, "per_hour=150")
    smtp.wait_for(150, within=30)
    time.sleep(8)
    assert len(smtp.letters) == 150


def test_a_killed_sender_loses_nothing_that_is_held_back(instance, smtp):
    two_send(instance, 300, "per_second=None", "per_second=30")
    smtp.wait_for(100, within=30)
    instance.kill()
    instance.start("worker")
    instance.start("worker")
    instance.start("beat")
    until(instance, "sent {", within=90)
    counts = ast.literal_eval(script(instance, COUNTS).strip().removeprefix("sent "))
    # The kill may have hit mails whose dot was out: those are in doubt, and nobody sends them.
    assert counts["sent"] + counts.get("unknown", 0) == 300
    each = Counter(letter.to for letter in smtp.letters)
    assert counts["sent"] <= len(each) <= 300
    assert set(each.values()) == {1}
