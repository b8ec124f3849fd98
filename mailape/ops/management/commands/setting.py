"""`mailape setting`: what the operator turns on or off for the whole instance."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from mailape.core.models import InstanceSetting
from mailape.ops.command import Command as Plain

# Each with what it does, and whether it is on unless somebody said otherwise.
SETTINGS = {
    "consent_network_address": ("keeps the network address in each new consent record", False),
    "session_network_address": ("shows people from which address they are signed in", False),
    "precedence_bulk": ("writes “Precedence: bulk” into newsletters", True),
}


class Command(Plain):
    help = "What is on or off for the whole instance."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", choices=SETTINGS, help="all are shown without it")
        parser.add_argument("value", nargs="?", choices=("on", "off"))
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        name, value = options["name"], options["value"]
        if name and value:
            InstanceSetting.objects.update_or_create(name=name, defaults={"value": value == "on"})
        shown = {one: _is_on(one) for one in SETTINGS if name in (None, one)}
        lines = [
            f"{one} is {'on' if on else 'off'}: {SETTINGS[one][0]}" for one, on in shown.items()
        ]
        self.show("\n".join(lines), {"settings": shown}, as_json=options["json"])


def _is_on(name: str) -> bool:
    kept = InstanceSetting.objects.filter(name=name).first()
    return SETTINGS[name][1] if kept is None else bool(kept.value)
