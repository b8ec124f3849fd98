"""Forms without a form library: what was typed, and what the deed said was wrong with it.

The deeds check their input and say in a sentence what will not do; a form here only carries that
sentence back to its field, so that a rule stands in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from mailape.core.errors import Invalid, MailApeError


@dataclass
class Form:
    """The values a form shows, the fault of each field, and the fault of the whole."""

    values: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    def refuse(self, error: MailApeError) -> None:
        """Keeps what a deed refused, at the field that it named where this form has it."""
        named = error.field if isinstance(error, Invalid) else None
        if named in self.values:
            self.faults[str(named)] = str(error)
        else:
            self.fault = str(error)

    @property
    def status(self) -> int:
        """The status to answer with: 400 once something is wrong."""
        return 400 if self.fault or self.faults else 200


def posted(request: HttpRequest, *names: str) -> Form:
    """A form with the posted text of each of `names`."""
    return Form({name: text(request.POST, name) for name in names})


def text(data: Mapping[str, Any], name: str) -> str:
    """One value without blanks around it. NUL goes: PostgreSQL has no text with it."""
    return str(data.get(name, "")).replace("\x00", "").strip()


def search_text(data: Mapping[str, Any]) -> str:
    """What was typed into the search field: one line of what can be seen."""
    return "".join(c for c in text(data, "q") if c.isprintable())[:200].strip()
