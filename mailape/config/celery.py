"""The Celery application. Tasks are bells: they say "look now" and carry nothing that matters."""

import os
from typing import Any

from celery import Celery, signals

from mailape.core import broker, processes

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
broker.register()

app = Celery("mailape")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(
    [f"mailape.{app}" for app in ("senders", "lists", "campaigns", "delivery", "privacy")]
)


@signals.worker_ready.connect
def _settle_down(**kwargs: Any) -> None:
    processes.settle_down()


@signals.task_prerun.connect
def _close_old_connections(**kwargs: Any) -> None:
    """A worker keeps its database connection from task to task, so it must ask whether it lives."""
    from django.db import close_old_connections

    close_old_connections()


_began: dict[str, tuple[Any, float]] = {}


@signals.task_prerun.connect
def _note_begin(task_id: str = "", **kwargs: Any) -> None:
    from mailape.core import clock

    _began[task_id] = (clock.now(), clock.monotonic())


@signals.task_postrun.connect
def _note_end(task_id: str = "", task: Any = None, state: str = "", **kwargs: Any) -> None:
    """The last run of each sweep is kept, and how long it took."""
    from mailape.core import clock, runs

    began_at, began = _began.pop(task_id, (clock.now(), clock.monotonic()))
    runs.ended(task.name, began_at, clock.monotonic() - began, failed=state == "FAILURE")
