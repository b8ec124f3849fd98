"""Signs of life: every process of ours writes a row now and then, so that others know it lives."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, close_old_connections, connection

from mailape import __version__
from mailape.core import clock, minutes
from mailape.core.models import WorkerSign

log = logging.getLogger(__name__)

EVERY = 4.0
# A process that has not been heard for so long is taken for dead: four signs were missed.
SILENCE = timedelta(seconds=16)
FORGOTTEN = timedelta(hours=1)


class Sign:
    """The sign of life of this process, written from a thread of its own until `end()`.

    What was counted meanwhile is written with it, and `besides` is called after it, every 4 s.
    """

    def __init__(
        self, role: str, queues: str = "", besides: Callable[[], object] | None = None
    ) -> None:
        self.name = f"{socket.gethostname()[:80]}:{os.getpid()}:{role}"
        self.role, self.queues = role, queues
        self.started_at = clock.now()
        self._besides = besides
        self._stop = threading.Event()
        self._silent = False
        self._thread = threading.Thread(target=self._go_on, name="sign-of-life", daemon=True)

    def begin(self) -> None:
        """Starts the thread. It never disturbs its process; a dead database is waited out."""
        if not self._thread.is_alive():
            self._thread.start()

    def end(self) -> None:
        """Takes the sign away, so that nobody waits for a process that ended in order."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _go_on(self) -> None:
        try:
            self._attempt(self._forget_the_dead)
            while not self._stop.is_set():
                self._attempt(self.write)
                self._attempt(minutes.write)
                self._attempt(self._call_besides)
                self._stop.wait(EVERY)
            self._attempt(minutes.write)
            self._attempt(self._take_away)
        finally:
            connection.close()

    def _attempt(self, deed: Callable[[], object]) -> None:
        close_old_connections()
        try:
            deed()
        except DatabaseError as fault:
            if not self._silent:
                log.warning("no sign of life written: %s", type(fault).__name__)
            self._silent = True
            connection.close()
        else:
            self._silent = False

    def _call_besides(self) -> None:
        """Whatever it raises, the sign of life goes on."""
        try:
            if self._besides is not None:
                self._besides()
        except DatabaseError:
            raise
        except Exception:
            log.exception("what a sign of life does besides failed")

    def write(self) -> None:
        """Writes the sign now."""
        WorkerSign.objects.update_or_create(
            name=self.name,
            defaults={"seen_at": clock.now()},
            create_defaults={
                "role": self.role,
                "queues": self.queues,
                "version": __version__,
                "started_at": self.started_at,
                "seen_at": clock.now(),
            },
        )

    def _take_away(self) -> None:
        WorkerSign.objects.filter(name=self.name).delete()

    def _forget_the_dead(self) -> None:
        """Those long silent, and those of this host and role whose process is gone: we replace one.

        Should that have been wrong (one host name in two containers), it writes its sign anew.
        """
        WorkerSign.objects.filter(seen_at__lt=clock.now() - FORGOTTEN).delete()
        host = self.name.partition(":")[0]
        since = clock.now() - SILENCE / 2
        silent = WorkerSign.objects.filter(name__startswith=f"{host}:", role=self.role)
        for name in silent.filter(seen_at__lt=since).values_list("name", flat=True):
            if not _runs(name.split(":")[1]):
                WorkerSign.objects.filter(name=name).delete()


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        pass  # it is another user's, so it is there
    return True


def begin(role: str, queues: str = "", besides: Callable[[], object] | None = None) -> Sign:
    """Begins this process's sign of life, in the role web, worker or beat."""
    sign = Sign(role, queues, besides)
    sign.begin()
    return sign


def alive(role: str) -> list[WorkerSign]:
    """The processes of `role` that gave a sign within the last 16 s."""
    since = clock.now() - SILENCE
    return list(WorkerSign.objects.filter(role=role, seen_at__gte=since).order_by("name"))
