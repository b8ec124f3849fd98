"""`mailape web`: the web server, pages and API, for production or as a part of `mailape up`."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser
from multiprocessing.util import Finalize
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections
from django.utils.module_loading import import_string

from mailape.core import processes, signs
from mailape.ops import command, port, static
from mailape.system.watch import Watch

# Where granian's own lines go: to our handlers, and only when something is wrong.
_LOGS = {
    "version": 1,
    "incremental": True,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"propagate": True}, "granian.access": {"propagate": True}},
}
STOP_WITHIN = 10


def _application() -> Any:
    """What granian's worker does first, in its own process, forked from ours."""
    # Our handlers came with the fork: until granian sets its own, SIGTERM would do nothing.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Ctrl-C reaches a whole group. A worker that ends by it while our own handling of it runs makes
    # granian start a new one and forget that it was to stop.
    os.setpgid(0, 0)
    processes.die_with_parent()
    application = import_string(settings.WSGI_APPLICATION)
    sign = signs.begin("web", besides=Watch().look)
    # What a child of multiprocessing does at its end instead of atexit.
    Finalize(None, sign.end, exitpriority=0)
    return application


class Command(command.Command):
    """Serves until SIGTERM or Ctrl-C."""

    help = "Serves pages and API on HOST and PORT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--workers", type=int, default=1, help="processes that answer requests (default: 1)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            address = port.demand(settings.HOST, settings.PORT)
        except port.NotToBeHad as fault:
            raise CommandError(str(fault)) from None
        static.collect()
        # granian forks its workers, and a child must not find its parent's connections.
        connections.close_all()
        os.environ[processes.PARENT] = str(os.getpid())
        self._serve(address, options["workers"])

    def _serve(self, address: str, workers: int) -> None:
        from granian.constants import Interfaces
        from granian.log import LogLevels
        from granian.server import Server

        server = Server(
            settings.WSGI_APPLICATION,
            address=address,
            port=settings.PORT,
            interface=Interfaces.WSGI,
            workers=workers,
            # Each has a database connection of its own; more than this only wait for each other.
            blocking_threads=min(8, 2 * (os.cpu_count() or 1) + 1),
            blocking_threads_idle_timeout=600,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_WITHIN,
            websockets=False,
            log_level=LogLevels.warning,
            log_dictconfig=_LOGS,
        )
        server.serve(target_loader=_application, wrap_loader=False)
