"""`/healthz` and `/readyz`, for supervisors and load balancers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from mailape.core import signs
from mailape.core.broker.depths import depths

log = logging.getLogger(__name__)


class Probes:
    """Answers both before anything else: load balancers call by a number, not by the site's name.

    Django would refuse their Host header, and neither answer makes any use of it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = {"/healthz": alive, "/readyz": ready}.get(request.path_info)
        if view is not None and request.method in ("GET", "HEAD"):
            response = view(request)
            # Django would log each 503 as an error: one for every probe while the instance starts.
            response._has_been_logged = True  # type: ignore[attr-defined]
            return response
        return self.get_response(request)


class Readiness:
    """Whether this process was ready when last asked: what changes is logged, once.

    Not being ready is no news while an instance starts; after that it is a warning.
    """

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._was_ready = False

    def note(self, found: dict[str, str]) -> None:
        """Logs what is missing, or that all is there, where that is new."""
        missing = {name: state for name, state in found.items() if state != "ok"}
        if missing == self._said and (missing or self._was_ready):
            return
        words = ", ".join(f"{name}: {state}" for name, state in missing.items())
        if not missing:
            log.info("ready")
        else:
            level = logging.WARNING if self._was_ready else logging.INFO
            log.log(level, "not ready: %s", words)
        self._said, self._was_ready = missing, self._was_ready or not missing


_readiness = Readiness()


@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """200 while the process lives; touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 only with database, migrations, broker and a live worker; else 503, and which is missing.

    Says no more than that: whoever asks need not be signed in.
    """
    found = {name: _state(look) for name, look in _LOOKS.items()}
    _readiness.note(found)
    status = 200 if all(state == "ok" for state in found.values()) else 503
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"ready": status == 200, **found}, status=status)
    lines = [f"{name}: {state}\n" for name, state in found.items()]
    return HttpResponse("".join(lines), content_type="text/plain", status=status)


def _state(look: Callable[[], str]) -> str:
    try:
        return look()
    except Exception:  # of whichever client; what it says may hold an address or a name
        log.debug("not ready", exc_info=True)
        return "cannot be reached"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _migrations() -> str:
    missing = _known() - set(MigrationRecorder(connection).applied_migrations())
    return "missing: run `mailape migrate`" if missing else "ok"


@lru_cache(maxsize=1)
def _known() -> frozenset[tuple[str, str]]:
    """Every migration in the code of this process."""
    return frozenset(MigrationLoader(None).disk_migrations or ())


def _broker() -> str:
    depths()
    return "ok"


def _worker() -> str:
    return "ok" if signs.alive("worker") else "none is alive"


_LOOKS = {
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "worker": _worker,
}
