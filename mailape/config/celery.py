"""The Celery application. Tasks are bells: they say "look now" and carry nothing that matters."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailape.config.settings")

app = Celery("mailape")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["mailape.delivery"])
