"""Fills the tables, puts all tasks into the broker, starts a worker, waits until all are sent.

    python -m benchmarks.ordinary RECIPIENTS CHILDREN

Needs DATABASE_URL, REDIS_URL and SMTP_URL; `benchmarks.naive` gives them. Timed is from the first
mail sent to the last, so neither the start of the worker nor the queueing counts against it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.ordinary.settings"
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db.models import Max, Min  # noqa: E402

from benchmarks.ordinary.celery import app  # noqa: E402
from benchmarks.ordinary.models import Delivery, Newsletter, Subscriber  # noqa: E402
from benchmarks.ordinary.tasks import letter, send_one  # noqa: E402

PATIENCE = 600  # seconds without any mail, then it is given up
WORDS = "Some words of news, written to be read. "


def main() -> None:
    recipients, children = int(sys.argv[1]), int(sys.argv[2])
    call_command("migrate", run_syncdb=True, verbosity=0)
    deliveries = filled(recipients)
    app.set_default()
    for delivery in deliveries:
        send_one.delay(delivery.pk)
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.ordinary.celery"]
    worker = subprocess.Popen(
        [*command, "worker", "--concurrency", str(children)],
        cwd=Path(__file__).parents[2], stdout=sys.stderr,
    )  # fmt: skip
    try:
        wait(worker)
    finally:
        worker.terminate()
        worker.wait(60)
    print(json.dumps(report(children)))


def filled(recipients: int) -> list[Delivery]:
    """A newsletter of eight stories, its subscribers, and a queued delivery to each of them."""
    stories = [{"title": f"Story {number}", "text": WORDS * 16} for number in range(8)]
    news = Newsletter.objects.create(subject="News for {first_name}", stories=stories)
    people = Subscriber.objects.bulk_create(
        Subscriber(email=f"reader{n}@example{n % 50}.org", first_name="Reader")
        for n in range(recipients)
    )
    return Delivery.objects.bulk_create(
        Delivery(newsletter=news, subscriber=person) for person in people
    )


def wait(worker: subprocess.Popen[bytes]) -> None:
    """Waits until nothing is queued any more."""
    left, moved = -1, time.monotonic()
    while now_left := Delivery.objects.exclude(status="sent").count():
        if now_left != left:
            left, moved = now_left, time.monotonic()
        if worker.poll() is not None or time.monotonic() - moved > PATIENCE:
            sys.exit(f"the ordinary worker stopped with {left} mails left")
        time.sleep(0.5)


def report(children: int) -> dict[str, Any]:
    """Mails per second between the first and the last, and the size of one."""
    span = Delivery.objects.aggregate(first=Min("sent_at"), last=Max("sent_at"))
    sent = Delivery.objects.filter(status="sent").count()
    one = Delivery.objects.select_related("newsletter", "subscriber").get(
        subscriber__email="reader0@example0.org"
    )
    return {
        "rate": round((sent - 1) / (span["last"] - span["first"]).total_seconds(), 1),
        "sent": sent,
        "children": children,
        "octets": len(letter(one).message().as_bytes(linesep="\r\n")),
    }


if __name__ == "__main__":
    main()
