"""Django's settings for the simulator: a database in memory, and leases that end soon."""

from __future__ import annotations

import os
import tempfile

# Whatever this machine has in its environment is not for us.
for _name in ("DATABASE_URL", "REDIS_URL", "SMTP_URL", "SECRET_KEY", "MAILAPE_FAILPOINTS"):
    os.environ.pop(_name, None)
os.environ["MAILAPE_DATA"] = os.environ.get("MAILAPE_SIMULATOR", tempfile.gettempdir())
os.environ["SECRET_KEY"] = "the-simulator-has-no-secrets-" * 2

from mailape.config.settings import *  # noqa: E402, F403

DATABASES = {
    "default": {
        "ENGINE": "mailape.core.sqlite",
        "NAME": ":memory:",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
# Tables straight from the models: a second less at each start.
MIGRATION_MODULES = dict.fromkeys(
    [name.rpartition(".")[2] for name in INSTALLED_APPS],  # noqa: F405
)
SECRET_KEY = os.environ["SECRET_KEY"]
SMTP_URL = "smtp://mail.example.org:25"
DELIVERY_LEASE_SECONDS = 6
LOGGING_CONFIG = None
CELERY_TASK_ALWAYS_EAGER = False
