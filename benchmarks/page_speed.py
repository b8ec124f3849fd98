"""Every page and API route among 200,000 people and 2,000,000 deliveries: `python -m
benchmarks.pages --every`, whose table stands in docs/develop/page-speed.md.

A workspace with one of everything (the one that the tests of all routes use) gets a list of that
many people, with years of numbers, and ten messages to all of them. Each GET route is asked five
times by Django's test client, in one process: the time is all that the server does, from the
middleware to the last byte. Files that are streamed are timed to their first byte.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

LIMIT = 100.0  # milliseconds
REPEATS = 5
MESSAGES = 10
# The same page in other lights: what makes it dear is not seen without.
MORE = {
    "people": ("q=r", "q=reader77", "q=@example.org&sort=name", "status=unconfirmed", "sort=name",
               "q=nobody", "since=2000-01-01&sort=email"),
    "subscribers": ("q=r", "status=unsubscribed", "sort=email", "q=r&status=unconfirmed&sort=name"),
    "deliveries": ("state=failed", "state=unknown", "state=queued", "q=reader77", "q=x",
                   "q=x&state=failed", "q=nobody"),
    "suppressions": ("q=gone7",),
    "list": ("days=365",),
    "go": ("q=reader77",),
}  # fmt: skip


def run(given: Any) -> None:
    """Fills, or takes what is kept, asks, prints the table, and writes it where it is wanted."""
    from mailape.ops import static

    static.collect()
    begun = time.monotonic()
    world = _world(given.people, given.keep)
    print(f"filled in {time.monotonic() - begun:.0f} s")
    rows = list(measure(world, given.only, explain=given.explain))
    print(_said(rows, given.people))
    if given.write:
        write(given.write, rows, given.people, given.database)


def _world(people: int, keep: Path | None) -> Any:
    """The workspace, filled now or found in the folder where it was kept."""
    kept = keep / "world.json" if keep else None
    if kept is not None and kept.exists():
        found = json.loads(kept.read_text())
        if found.pop("people") != people:
            raise SystemExit(f"{keep} holds another number of people: take another folder")
        return _found(found)
    world = fill(people)
    if kept is not None:
        keys = {one.name: _member_or_self(getattr(world, one.name)).pk for one in fields(world)}
        kept.write_text(json.dumps({"people": people, **keys}))
    return world


def _member_or_self(part: Any) -> Any:
    return getattr(part, "member", part)


def _found(keys: dict[str, int]) -> Any:
    """The world whose parts have these keys."""
    from mailape.accounts.models import Membership
    from mailape.web.tests.worlds import World
    from tests.house.people import Person

    kinds = get_type_hints(World)
    if set(keys) != {one.name for one in fields(World)}:
        raise SystemExit("What was kept is of another version: take another folder.")
    owner = Person(Membership.objects.get(pk=keys.pop("owner")))
    return World(owner, **{name: kinds[name].objects.get(pk=key) for name, key in keys.items()})


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
    world.draft.audience = {"lists": [large.pk]}
    world.draft.save(update_fields=["audience"])
    world.list, world.sent = large, message
    world.person = Subscriber.objects.filter(email_key=f"reader{people // 2}@example.org").get()
    if pages._vendor() == "postgresql":  # an instance on SQLite has no statistics
        pages._run("VACUUM ANALYZE")
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


class Row(NamedTuple):
    """A page: its status, median and processor time in milliseconds, and its queries."""

    name: str
    status: int
    median: float
    processor: float
    queries: int

    def __str__(self) -> str:
        took = f"**{self.median:.0f} ms**" if self.median > LIMIT else f"{self.median:.0f} ms"
        own = f"{self.processor:.0f} ms"
        return f"| `{self.name}` | {self.status} | {took} | {own} | {self.queries} |"


def measure(world: Any, only: str = "", *, explain: bool = False) -> Iterator[Row]:
    """Asks for each route, or those whose name holds `only`, and prints its row."""
    from django.test import Client

    print(_TABLE)
    inside, outside = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    inside.force_login(world.owner.user)
    ways = ((inside, _web), (outside, _public), (inside, _api))
    for client, name, url in ((one, *page) for one, some in ways for page in some(world)):
        if only in name:
            row = _measured(client, name, url)
            print(row, flush=True)
            if explain:
                _explain(client, url)
            yield row


def _measured(client: Any, name: str, url: str) -> Row:
    """Asked once to warm, once to count queries; then timed with nobody counting."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    ask(client, url)
    with CaptureQueriesContext(connection) as captured:
        ask(client, url)
    queries = len(captured)
    asked = [ask(client, url) for _ in range(REPEATS)]
    median, processor = (statistics.median(one[place] for one in asked) for place in (1, 2))
    return Row(name, asked[0][0], median, processor, queries)


