"""Columns that are searched by their beginning and sorted: in the order of their letters' codes.

On PostgreSQL they have the collation "C", so that one plain index answers equality, a range from
"ann" to "ann…", and the order by this column, whatever the locale of the database; SQLite compares
so anyway. Compare such a column with another such column only: PostgreSQL refuses to compare two
columns of different collations (42P22).
"""

from __future__ import annotations

from typing import Any

from django.db import models

FAMILY, WHOLE = "family", "whole"


class KeyField(models.CharField):  # type: ignore[type-arg]
    """Text to be found by its beginning."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        """Adds the collation where the database needs to be told."""
        found: dict[str, Any] = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            found["collation"] = "C"
        return found


class NameKeyField(KeyField):
    """A key made from the row's `name`, and from `email_key` where there is none, at each save.

    So every way of writing a person keeps it, `bulk_create` too; only SQL by hand must see to it.
    """

    def __init__(self, *args: Any, part: str = WHOLE, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": 320, "editable": False, **kwargs})
        self.part = part

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "part": self.part}

    def pre_save(self, model_instance: Any, add: bool) -> str:
        made = self.made(model_instance.name, model_instance.email_key)
        setattr(model_instance, self.attname, made)
        return made

    def made(self, name: str, email_key: str) -> str:
        """The key of this name: "anna maria miller", or its last word where there are several."""
        key = " ".join(name.casefold().split())
        if self.part == FAMILY:
            return key.rpartition(" ")[2] if " " in key else ""
        return (key or email_key)[: self.max_length]
