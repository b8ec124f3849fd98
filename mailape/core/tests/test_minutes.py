"""What happened per minute, and the last run of a sweep."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError

from mailape.core import bell, clock, minutes, runs
from mailape.core.broker import depths
from mailape.core.models import MinuteCount, TaskRun

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted():
    minutes._waiting.clear()
    yield
    minutes._waiting.clear()


def test_counts_of_several_processes_are_added_up():
    minutes.add({"sent": 3, "failed": 1})
    minutes.write()
    minutes.add({"sent": 4})
    minutes.write()
    found = minutes.since(clock.now() - timedelta(minutes=1), "sent", "failed", "deferred")
    assert found == {"sent": 7, "failed": 1, "deferred": 0}
    assert MinuteCount.objects.count() <= 3


def test_what_could_not_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch):
    def away(*given):
        raise DatabaseError("away")

    minutes.add({"sent": 3})
    with monkeypatch.context() as patch:
        patch.setattr(minutes, "_write_one", away)
        with pytest.raises(DatabaseError):
            minutes.write()
    minutes.add({"sent": 2})
    minutes.write()
    assert minutes.since(clock.now() - timedelta(minutes=1), "sent") == {"sent": 5}


def test_minutes_without_anything_are_zeros_and_old_ones_are_forgotten():
    minutes.add({"sent": 3})
    minutes.write()
    with clock.moved(timedelta(minutes=2)):
        assert [count for _, count in minutes.per_minute("sent", 3)] == [0, 3, 0]
    with clock.moved(timedelta(days=3)):
        assert minutes.forget() == 1


def test_the_last_run_of_a_sweep_is_kept_and_no_other_tasks():
    runs.ended(bell.SWEEP, clock.now(), 0.2, failed=False)
    runs.ended(bell.SWEEP, clock.now(), 0.4, failed=True)
    runs.ended(bell.SEND, clock.now(), 5, failed=False)
    (run,) = TaskRun.objects.all()
    assert (run.name, run.seconds, run.failed) == (bell.SWEEP, 0.4, True)
    assert not runs.is_late(run, bell.SWEEP)
    with clock.moved(timedelta(seconds=31)):
        assert runs.is_late(run, bell.SWEEP)
        assert not runs.is_late(run, bell.SWEEP, rung_since=clock.now())


def test_what_never_ran_is_late_once_beat_should_have_rung_it():
    assert not runs.is_late(None, bell.HOUSEKEEPING)
    assert not runs.is_late(None, bell.HOUSEKEEPING, clock.now() - timedelta(minutes=90))
    assert runs.is_late(None, bell.HOUSEKEEPING, clock.now() - timedelta(hours=3))


def test_the_age_of_a_bell_in_redis_is_told_by_when_it_ends():
    ends = (clock.now() + timedelta(seconds=bell.LIFE - 12)).isoformat()
    age = depths._age(b'{"headers": {"expires": "%s"}}' % ends.encode())
    assert age is not None
    assert 11.9 < age < 13
    assert depths._age(None) is None
    assert depths._age(b'{"headers": {}}') is None
    assert depths._age(b"[1]") is None
