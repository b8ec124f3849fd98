"""What `mailape doctor` looks at. Each look gives findings: how it is, and what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max

from mailape import __version__
from mailape.campaigns.models import Message
from mailape.core import clock, signs
from mailape.core.broker.depths import depths
from mailape.core.models import WorkerSign
from mailape.delivery import hold
from mailape.delivery.transports.probe import RouteFault, probe
from mailape.senders import access as senders

OK, WARNING, FAULT = "ok", "warning", "fault"
LITTLE, ROOM = 100 * 2**20, 2**30  # bytes
_SKEW = timedelta(seconds=2)


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `todo` says what to do; empty where all is well."""

    about: str
    level: str
    text: str
    todo: str = ""

    def is_fault(self, about: str) -> bool:
        """Whether this is a fault of that part."""
        return self.about == about and self.level == FAULT


def examine() -> list[Finding]:
    """Everything, in the order in which one would mend it. Never raises."""
    found: list[Finding] = []
    for about, look in _LOOKS.items():
        if about in _BY_THE_DATABASE and any(one.is_fault("database") for one in found):
            continue
        try:
            found += [Finding(about, *said) for said in look()]
        except Exception as fault:  # whatever the client of that part raises
            todo = _TODO.get(about, "Run it again with LOG_LEVEL=DEBUG.")
            found.append(Finding(about, FAULT, _words(fault), todo))
    return found


Said = Iterator[tuple[str, str] | tuple[str, str, str]]


def _settings() -> Said:
    yield OK, f"MailApe {__version__}, reached at {settings.SITE_URL}"
    if not settings.SITE_IS_HTTPS:
        yield (
            WARNING,
            "SITE_URL is http: passwords travel in clear, and mail programs show no one-click "
            "unsubscribe, which wants an https List-Unsubscribe (RFC 8058).",
            "For anything but a trial, put a proxy with a certificate in front and set SITE_URL "
            "to its https address.",
        )
    elif not settings.TRUSTED_PROXIES:
        yield (
            WARNING,
            "SITE_URL is https and TRUSTED_PROXIES is not set: all visitors look like one.",
            "Set TRUSTED_PROXIES to the address of the proxy in front.",
        )
    if len(settings.SECRET_KEY) < 50:
        yield WARNING, "SECRET_KEY is short.", "Set it to fifty or more random characters."
    if settings.SIGNUP_OPEN:
        yield OK, "Strangers may open accounts (SIGNUP=open)."


def _disk() -> Said:
    folder = Path(settings.DATA)
    if not folder.is_dir():
        yield FAULT, f"There is no folder {folder}.", "Make it, or set MAILAPE_DATA to another."
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield FAULT, f"{folder} cannot be written.", "Give it to the user that runs MailApe."
        return
    free = shutil.disk_usage(folder).free
    text = f"{folder} has {free / 2**30:.1f} GB free"
    if free < ROOM:
        todo = "Make room: mail stops when its record cannot be written."
        yield (FAULT if free < LITTLE else WARNING), f"{text}.", todo
    else:
        yield OK, f"{text}."
    if settings.EMBEDDED_DATABASE and folder.stat().st_mode & 0o007:
        todo = f"Close it: chmod o-rwx {folder}"
        yield WARNING, "Other users of this machine can look into the data folder.", todo


def _database() -> Said:
    begun = clock.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    took = (clock.monotonic() - begun) * 1000
    version = ".".join(str(part) for part in connection.get_database_version())
    name = "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"
    yield OK, f"{name} {version} answers in {took:.0f} ms."
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        yield FAULT, f"{len(missing)} migrations are missing.", "Run `mailape migrate`."


def _broker() -> Said:
    waiting = {one.queue: one.waiting for one in depths()}
    name = "The embedded broker" if settings.EMBEDDED_BROKER else "Redis"
    numbers = ", ".join(f"{queue} {number}" for queue, number in sorted(waiting.items()))
    yield OK, f"{name} answers; waiting: {numbers}."


