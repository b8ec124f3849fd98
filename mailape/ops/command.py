"""What our small commands have in common: quiet help, `--json`, errors left to `mailape`."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

# Django's own options work, but are not what a person looks for in our help.
QUIET = {
    "--version",
    "--verbosity",
    "--settings",
    "--pythonpath",
    "--traceback",
    "--no-color",
    "--force-color",
    "--skip-checks",
}


class Command(BaseCommand):
    """A small command. Deeds raise MailApeError; `mailape` makes one sentence of it."""

    requires_system_checks = []
    suppressed_base_arguments = QUIET

    def add_json(self, parser: ArgumentParser) -> None:
        """Adds `--json`."""
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object as the last line"
        )

    def show(self, text: str, data: dict[str, Any], *, as_json: bool) -> None:
        """Prints what came of it, for a person or for a program."""
        self.stdout.write(json.dumps(data, ensure_ascii=False) if as_json else text)
