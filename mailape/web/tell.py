"""What a page says after a deed: one sentence in a toast, and the way back where there is one.

    tell.good(request, _("3 people are taken off the list."), undo=url, batch=batch_id)

The undo is a form that posts `fields` to `undo`; it works without JavaScript.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest

LEVELS = {"good": messages.SUCCESS, "info": messages.INFO, "warn": messages.WARNING,
          "bad": messages.ERROR}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A message as the toast shows it."""

    text: str
    look: str
    undo: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def good(request: HttpRequest, text: str, *, undo: str = "", **fields: str) -> None:
    """It is done. `undo`: the address that takes it back, `fields`: what to post there."""
    _tell(request, "good", text, undo, fields)


def info(request: HttpRequest, text: str, *, undo: str = "", **fields: str) -> None:
    """Neither good nor bad."""
    _tell(request, "info", text, undo, fields)


def warn(request: HttpRequest, text: str) -> None:
    """It was not done, or not wholly; the sentence says what to do."""
    _tell(request, "warn", text, "", {})


def bad(request: HttpRequest, text: str) -> None:
    """It went wrong."""
    _tell(request, "bad", text, "", {})


def read(message: Any) -> Told:
    """The parts of one of Django's messages, also of one that was made without this module."""
    look, _newline, rest = (message.extra_tags or "").partition("\n")
    undo, fields = json.loads(rest) if rest else ("", {})
    return Told(str(message), look if look in LEVELS else "good", undo, fields)


def _tell(request: HttpRequest, look: str, text: str, undo: str, fields: dict[str, str]) -> None:
    tags = f"{look}\n{json.dumps([undo, fields])}" if undo else look
    messages.add_message(request, LEVELS[look], text, tags)
