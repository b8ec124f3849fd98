"""The Celery application, with Celery's defaults."""

from __future__ import annotations

from celery import Celery

app = Celery("ordinary")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