def ask(client: Any, url: str) -> tuple[int, float, float]:
    """Status, milliseconds and those of a processor, for who comes first: no cache holds any."""
    from django.core.cache import cache

    from mailape.web.views import status

    cache.clear()
    status.kept.forget()
    begun, worked = time.perf_counter(), _processor()
    answer = client.get(url)
    if answer.streaming:
        next(iter(answer.streaming_content))
    took, used = time.perf_counter() - begun, _processor() - worked
    answer.close()
    return answer.status_code, took * 1000, used * 1000


def _processor() -> float:
    """Processor time so far, in seconds: of this process, and of PostgreSQL's that serves it.

    What PostgreSQL gives to parallel workers is not in it.
    """
    from django.db import connection

    used = time.process_time()
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        said = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
        if said.exists():  # Linux
            used += int(said.read_text().split()[0]) / 1e9
    return used


def _explain(client: Any, url: str) -> None:
    """Prints each query of a page with its time and how the database goes about it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from benchmarks.pages import Plan

    with CaptureQueriesContext(connection) as captured:
        ask(client, url)
    for one in list(captured):
        if one["sql"].startswith(("SELECT", "WITH")):
            plan = Plan(one["sql"])
            print(f"\n  {plan.ms:.1f} ms  {one['sql']}\n    " + "\n    ".join(plan.lines))


def _web(world: Any) -> Iterator[tuple[str, str]]:
    from mailape.web.tests import pages

    for name, url in pages.of_members(world).items():
        yield name, url
        for query in MORE.get(name, ()):
            yield f"{name}?{query}", f"{url}?{query}"


def _public(world: Any) -> Iterator[tuple[str, str]]:
    from mailape.web.tests import pages

    yield from pages.of_anyone(world).items()


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


def write(page: Path, rows: list[Row], people: int, database: str) -> None:
    """Puts this database's table in its place on the page; the other's stays."""
    text = page.read_text("utf-8") if page.exists() else _HEAD
    title = {"postgres": "PostgreSQL", "sqlite": "SQLite"}[database]
    lines = [f"## {title}", "", _said(rows, people), "", _TABLE, *map(str, rows)]
    part = "\n".join(lines) + "\n"
    if f"## {title}\n" in text:
        text = re.sub(rf"## {title}\n.*?(?=\n## |\Z)", lambda _m: part, text, flags=re.DOTALL)
    else:
        text = text.rstrip() + "\n\n" + part
    page.write_text(text, "utf-8")


def _said(rows: list[Row], people: int) -> str:
    times, own = sorted(row.median for row in rows), sorted(row.processor for row in rows)
    over, over_own = (sum(time > LIMIT for time in some) for some in (times, own))
    day = datetime.now(UTC).date().isoformat()
    return (
        f"{day}, {people:,} people, {people * MESSAGES:,} deliveries: {len(rows)} pages, half of "
        f"them under {statistics.median(times):.0f} ms, the slowest {times[-1]:.0f} ms; "
        f"{over} over {LIMIT:.0f} ms. By processor time half are under "
        f"{statistics.median(own):.0f} ms, the slowest {own[-1]:.0f} ms; {over_own} over "
        f"{LIMIT:.0f} ms."
    )


_TABLE = "| page | status | median | processor | queries |\n|---|---|---|---|---|"
_HEAD = """\
# How long each page takes

    .venv/bin/python -m benchmarks.pages --every --keep FOLDER --write docs/develop/page-speed.md
    .venv/bin/python -m benchmarks.pages --every --database sqlite --keep FOLDER --write …

The first is PostgreSQL. With `--keep` the filled database stays in that folder (one for each
database) and the next run begins at once; `--only NAME --explain` shows the queries of one page and
how the database goes about them.

This page is written by that command: every GET route of the pages and of the API, in a workspace
of 200,000 people and 2,000,000 deliveries. The time is the median of five, on the server, from the
middleware to the last byte, with nothing in any cache, in one process of Django's test client on a
small machine that did other things as well; the limit is 100 ms. Beside it stands the processor
time, which those other things hardly change: of that process, and of PostgreSQL's process that
serves it (on SQLite the database is in ours). How many queries each page takes is fixed by a test
(`mailape/web/tests/test_queries.py`).
"""
