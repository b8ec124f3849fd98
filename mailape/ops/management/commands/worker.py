"""`mailape worker`: one process that does tasks, one after the other."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import warnings
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from types import FrameType
from typing import Any

from celery import current_app, signals
from celery.exceptions import SecurityWarning
from celery.worker import consumer, state

from mailape.core import bell, signs
from mailape.core.broker.transport import Transport
from mailape.ops import command

QUEUES = sorted(set(bell.QUEUES.values()))
# Only for tests: a module with tasks of their own.
INCLUDE = "MAILAPE_TEST_TASKS"
LONGEST_PAUSE = 3
log = logging.getLogger(__name__)


def _queues(text: str) -> list[str]:
    given = [queue.strip() for queue in text.split(",") if queue.strip()]
    unknown = set(given) - set(QUEUES)
    if unknown or not given:
        raise ArgumentTypeError(f"choose from {', '.join(QUEUES)}, parted by commas")
    return given


def _ask_to_stop(number: int, frame: FrameType | None) -> None:
    # Read by Celery's loop between two tasks; the one under way is finished first.
    state.should_stop = 0  # type: ignore[assignment]
    Transport.takes = False


def _keep_our_logging(**kwargs: Any) -> None:
    """Heard by Celery as: logging is set up already, leave it alone."""


class Consumer(consumer.Consumer):
    """Celery's, but it looks for a broker that is away every three seconds, not every thirty."""

    def ensure_connected(self, conn: Any) -> Any:
        said = False

        def away(fault: Exception, interval: float) -> None:
            nonlocal said
            if not said:
                log.error("The broker %s cannot be reached: %s", conn.as_uri(), fault)
            said = True

        conn.ensure_connection(
            away,
            interval_start=1,
            interval_step=1,
            interval_max=LONGEST_PAUSE,
            callback=state.maybe_shutdown,
        )
        if said:
            log.warning("The broker is back.")
        return conn


class Command(command.Command):
    """Works until SIGTERM or Ctrl-C, finishing the task under way."""

    help = "Does the tasks of the given queues."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--queues",
            type=_queues,
            default=QUEUES,
            metavar="A,B",
            help=f"which queues to serve (default: {','.join(QUEUES)})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        queues = options["queues"]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ask_to_stop)
        # Celery would run Django's checks, and load every page and the whole API for it.
        os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
        signals.setup_logging.connect(_keep_our_logging)
        # It warns of the superuser on account of pickle, which CELERY_ACCEPT_CONTENT rules out.
        warnings.simplefilter("ignore", SecurityWarning)
        if module := os.environ.get(INCLUDE):
            current_app.loader.import_task_module(module)
        sign = signs.Sign("worker", ",".join(queues))
        worker = _worker(queues, ready=sign.begin)
        worker.start()
        sign.end()
        sys.exit(worker.exitcode)


def _worker(queues: list[str], ready: Callable[[], None]) -> Any:
    class Worker(current_app.Worker):  # type: ignore[name-defined]
        """Celery's worker without its banner, its process titles and its own idea of signals."""

        def emit_banner(self) -> None:
            pass

        def set_process_status(self, info: str) -> None:
            pass

        def install_platform_tweaks(self, worker: Any) -> None:
            pass

        def on_consumer_ready(self, consumer: Any) -> None:
            super().on_consumer_ready(consumer)
            ready()

    # Nothing talks to workers from outside, and with Redis that line has made them deaf.
    current_app.conf.worker_enable_remote_control = False
    return Worker(
        hostname=f"{'-'.join(queues)}-{os.getpid()}@{socket.gethostname()}",
        queues=queues,
        pool="solo",
        consumer_cls=Consumer,
        concurrency=1,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        task_events=False,
        quiet=True,
    )
