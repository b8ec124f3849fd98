"""Where task results are kept: in the database, and without harm to the worker when it is away."""

from __future__ import annotations

import logging
from typing import Any

from django.db import Error, close_old_connections
from django_celery_results.backends.database import DatabaseBackend

log = logging.getLogger(__name__)


class Results(DatabaseBackend):  # type: ignore[misc]  # it has no types
    """A result that cannot be stored is given up: it is for people to look at, no work hangs on it.

    Celery takes an error here for its own end: with one process per worker, the whole worker goes
    down ("Unrecoverable error") because the database was restarted while a task was running.
    """

    def store_result(self, task_id: Any, result: Any, state: Any, *args: Any, **more: Any) -> Any:
        """Stores a result, or says in the log that it could not."""
        try:
            return super().store_result(task_id, result, state, *args, **more)
        except Error as fault:
            log.warning("the result of task %s is not kept: %s", task_id, type(fault).__name__)
            close_old_connections()
            return result
