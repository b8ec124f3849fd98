"""`mailape up`: a whole instance in one terminal."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from mailape import __version__
from mailape.accounts.setup import new_link
from mailape.ops import command, port, static
from mailape.ops.supervise import Folder, FolderTaken, Part, Supervisor


class Command(command.Command):
    """Runs until SIGTERM or Ctrl-C."""

    help = "Prepares the database, then runs web, workers and beat, and restarts what dies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--workers", type=int, default=1, help="processes that send and import (default: 1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Folder(settings.DATA)
        try:
            folder.take()
            address = port.demand(settings.HOST, settings.PORT)
            self._prepare()
            Supervisor(folder, _parts(options["workers"]), self._ready(address)).run()
        except (FolderTaken, port.NotToBeHad) as fault:
            raise CommandError(str(fault)) from None

    def _prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        static.collect()
        connections.close_all()

    def _ready(self, address: str) -> Callable[[], bool]:
        """Tells the person where everything is, once the server answers."""
        started = time.monotonic()

        def look() -> bool:
            if not port.answers(address, settings.PORT):
                return False
            self._tell(time.monotonic() - started)
            return True

        return look

    def _tell(self, seconds: float) -> None:
        link = new_link()
        connections.close_all()
        lines = [
            f"MailApe {__version__} runs (started in {seconds:.1f} s).",
            "",
            f"  Address   {settings.SITE_URL}",
        ]
        if link:
            lines.append(f"  Set-up    {link}  (opens once: the first user owns this instance)")
        lines.append(f"  Data      {settings.DATA}")
        if settings.SMTP_URL:
            lines.append(f"  Mail      goes out through {urlsplit(settings.SMTP_URL).hostname}")
        else:
            lines.append("  Mail      stays here, in the Outbox: no SMTP_URL is set")
        lines += ["", "  Ctrl-C stops.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _parts(workers: int) -> list[Part]:
    return [
        Part("web", "web", may_start=lambda: port.demand(settings.HOST, settings.PORT)),
        Part("worker wake", "worker", "--queues", "wake"),
        *(
            Part(f"worker send,bulk {number}", "worker", "--queues", "send,bulk")
            for number in range(1, workers + 1)
        ),
        Part("beat", "beat"),
    ]
