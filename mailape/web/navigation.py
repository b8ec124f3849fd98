"""What stands in the navigation: a link for each section whose route exists and who may see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as later

Asks = Callable[[dict[str, Any]], bool]


def _always(context: dict[str, Any]) -> bool:
    return True


def _administrator(context: dict[str, Any]) -> bool:
    return bool(getattr(context["request"].user, "is_admin", False))


@dataclass(frozen=True)
class Section:
    """A place of the navigation. On a phone only the `first` ones stand in the bar itself."""

    name: str
    route: str
    icon: str
    label: Any
    first: bool = False
    shown: Asks = _always


SECTIONS = (
    Section("overview", "web:overview", "home", later("Overview"), first=True),
    Section("lists", "web:lists", "list", later("Lists"), first=True),
    Section("people", "web:people", "people", later("People"), first=True),
    Section("messages", "web:messages", "pen", later("Messages"), first=True),
    Section("suppressions", "web:suppressions", "ban", later("Suppressions")),
    Section(
        "outbox", "web:outbox", "inbox", later("Outbox"), shown=lambda c: bool(c.get("outbox_only"))
    ),
    Section("settings", "web:settings", "sliders", later("Settings")),
    Section("system", "web:system", "gauge", later("System"), shown=_administrator),
)
# Where a page belongs while its own section has no place in the navigation.
INSTEAD = {"people": "lists", "suppressions": "lists", "outbox": "overview", "system": "settings",
           "account": "settings", "go": "overview"}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A link of the navigation on this page."""

    url: str
    icon: str
    label: str
    here: bool
    first: bool


def address(route: str) -> str:
    """Where a route leads; empty while there is no such route."""
    try:
        return reverse(route)
    except NoReverseMatch:
        return ""


def items(context: dict[str, Any]) -> list[Item]:
    """The links for whoever looks at this page, the current one marked."""
    shown = [(one, address(one.route)) for one in SECTIONS if one.shown(context)]
    shown = [(one, url) for one, url in shown if url]
    section = context.get("section", "")
    if section not in {one.name for one, _url in shown}:
        section = INSTEAD.get(section, section)
    return [
        Item(url, one.icon, str(one.label), one.name == section, one.first) for one, url in shown
    ]
