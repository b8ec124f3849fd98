from typing import Any

from django.apps import AppConfig
from django.db import connection
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    name = "mailape.core"
    label = "core"

    def ready(self) -> None:
        from mailape.core import among  # noqa: F401 - registers the lookup

        post_migrate.connect(_make_first_key, sender=self)


def _make_first_key(**given: Any) -> None:
    """The key of links is there before anything else is: made in the middle of a transaction, it
    would be known to all threads of a process and visible to one of them only."""
    from mailape.core import keys

    if "core_linkkey" in connection.introspection.table_names():
        keys.newest_id()
        keys.forget()
