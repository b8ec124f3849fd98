"""Who works: the processes of this instance by their signs of life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailape import __version__
from mailape.core import bell, clock, signs
from mailape.core.models import WorkerSign

ROLES = ("web", "worker", "beat")


@dataclass(frozen=True)
class Process:
    """One process. `is_alive` is false once it has given no sign for 16 s."""

    host: str
    pid: str
    role: str
    queues: list[str]
    version: str
    started_at: datetime
    seen_at: datetime
    silent_for: float  # seconds
    is_alive: bool

    @property
    def is_other_version(self) -> bool:
        """Whether it runs another version than this process: it was not started again."""
        return self.version != __version__


@dataclass(frozen=True)
class Processes:
    """All of them, and what is missing: queues that no worker serves, web or beat not there."""

    found: list[Process]
    unserved: list[str]
    has_web: bool
    beat_since: datetime | None

    @property
    def has_beat(self) -> bool:
        return self.beat_since is not None

    @property
    def is_working(self) -> bool:
        """Whether every queue has a worker, and beat finds what no bell announced."""
        return self.has_beat and not self.unserved


def look() -> Processes:
    """Every process that was heard within the last hour or two. One query."""
    now = clock.now()
    rows = sorted(WorkerSign.objects.all(), key=lambda row: (_rank(row.role), row.name))
    found = [_process(row, now) for row in rows]
    alive = [one for one in found if one.is_alive]
    served = {queue for one in alive if one.role == "worker" for queue in one.queues}
    roles = {one.role for one in alive}
    return Processes(
        found,
        unserved=sorted(set(bell.QUEUES.values()) - served),
        has_web="web" in roles,
        beat_since=min((one.started_at for one in alive if one.role == "beat"), default=None),
    )


def _rank(role: str) -> int:
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _process(row: WorkerSign, now: datetime) -> Process:
    host, _, rest = row.name.partition(":")
    return Process(
        host=host,
        pid=rest.partition(":")[0],
        role=row.role,
        queues=[queue for queue in row.queues.split(",") if queue],
        version=row.version,
        started_at=row.started_at,
        seen_at=row.seen_at,
        silent_for=max(0.0, (now - row.seen_at).total_seconds()),
        is_alive=now - row.seen_at <= signs.SILENCE,
    )
