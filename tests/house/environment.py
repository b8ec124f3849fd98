"""Sets the variables for a run of pytest, before Django's settings are loaded.

pytest loads it as a plugin (`-p tests.house.environment` in pyproject.toml), because pytest-django
reads the settings before any conftest.py. Nothing of a developer's own configuration may reach a
test: an SMTP_URL would mail real people. So every variable is emptied, in `.env` too (the
environment stands over it), but for DATABASE_URL and REDIS_URL on this machine, which choose the
stack.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mailape.config.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
# Of every person in the tests. Here, because whoever starts instances needs no models for it.
PASSWORD = "correct horse battery"
LOOPBACK = {"", "localhost", "127.0.0.1", "::1"}


def worker_number() -> int:
    """This process's number among xdist's workers; 0 without xdist."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def redis_number(url: str, number: int) -> str:
    """The same Redis, another of its 16 databases."""
    return urlsplit(url)._replace(path=f"/{number}").geturl()


def set_up() -> Path:
    """Empties and sets the variables; returns this run's data folder."""
    given = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
    for name, url in given.items():
        if (urlsplit(url).hostname or "") not in LOOPBACK:
            raise pytest.UsageError(f"{name} is not on this machine: tests never touch others.")
    for variable in VARIABLES:
        os.environ[variable.name] = ""
    data = Path(tempfile.mkdtemp(prefix="mailape-tests-"))
    os.environ["MAILAPE_DATA"] = str(data)
    (data / "static").mkdir()  # as `mailape up` makes it
    if given["DATABASE_URL"]:
        os.environ["DATABASE_URL"] = given["DATABASE_URL"]
        os.environ["SECRET_KEY"] = "only-for-tests-only-for-tests-only-for-tests-only-for-tests"
    if given["REDIS_URL"]:
        # 1 to 7 belong to the workers of xdist, 8 to 15 to the processes that tests start.
        os.environ["REDIS_URL"] = redis_number(given["REDIS_URL"], 1 + worker_number() % 7)
    return data


DATA = set_up()


def pytest_report_header() -> str:
    """Says which stack the tests run on."""
    where = {name: urlsplit(os.environ[name]) for name in ("DATABASE_URL", "REDIS_URL")}
    database = where["DATABASE_URL"].port and f"PostgreSQL on port {where['DATABASE_URL'].port}"
    broker = where["REDIS_URL"].port and f"Redis on port {where['REDIS_URL'].port}"
    return f"stack: {database or 'SQLite'} + {broker or 'embedded broker'}"


def pytest_unconfigure() -> None:
    shutil.rmtree(DATA, ignore_errors=True)
