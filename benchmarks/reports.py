"""Sending and looking back among many rows: `python -m benchmarks.reports --rows 1000000`.

Fills a database as `benchmarks.pages` does (a message with that many deliveries between two others,
one in a thousand failed), adds its report up, and asks for the owner's pages about it: the last
look, the report, searches, one mail, what trying again would do, the file. For each page the time
of the whole call, its queries, and how the dearest of them went about it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import ground
from benchmarks.pages import Plan, fill

REPEATS = 5
_SOME = 200_000  # rows of the file that are timed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reports", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", choices=ground.DATABASES, default="postgres")
    parser.add_argument("--explain", action="store_true", help="print the dearest query's plan")
    given = parser.parse_args()
    with ground.instance(given.database):
        begun = time.monotonic()
        filled = fill(given.rows)
        message = _ready(filled, given.rows)
        print(f"filled in {time.monotonic() - begun:.0f} s")
        report = {"added up": _added_up(message), "file": _file(message)}
        print(f"added up in {report['added up']} s, {report['file']:,} rows of the file a second\n")
        report |= dict(_pages(message, explain=given.explain))
    print(json.dumps({"database": given.database, "rows": given.rows, **report}))


def _ready(filled: dict[str, Any], rows: int) -> Any:
    """The large message as one that is over, with domains and words of all kinds."""
    from django.db import connection

    from mailape.campaigns.models import Message
    from mailape.core import clock, ids
    from mailape.lists import numbers
    from mailape.lists.models import MailingList

    message = Message.objects.get(pk=ids.private("message", filled["message"]))
    text = "CAST(id % 997 AS TEXT)"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery_subscribermessage SET to_address ="
            f" 'reader' || CAST(subscriber_id AS TEXT) || '@d' || {text} || '.example',"
            " answer = CASE state WHEN 'failed' THEN '550 5.1.1 no mailbox here, id ' ||"
            f" CAST(id AS TEXT) || 'AB in box ' || CAST(id % 7 AS TEXT) ELSE answer END,"
            f" tried_at = created_at WHERE message_id = {message.pk}"
        )
    now = clock.now()
    Message.objects.filter(pk=message.pk).update(
        status="sent", started_at=now, built_at=now, finished_at=now, body="Hello",
        audience_frozen={"lists": message.audience["lists"], "names": ["Many"], "people": rows},
    )  # fmt: skip
    Message.objects.create(
        workspace=message.workspace, subject="Draft", body="Hello", audience=message.audience
    )
    for one in MailingList.objects.all():
        numbers.mend(one)
    message.refresh_from_db()
    return message


def _added_up(message: Any) -> float:
    from mailape.delivery import outcome

    outcome.want(message.pk)
    begun = time.monotonic()
    outcome.one()
    return round(time.monotonic() - begun, 2)


def _file(message: Any) -> int:
    from itertools import islice

    from mailape.core import spreadsheet
    from mailape.delivery import export

    begun = time.monotonic()
    number = sum(1 for _ in islice(spreadsheet.lines(export.HEAD, export.rows(message)), _SOME))
    return round(number / (time.monotonic() - begun))


def _pages(message: Any, *, explain: bool) -> Iterator[tuple[str, float]]:
    from django.conf import settings
    from django.core.cache import cache
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    settings.STORAGES = {  # this process has collected none
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    client = Client(SERVER_NAME="localhost")
    client.force_login(message.workspace.memberships.get().user)
    print("| page | call | queries | the dearest query: time, pages of 8 kB, what it reads |")
    print("|---|---|---|---|")
    for name, url in _urls(message).items():
        times = []
        for _ in range(REPEATS):
            cache.clear()
            begun = time.monotonic()
            answer = client.get(url)
            times.append((time.monotonic() - begun) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code}")
        cache.clear()
        with CaptureQueriesContext(connection) as asked:
            client.get(url)
        reads = [one["sql"] for one in asked if one["sql"].lstrip().startswith("SELECT")]
        dearest = max((Plan(sql) for sql in reads), key=lambda plan: plan.ms)
        middle = sorted(times)[REPEATS // 2]
        print(f"| {name} | {middle:.0f} ms | {len(asked)} | {dearest} |")
        if explain:
            print("\n".join(dearest.lines) + "\n")
        yield name, round(middle, 1)


def _urls(message: Any) -> dict[str, str]:
    from mailape.campaigns.models import Message

    draft = Message.objects.get(subject="Draft").public_id
    here = f"/messages/{message.public_id}"
    failed = message.deliveries.filter(state="failed").earliest("pk")
    group = message.fault_groups.latest("number").key
    return {
        "last look": f"/messages/{draft}/send",
        "report": here,
        "progress": f"{here}/progress",
        "deliveries": f"{here}/deliveries",
        "… that failed": f"{here}/deliveries?state=failed",
        "… of one reason": f"{here}/deliveries?group={group}",
        "… of one address": f"{here}/deliveries?q=reader777777@example.org",
        "… beginning like 1,111 addresses": f"{here}/deliveries?q=reader777",
        "… of somebody unknown": f"{here}/deliveries?q=nobody@example.org",
        "one mail": f"{here}/deliveries/{failed.public_id}",
        "trying again": f"{here}/retry",
        "… of one reason only": f"{here}/retry?group={group}",
    }


if __name__ == "__main__":
    main()
