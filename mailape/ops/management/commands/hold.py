"""`mailape hold`: nothing is sent any more, of the whole instance, until `mailape release`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from mailape.delivery import hold
from mailape.ops.command import Command as Plain


class Command(Plain):
    help = "Holds all sending of the instance until `mailape release`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--why", default=hold.BY_HAND, help="is shown to everybody")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        is_new = hold.begin(options["why"])
        text = "Nothing new is sent from now on; what is on the wire goes out within ten seconds."
        if not is_new:
            text = "Sending was held already."
        self.show(text, {"held": True, "is_new": is_new}, as_json=options["json"])
