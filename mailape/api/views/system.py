"""The instance, for monitors: with a token of its administrator, whatever the workspace."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from mailape import __version__
from mailape.accounts.models import Role
from mailape.api.base import Endpoint
from mailape.api.instance import SystemShown
from mailape.api.schema import described
from mailape.core import clock
from mailape.core.errors import NotFound
from mailape.delivery import hold
from mailape.system import failures, processes, queues, sweeps


class System(Endpoint):
    roles = {"GET": Role.VIEWER}
    hidden = True

    def look_up(self) -> None:  # type: ignore[override]
        if not self.member.user.is_admin:
            raise NotFound("There is nothing here.")

    @described("get_system", {200: SystemShown})
    def get(self, request: Request) -> Response:
        """Shows the instance.

        For its administrator: processes, queues, what waits, what went out, the sweeps.
        """
        return Response(SystemShown(_gathered()).data)


def _gathered() -> dict[str, Any]:
    who, rate, waiting = processes.look(), queues.rate(), queues.deliveries()
    broker = queues.broker()
    return {
        "at": clock.now(),
        "version": __version__,
        "working": who.is_working and who.has_web and not broker.fault,
        "processes": who.found,
        "unserved_queues": who.unserved,
        "has_beat": who.has_beat,
        "queues": broker.queues,
        "broker_fault": broker.fault,
        "sent": {"minute": rate.minute["sent"], "hour": rate.hour["sent"]},
        "failed": {"minute": rate.minute["failed"], "hour": rate.hour["failed"]},
        "waiting": {
            "in_batches": waiting.in_batches,
            "paused": waiting.paused,
            "due": waiting.due.count,
            "later": waiting.later.count,
            "oldest_due": waiting.due.oldest,
        },
        "held": hold.now(),
        "sweeps": [_sweep(one) for one in sweeps.look(who.beat_since)],
        "last_failure": failures.last_at(),
    }


def _sweep(one: sweeps.Sweep) -> dict[str, Any]:
    return {
        "name": one.name,
        "began_at": one.run and one.run.began_at,
        "seconds": one.run and one.run.seconds,
        "failed": bool(one.run and one.run.failed),
        "is_late": one.is_late,
    }
