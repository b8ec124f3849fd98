"""The Celery application. Tasks are bells: they say "look now" and carry nothing that matters."""

import os
from typing import Any

from celery import Celery, signals

from mailape.core import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")
broker.register()

app = Celery("mailape")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["mailape.delivery"])


@signals.task_prerun.connect
def _close_old_connections(**kwargs: Any) -> None:
    """A worker keeps its database connection from task to task, so it must ask whether it lives."""
    from django.db import close_old_connections

    close_old_connections()
