"""What the public may see: whether the instance works, in plain words, and when it did not.

No number of readers, mails or processes, no name of a workspace, nothing of how it is built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailape.core import clock
from mailape.core.models import Incident, InstanceSetting, PartState
from mailape.system import processes, watch

# What nobody has looked at for so long is not known.
STALE = timedelta(seconds=60)
SHOWN = 50
_SWITCH = "status_page"


@dataclass(frozen=True)
class Part:
    """One part: web, database, workers, mail; well, not well, or not known (None)."""

    name: str
    is_well: bool | None
    since: datetime | None


@dataclass(frozen=True)
class Status:
    """How everything is, and the incidents of the last 90 days, newest first."""

    at: datetime
    parts: list[Part]
    incidents: list[Incident] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return all(part.is_well for part in self.parts)


def is_on() -> bool:
    """Whether the administrator has switched the public page on."""
    kept = InstanceSetting.objects.filter(name=_SWITCH).first()
    return bool(kept and kept.value)


def switch(on: bool) -> None:
    """Switches the public page on or off."""
    InstanceSetting.objects.update_or_create(name=_SWITCH, defaults={"value": bool(on)})


def look() -> Status:
    """How things are: workers at this moment, mail by the last notes. Raises DatabaseError."""
    now = clock.now()
    working = {"web": True, "database": True, "workers": processes.look().is_working}
    states = {state.name: state for state in PartState.objects.all()}
    since = now - watch.KEPT
    incidents = Incident.objects.filter(began_at__gte=since).order_by("-began_at")[:SHOWN]
    parts = [_part(name, working.get(name), states.get(name), now) for name in watch.PARTS]
    return Status(now, parts, list(incidents))


def without_database() -> Status:
    """The same when the database cannot be read: that is known, and that the web answers."""
    known = {"web": True, "database": False}
    parts = [Part(name, known.get(name), None) for name in watch.PARTS]
    return Status(clock.now(), parts)


def _part(name: str, is_well: bool | None, state: PartState | None, now: datetime) -> Part:
    """By what is known at this moment, else by the note of it, if that is fresh."""
    noted = state if state and now - state.looked_at <= STALE else None
    if is_well is None and noted:
        is_well = noted.is_well
    agrees = noted is not None and noted.is_well == is_well
    return Part(name, is_well, noted.since if noted and agrees else None)
