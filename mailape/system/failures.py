"""Tasks that failed: what each raised, where, and ringing again.

A task is a bell: it carries nothing, and what it should have done stands in the database. So doing
it again is safe, always, and there is no more to it than ringing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django_celery_results.models import TaskResult

from mailape.core import bell, ids
from mailape.core.errors import NotFound
from mailape.core.logs import cleaned

KIND = "task"
_FAILED = "FAILURE"


@dataclass(frozen=True)
class Failure:
    """One task that failed, without tokens, passwords or full addresses in its words."""

    pk: int
    task: str
    at: datetime
    worker: str
    error: str
    trace: str

    @property
    def public_id(self) -> str:
        return ids.public(KIND, self.pk)

    @property
    def may_ring(self) -> bool:
        """Whether it is one of our bells; a task of an older version may be known no more."""
        return self.task in bell.QUEUES


def rows() -> Any:
    """The failed tasks, as a queryset of rows that `read` understands."""
    return TaskResult.objects.filter(status=_FAILED)


def read(row: Any) -> Failure:
    """A row as people see it."""
    trace = "\n".join(cleaned(line) for line in (row.traceback or "").splitlines())
    last = trace.strip().rpartition("\n")[2]
    return Failure(row.pk, row.task_name or "", row.date_done, row.worker or "", last[:300], trace)


def kept_for() -> Any:
    """How long results are kept."""
    return settings.CELERY_RESULT_EXPIRES


def ring_again(task: str) -> bool:
    """Rings the bell of that name; says whether the broker took it. Raises NotFound."""
    if task not in bell.QUEUES:
        raise NotFound(_("There is no such task."))
    return bell.ring_now(task)


def last_at() -> datetime | None:
    """When a task failed last, of those that are kept."""
    newest = rows().order_by("-pk").values_list("date_done", flat=True)
    return next(iter(newest[:1]), None)
