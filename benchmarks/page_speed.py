"""Every page and API route among 200,000 people and 2,000,000 deliveries: `python -m
benchmarks.pages --every`. Writes its table into docs/develop/page-speed.md.

A workspace with one of everything (the one that the tests of all routes use) gets a list of that
many people, with years of numbers, and ten messages to all of them. Each GET route is asked five
times by Django's test client, in one process: the time is all that the server does, from the
middleware to the last byte. Files that are streamed are timed to their first byte.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "develop" / "page-speed.md"
LIMIT = 100.0  # milliseconds
REPEATS = 5
MESSAGES = 10
# The same page in other lights: what makes it dear is not seen without.
MORE = {
    "people": ("q=r", "q=reader77", "q=@example.org&sort=name", "status=unconfirmed", "sort=name",
               "q=nobody", "since=2000-01-01&sort=email"),
    "subscribers": ("q=r", "status=unsubscribed", "sort=email", "q=r&status=unconfirmed&sort=name"),
    "deliveries": ("state=failed", "q=reader77", "q=nobody"),
    "suppressions": ("q=gone7",),
    "list": ("days=365",),
    "go": ("q=reader77",),
}  # fmt: skip


def run(people: int, database: str) -> None:
    """Fills, asks, prints the table and writes it to its page."""
    from mailape.ops import static

    static.collect()
    begun = time.monotonic()
    world = fill(people)
    print(f"filled in {time.monotonic() - begun:.0f} s")
    rows = list(measure(world))
    write(rows, people, database)
    slow = [row for row in rows if row[2] > LIMIT]
    print(f"{len(rows)} routes, {len(slow)} over {LIMIT:.0f} ms; written to {PAGE}")


def fill(people: int) -> Any:
    """A workspace with one of everything, and much of what grows."""
    from benchmarks import pages
    from mailape.campaigns.models import Message, Status
    from mailape.core import clock
    from mailape.delivery import outcome
    from mailape.lists import numbers
    from mailape.lists.models import MailingList, Subscriber
    from mailape.web.tests import worlds
    from tests.house import people as house

    owner = house.open_workspace("ada")
    owner.user.is_admin = True
    owner.user.save()
    world = worlds.build(owner)
    workspace = owner.workspace
    large = MailingList.objects.create(workspace=workspace, name="Many")
    pages._people(workspace.pk, people)
    pages._subscriptions(
        large.pk,
        f"workspace_id = {workspace.pk}",
        "CASE WHEN id % 20 < 15 THEN 'confirmed' WHEN id % 20 < 19 THEN 'unsubscribed'"
        " ELSE 'unconfirmed' END",
    )
    pages._suppressions(workspace.pk, people // 10)
    numbers.mend(large)
    _years(large.pk)
    for n in range(MESSAGES):
        message = Message.objects.create(
            workspace=workspace, subject=f"Letter {n}", status=Status.SENT, sender=world.sender,
            audience={"lists": [large.pk]}, audience_frozen={"lists": [large.pk]}, body="Hello\n",
            started_at=clock.now(), built_at=clock.now(), finished_at=clock.now(),
        )  # fmt: skip
        pages._deliveries(message.pk, workspace.pk, large.pk, f"workspace_id = {workspace.pk}")
        outcome.want(message.pk)
        while outcome.one():
            pass
    world.list, world.sent = large, message
    world.person = Subscriber.objects.filter(email_key=f"reader{people // 2}@example.org").get()
    pages._run("VACUUM ANALYZE" if pages._vendor() == "postgresql" else "ANALYZE")
    return world


def _years(list_id: int) -> None:
    """Three years of daily numbers."""
    from datetime import timedelta

    from mailape.lists import numbers
    from mailape.lists.models import ListDay

    ListDay.objects.bulk_create(
        ListDay(
            list_id=list_id, day=numbers.today() - timedelta(days=back), joined=back % 90,
            confirmations=back % 80, departures=back % 30, growth=back % 80 - back % 30,
        )
        for back in range(3 * 365)
    )  # fmt: skip


Row = tuple[str, int, float, float, int]


def measure(world: Any) -> Iterator[Row]:
    """For each route: what is asked, the status, the median in milliseconds, that of this process's
    processor time (what other programs on the machine do not change), the queries."""
    from django.test import Client

    print("| page | status | median | processor | queries |\n|---|---|---|---|---|")
    client = Client(SERVER_NAME="localhost")
    client.force_login(world.owner.user)
    for name, url in [*_web(world), *_api(world)]:
        status, times, used, queries = 0, [], [], 0
        for _ in range(REPEATS + 1):
            status, took, worked, queries = _asked(client, url)
            times.append(took)
            used.append(worked)
        median, own = statistics.median(times[1:]), statistics.median(used[1:])
        mark = " **over**" if median > LIMIT else ""
        print(
            f"| `{name}` | {status} | {median:.0f} ms{mark} | {own:.0f} ms | {queries} |",
            flush=True,
        )
        yield name, status, median, own, queries


def _asked(client: Any, url: str) -> tuple[int, float, float, int]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        begun, worked = time.perf_counter(), time.process_time()
        answer = client.get(url)
        if answer.streaming:
            next(iter(answer.streaming_content))
        took = (time.perf_counter() - begun) * 1000
        worked = (time.process_time() - worked) * 1000
        answer.close()
    return answer.status_code, took, worked, len(captured)


def _web(world: Any) -> Iterator[tuple[str, str]]:
    from django.urls import reverse

    from mailape.web.tests import test_rights as rights
    from mailape.web.tests.worlds import ROUTES

    members = {name: methods for name, (methods, _role) in rights.MEMBERS.items()}
    for name, methods in {**members, **rights.ADMINISTRATOR}.items():
        if "GET" in methods:
            url = reverse(f"web:{name}", kwargs=world.kwargs(name) if name in ROUTES else {})
            yield name, url
            for query in MORE.get(name, ()):
                yield f"{name}?{query}", f"{url}?{query}"
    public = {
        "subscribe": {"list": world.list.public_id},
        "unsubscribe": {"token": world.links.unsubscribe},
        "preferences": {"token": world.links.preferences},
        "view": {"token": world.links.preferences},
        "sign-in": {}, "forgot": {}, "status": {}, "healthz": {}, "readyz": {},
    }  # fmt: skip
    for name, kwargs in public.items():
        yield name, reverse(f"web:{name}", kwargs=kwargs)


def _api(world: Any) -> Iterator[tuple[str, str]]:
    from django.urls import reverse

    from mailape.api import urls

    keys = {
        "list_id": world.list.public_id,
        "subscriber_id": world.person.public_id,
        "message_id": world.sent.public_id,
        "suppression_id": world.suppression.public_id,
    }
    for route in urls.urlpatterns:
        if not hasattr(route.callback.cls, "get"):
            continue
        names = re.findall(r"<str:(\w+)>", str(route.pattern))
        if set(names) <= set(keys):
            kwargs = {name: keys[name] for name in names}
            yield f"api/v1/{route.pattern}", reverse(f"api:{route.name}", kwargs=kwargs)


def write(rows: list[Row], people: int, database: str) -> None:
    """Puts this database's table in its place on the page; the other's stays."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else _HEAD
    title = {"postgres": "PostgreSQL", "sqlite": "SQLite"}[database]
    head = "| page | status | median | processor | queries |\n|---|---|---|---|---|"
    lines = [f"## {title}", "", _said(rows, people), "", head]
    lines += [
        f"| `{name}` | {status} | {'**' if ms > LIMIT else ''}{ms:.0f} ms"
        f"{'**' if ms > LIMIT else ''} | {own:.0f} ms | {queries} |"
        for name, status, ms, own, queries in rows
    ]
    part = "\n".join(lines) + "\n"
    if f"## {title}\n" in text:
        text = re.sub(rf"## {title}\n.*?(?=\n## |\Z)", lambda _m: part, text, flags=re.DOTALL)
    else:
        text = text.rstrip() + "\n\n" + part
    PAGE.write_text(text, "utf-8")


def _said(rows: list[Row], people: int) -> str:
    times = sorted(row[2] for row in rows)
    over = sum(time > LIMIT for time in times)
    day = datetime.now(UTC).date().isoformat()
    return (
        f"{day}, {people:,} people, {people * MESSAGES:,} deliveries: {len(rows)} pages, half of "
        f"them under {statistics.median(times):.0f} ms, the slowest {times[-1]:.0f} ms; "
        f"{over} over {LIMIT:.0f} ms, {sum(row[3] > LIMIT for row in rows)} by processor time."
    )


_HEAD = """\
# How long each page takes

    .venv/bin/python -m benchmarks.pages --every                      # PostgreSQL
    .venv/bin/python -m benchmarks.pages --every --database sqlite

This page is written by that command: every GET route of the pages and of the API, in a workspace
of 200,000 people and 2,000,000 deliveries. The time is the median of five, on the server, from the
middleware to the last byte, in one process of Django's test client on a small machine that did
other things as well; the limit is 100 ms. Beside it stands the processor time of that process,
which those other things hardly change (on SQLite with the database in it). That no page
asks more often because there is more in it is held by a test (`web/tests/test_queries.py`).
"""