def _workers() -> Said:
    served = {queue for one in signs.alive("worker") for queue in one.queues.split(",")}
    missing = {"wake", "send", "bulk"} - served
    if missing:
        yield (
            WARNING,
            f"No worker serves {', '.join(sorted(missing))}: mail waits until one does.",
            "Start `mailape up`, or `mailape worker`.",
        )
    if not signs.alive("beat"):
        yield WARNING, "No beat: what a bell missed waits.", "Start `mailape up` or `mailape beat`."
    if not missing:
        yield OK, f"{len(signs.alive('worker'))} workers are alive."


def _sending() -> Said:
    held = hold.now()
    if held is None:
        yield OK, "Sending is not held."
        return
    yield (
        WARNING,
        f"Nothing is sent since {held.since:%d %B %Y, %H:%M} UTC. {held.why}",
        "Run `mailape release --pause`, or release it on the page System.",
    )


def _smtp() -> Said:
    if not settings.SMTP_URL:
        yield OK, "No SMTP_URL: mail stays on this machine, in the Outbox."
        return
    todo = "Use smtp+starttls:// or smtps:// in SMTP_URL."
    try:
        reached = probe()
    except RouteFault as fault:
        yield FAULT, _words(fault), _TODO["smtp"]
        if _password_may_leak():
            yield WARNING, _LEAK, todo
        return
    inside = ", logged in" if reached.logged_in else ""
    yield OK, f"{reached.server} lets us in ({reached.tls or 'in clear'}{inside})."
    if reached.logged_in and not reached.tls:
        yield WARNING, "The password goes to the mail server in clear.", todo
    elif _password_may_leak():
        yield WARNING, _LEAK, todo
    if senders.instance_from().endswith(("@localhost>", "@localhost")):
        todo = "Set DEFAULT_FROM to an address of a domain of yours."
        yield WARNING, "Account mail goes out from an address at localhost.", todo


_LEAK = (
    "SMTP_URL has a password and begins with smtp://: whoever sits on the line can take the "
    "server's STARTTLS away, or answer with a certificate of his own, and read it."
)


def _password_may_leak() -> bool:
    """Whether a password goes over a line that is encrypted only where the server offers it."""
    url = urlsplit(settings.SMTP_URL)
    here = url.hostname in ("localhost", "::1") or (url.hostname or "").startswith("127.")
    return bool(url.scheme == "smtp" and url.password) and not here


def _time() -> Said:
    now = clock.now()
    elsewhere = list(_other_clocks())
    for name, theirs in elsewhere:
        if abs(theirs - now) > _SKEW:
            apart = abs((theirs - now).total_seconds())
            todo = "Let both machines keep time by NTP."
            yield WARNING, f"The clock of {name} is {apart:.0f} s away from ours.", todo
    latest = _latest_record()
    if latest and latest - now > timedelta(minutes=1):
        yield (
            FAULT,
            f"Something was recorded at {latest:%Y-%m-%d %H:%M}Z, which is still to come.",
            "Set this machine's clock, and let it keep time by NTP.",
        )
        return
    with_others = f", as {' and '.join(n for n, _ in elsewhere)} have it" if elsewhere else ""
    yield OK, f"It is {now:%Y-%m-%d %H:%M:%S} UTC{with_others}."


def _other_clocks() -> Iterator[tuple[str, datetime]]:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            yield "PostgreSQL", cursor.fetchone()[0]


def _latest_record() -> datetime | None:
    found = [
        Message.objects.aggregate(at=Max("created_at"))["at"],
        WorkerSign.objects.aggregate(at=Max("seen_at"))["at"],
    ]
    return max((at for at in found if at), default=None)


def _words(fault: Exception) -> str:
    first = str(fault).strip().partition("\n")[0]
    return first or type(fault).__name__


_LOOKS: dict[str, Callable[[], Said]] = {
    "settings": _settings,
    "disk": _disk,
    "database": _database,
    "broker": _broker,
    "workers": _workers,
    "sending": _sending,
    "smtp": _smtp,
    "time": _time,
}
_BY_THE_DATABASE = {"workers", "sending", "time"}  # which say nothing while it is not right
_TODO = {
    "database": "Look whether the server of DATABASE_URL runs and lets this user in.",
    "broker": "Look whether the server of REDIS_URL runs; until then the sweep finds the work.",
    "smtp": "Look at SMTP_URL: host, port, user and password.",
}
