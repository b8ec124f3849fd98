"""Settings: the database and the broker that the benchmark started, the sink as mail server."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["DATABASE_URL"])
_smtp = urlsplit(os.environ["SMTP_URL"])

SECRET_KEY = "only-for-a-benchmark"
INSTALLED_APPS = ["benchmarks.ordinary"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _database.hostname,
        "PORT": _database.port,
        "NAME": _database.path.lstrip("/"),
        "USER": _database.username,
        "PASSWORD": _database.password,
    }
}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
EMAIL_HOST, EMAIL_PORT = _smtp.hostname, _smtp.port
CELERY_BROKER_URL = os.environ["REDIS_URL"]
SITE_URL = "https://news.example.org"
