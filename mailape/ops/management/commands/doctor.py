"""`mailape doctor`: looks at everything that an instance stands on, and says what to do."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from mailape.ops import doctor
from mailape.ops.command import Command as Plain


class Command(Plain):
    help = "Looks at settings, database, broker, SMTP, time and disk, and says what to do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        findings = doctor.examine()
        faults = [one for one in findings if one.level == doctor.FAULT]
        lines = [
            f"{one.level:8} {one.about:9} {one.text}"
            + (f"\n{'':19}→ {one.todo}" if one.todo else "")
            for one in findings
        ]
        data = {"ok": not faults, "findings": [asdict(one) for one in findings]}
        self.show("\n".join(lines), data, as_json=options["json"])
        if faults:
            number = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
            raise CommandError(f"The doctor found {number}, which must be mended.")
