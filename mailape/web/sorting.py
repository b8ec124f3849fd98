"""Which column a table is sorted by: `?sort=email`, or `?sort=-email` for falling."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.http import QueryDict


@dataclass(frozen=True)
class Sort:
    """A column's key and its direction."""

    key: str
    falling: bool = False

    @property
    def value(self) -> str:
        """As it stands in the address."""
        return f"-{self.key}" if self.falling else self.key


def read(data: QueryDict, keys: Collection[str], default: str) -> Sort:
    """The column that is named, or the default for one that this table does not have."""
    wanted = data.get("sort", "")
    chosen = wanted if wanted.removeprefix("-") in keys else default
    return Sort(chosen.removeprefix("-"), chosen.startswith("-"))
