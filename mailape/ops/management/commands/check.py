"""`mailape check`: Django's checks; the report on standard output, one sentence at the end."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, SystemCheckError
from django.core.management.commands import check


class Command(check.Command):
    """Checks the settings; with `--deploy` also what matters in production only."""

    help = "Checks the settings; --deploy adds what matters in production only."

    def handle(self, *labels: Any, **options: Any) -> None:
        try:
            super().handle(*labels, **options)
        except SystemCheckError as fault:
            self.stdout.write(str(fault).removeprefix("SystemCheckError: "))
            raise CommandError(
                "Some checks failed: the report on standard output says what to do."
            ) from None
