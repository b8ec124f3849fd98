"""Signs of life: written while a process lives, gone when it ended, forgotten when it died."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from mailape.core import clock, signs
from mailape.core.models import WorkerSign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sign(monkeypatch: pytest.MonkeyPatch) -> Iterator[signs.Sign]:
    monkeypatch.setattr(signs, "EVERY", 0.1)
    made = signs.begin("worker", "send,bulk")
    yield made
    made.end()


def _seen_within(seconds: float, after: object = None) -> WorkerSign:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = WorkerSign.objects.first()
        if found and found.seen_at != after:
            return found
        time.sleep(0.02)
    raise AssertionError("no sign was written")


def test_a_sign_says_who_what_and_since_when(sign: signs.Sign) -> None:
    found = _seen_within(3)
    assert found.name == sign.name
    assert (found.role, found.queues) == ("worker", "send,bulk")
    assert found.started_at == sign.started_at
    assert [each.name for each in signs.alive("worker")] == [sign.name]
    assert signs.alive("beat") == []


def test_it_is_written_again_and_stays_one_row(sign: signs.Sign) -> None:
    first = _seen_within(3)
    _seen_within(3, after=first.seen_at)
    assert WorkerSign.objects.count() == 1


def test_who_ends_in_order_takes_it_away(sign: signs.Sign) -> None:
    _seen_within(3)
    sign.end()
    assert not WorkerSign.objects.exists()


def test_who_has_been_silent_for_long_is_not_alive() -> None:
    signs.Sign("worker").write()
    assert signs.alive("worker")
    with clock.moved(timedelta(seconds=17)):
        assert not signs.alive("worker")


def test_the_dead_are_forgotten_when_another_begins(sign: signs.Sign) -> None:
    _seen_within(3)
    past = clock.now() - timedelta(hours=2)
    WorkerSign.objects.create(
        name="long:1:worker", role="worker", version="0", started_at=past, seen_at=past
    )
    other = signs.begin("beat")
    other.end()
    assert not WorkerSign.objects.filter(name="long:1:worker").exists()


def test_one_whose_process_is_gone_is_forgotten_by_the_next_of_its_kind_on_this_host() -> None:
    now = clock.now() - timedelta(seconds=20)
    gone = signs.Sign("worker").name.replace(f":{os.getpid()}:", ":99999999:")
    there = signs.Sign("worker").name.replace(f":{os.getpid()}:", ":1:")
    elsewhere = "another-host:99999999:worker"
    for name in (gone, there, elsewhere):
        WorkerSign.objects.create(
            name=name, role="worker", version="1", started_at=now, seen_at=now
        )
    signs.Sign("beat")._forget_the_dead()
    assert WorkerSign.objects.count() == 3
    signs.Sign("worker")._forget_the_dead()
    assert set(WorkerSign.objects.values_list("name", flat=True)) == {there, elsewhere}
