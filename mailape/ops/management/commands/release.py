"""`mailape release`: sending that was held goes on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from mailape.delivery import hold
from mailape.ops.command import Command as Plain


class Command(Plain):
    help = "Lets sending go on that was held, by `mailape hold` or after a restored database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--pause",
            action="store_true",
            help="newsletters that were under way are paused: resume or cancel each",
        )
        which.add_argument(
            "--all", action="store_true", help="they go on, to everybody without a record"
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        paused = hold.release(pause=options["pause"])
        if paused is None:
            text = "Sending was not held."
        elif options["pause"]:
            text = f"Sending goes on; newsletters that are paused: {paused}."
        else:
            text = "Sending goes on."
        data = {"released": paused is not None, "paused": paused or 0}
        self.show(text, data, as_json=options["json"])
