"""Versions of everything that takes part, and the migrations that are not applied."""

from __future__ import annotations

import logging
import platform
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import celery
import django
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import gettext as _

from mailape import __version__
from mailape.core.broker import depths

log = logging.getLogger(__name__)
UNKNOWN = "?"


@dataclass(frozen=True)
class Versions:
    """Names and versions, in the order to show them; what the database lacks."""

    parts: dict[str, str]
    missing_migrations: list[str] = field(default_factory=list)


def look() -> Versions:
    """All of it, of this process and the servers it uses. Never raises."""
    return Versions(
        {
            "MailApe": __version__,
            "Python": platform.python_version(),
            "Django": django.get_version(),
            "Celery": celery.__version__,
            **_asked(_database),
            **_asked(_broker),
            "System": f"{platform.system()} {platform.release()}",
        },
        missing_migrations=list(_asked(_missing)),
    )


def _asked(look: Callable[[], dict[str, str]]) -> dict[str, str]:
    try:
        return look()
    except Exception as fault:  # of whichever client; what it says may hold an address
        log.warning("a version cannot be read: %s", type(fault).__name__)
        return {}


def _database() -> dict[str, str]:
    name = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}.get(connection.vendor, UNKNOWN)
    return {name: ".".join(str(part) for part in connection.get_database_version())}


def _broker() -> dict[str, str]:
    if settings.EMBEDDED_BROKER:
        return {_("Embedded broker"): f"SQLite {sqlite3.sqlite_version}"}
    with closing(depths.redis()) as server:
        found = server.info("server")
    name = "Valkey" if "valkey_version" in found else "Redis"
    return {name: str(found.get("valkey_version") or found.get("redis_version", UNKNOWN))}


def _missing() -> dict[str, str]:
    known = set(MigrationLoader(None).disk_migrations or ())
    applied = set(MigrationRecorder(connection).applied_migrations())
    return {f"{app}.{name}": "" for app, name in sorted(known - applied)}
