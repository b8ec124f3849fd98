"""The instance by the API, for monitors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mailape.core import bell, clock, runs, signs
from mailape.core.models import WorkerSign
from tests.house.people import Person


def test_a_monitor_sees_what_works_and_what_does_not(api: Any, alice: Person) -> None:
    alice.user.is_admin = True
    alice.user.save()
    for role, queues in (("web", ""), ("beat", ""), ("worker", "wake,send,bulk")):
        signs.Sign(role, queues).write()
    runs.ended(bell.SWEEP, clock.now(), 0.25, failed=False)
    call = api(alice)
    shown = call.get("system").json()
    assert shown["working"] is True
    assert {one["role"] for one in shown["processes"]} == {"web", "beat", "worker"}
    assert shown["unserved_queues"] == []
    assert {one["queue"] for one in shown["queues"]} >= {"wake", "send", "bulk"}
    assert shown["sweeps"][0] | {"began_at": None} == {
        "name": bell.SWEEP, "began_at": None, "seconds": 0.25, "failed": False, "late": False,
    }  # fmt: skip
    assert shown["sent"].keys() == {"minute", "hour"}
    WorkerSign.objects.filter(role="worker").update(seen_at=clock.now() - timedelta(minutes=1))
    shown = call.get("system").json()
    assert shown["working"] is False
    assert shown["unserved_queues"] == ["bulk", "send", "wake"]
