"""`mailape migrate`: Django's command, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connection

from mailape.core.filelock import FileLock

# Any number, the same in every process: containers that start together migrate one by one.
_MIGRATING = 0x6D61696C
_PATIENCE = 600.0  # seconds


class Command(migrate.Command):
    """Brings the database to this version. Whoever comes second waits, and finds it done."""

    help = "Brings the database to this version."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        with _alone():
            super().handle(*args, **options)


@contextmanager
def _alone() -> Iterator[None]:
    if connection.vendor != "postgresql":
        settings.DATA.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(settings.DATA / "migrate.lock", _PATIENCE):
            yield
        return
    with connection.cursor() as cursor:
        # Held by the session, and counted: who holds it already takes it once more.
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATING])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATING])
