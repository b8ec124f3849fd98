"""What each page of the API costs among many rows: `python -m benchmarks.pages --rows 1000000`.

Fills a database with one list of that many people, one message with that many deliveries, and
neighbours of both, then asks for first, deep, filtered and empty pages. For each: the time of the
whole call and of a processor, its queries, and how the slowest of them went about it, by the
database's own EXPLAIN.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import ground, page_speed

REPEATS = 3
OF_EVERY_CALL = 4  # queries: token, membership, two for the rate
_NODES = re.compile(
    r"(?:Index Only|Index|Seq|Bitmap (?:Index|Heap)) Scan(?: Backward)?"
    r"(?: using (\w+))?(?: on (\w+))?"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", choices=ground.DATABASES, default="postgres")
    parser.add_argument("--explain", action="store_true", help="print the slowest query's plan")
    parser.add_argument("--every", action="store_true", help="every page and route, see page_speed")
    parser.add_argument("--people", type=int, default=200_000, help="of --every")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER",
        help="of --every: where the filled database is kept, and taken from the next time",
    )  # fmt: skip
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="of --every: write the table into this page"
    )
    parser.add_argument("--only", default="", metavar="NAME", help="of --every: pages named so")
    given = parser.parse_args()
    if given.every:
        with ground.instance(given.database, given.keep):
            page_speed.run(given)
        return
    with ground.instance(given.database):
        begun = time.monotonic()
        filled = fill(given.rows)
        print(f"filled in {time.monotonic() - begun:.0f} s\n")
        report = dict(measure(filled, explain=given.explain))
    print(
        json.dumps(
            {
                "database": given.database,
                "rows": given.rows,
                "slowest_ms": max(report.values()),
                "ms": report,
            }
        )
    )


def fill(rows: int) -> dict[str, Any]:
    """A workspace with one of everything large; returns the ids that paths need, and a token."""
    from mailape.accounts import tokens
    from mailape.accounts.models import Role
    from mailape.campaigns.models import Message
    from mailape.lists import numbers
    from mailape.lists.models import MailingList
    from mailape.senders.open_account import open_account

    member = open_account("ada@example.org", "correct horse battery")
    assert member.role == Role.OWNER
    workspace = member.workspace
    small = MailingList.objects.create(workspace=workspace, name="Few")
    large = MailingList.objects.create(workspace=workspace, name="Many")
    messages = Message.objects.bulk_create(
        Message(workspace=workspace, subject=f"Letter {n}", audience={"lists": [large.pk]})
        for n in range(2_000)
    )
    before, asked, after = messages[0], messages[1], messages[2]
    _people(workspace.pk, rows)
    _subscriptions(small.pk, "id % 1000 = 7", "'confirmed'")
    _subscriptions(
        large.pk,
        "id % 1 = 0",
        "CASE WHEN id % 20 < 15 THEN 'confirmed' WHEN id % 20 < 19 THEN 'unsubscribed'"
        " ELSE 'unconfirmed' END",
    )
    for message, some in ((before, "id % 5 = 0"), (asked, "id % 1 = 0"), (after, "id % 5 = 1")):
        _deliveries(message.pk, workspace.pk, large.pk, some)
    _suppressions(workspace.pk, rows // 10)
    for one in (small, large):
        numbers.mend(one)
    if _vendor() == "postgresql":  # an instance on SQLite has no statistics
        _run("VACUUM ANALYZE")
    return {
        "token": tokens.add(member, "benchmark")[1],
        "large": large.public_id,
        "small": small.public_id,
        "message": asked.public_id,
    }


def measure(filled: dict[str, Any], *, explain: bool) -> Iterator[tuple[str, float]]:
    """Asks for each page; prints a row of a table for it, gives path and milliseconds."""
    from django.test import Client

    bearer = {"Authorization": f"Bearer {filled['token']}"}
    client = Client(headers=bearer, SERVER_NAME="localhost")
    print(
        "| page | call | processor | queries | the dearest query: time, 8 kB pages, what it reads |"
    )
    print("|---|---|---|---|---|")
    for path in _paths():
        url = f"/api/v1/{path.format(**filled)}"
        url = url.replace(_DEEP, f"cursor={_middle(url)}") if url.endswith(_DEEP) else url
        asked = [page_speed.ask(client, url) for _ in range(REPEATS)]
        took, used = (min(one[place] for one in asked) for place in (1, 2))
        queries = _asked(client, url)
        plans = [Plan(query["sql"]) for query in queries[OF_EVERY_CALL:]]
        dearest = max(plans, key=lambda plan: plan.ms)
        shown = re.sub(r"lists/\{(\w+)\}", r"lists/\1", path).replace("{message}", "ID")
        print(f"| `{shown}` | {took:.0f} ms | {used:.0f} ms | {len(queries)} | {dearest} |")
        if explain:
            print("\n".join(dearest.lines) + "\n")
        yield path, round(took, 1)


class Plan:
    """How the database goes about a query, by its own word."""

    def __init__(self, sql: str) -> None:
        from django.db import connection

        self.postgres = connection.vendor == "postgresql"
        how = "EXPLAIN (ANALYZE, BUFFERS)" if self.postgres else "EXPLAIN QUERY PLAN"
        with connection.cursor() as cursor:
            begun = time.monotonic()
            cursor.execute(f"{how} {sql}".replace("%", "%%"), [])
            self.lines = [str(row[-1]) for row in cursor.fetchall()]
            if not self.postgres:  # whose EXPLAIN does not run the query
                begun = time.monotonic()
                cursor.execute(sql.replace("%", "%%"), [])
                cursor.fetchall()
            self.ms = (time.monotonic() - begun) * 1000
        if self.postgres:
            self.ms = float(self.lines[-1].split()[2])

    def __str__(self) -> str:
        pages = ""
        if self.postgres and (found := re.search(r"Buffers: (.*)", "\n".join(self.lines))):
            numbers = re.findall(r"(?:hit|read)=(\d+)", found[1])
            pages = f"{sum(map(int, numbers))}, "
        return f"{self.ms:.1f} ms, {pages}{', '.join(dict.fromkeys(self._reads()))}"

    def _reads(self) -> Iterator[str]:
        for line in self.lines:
            if not self.postgres:
                yield line
            elif (node := _NODES.search(line)) and (node[1] or node[2]):
                yield node[1] or f"{node[0].split(' on ')[0]} of {node[2]}"


def _paths() -> list[str]:
    people = "lists/{large}/subscribers"
    deliveries = "messages/{message}/deliveries"
    return [
        "lists",
        people,
        f"{people}?limit=1000",
        f"{people}?{_DEEP}",
        f"{people}?status=confirmed",
        f"{people}?status=unconfirmed",
        f"{people}?status=confirmed&{_DEEP}",
        f"{people}?q=reader77777",
        f"{people}?q=r",
        f"{people}?q=x",
        f"{people}?q=x&status=unconfirmed",
        f"{people}?q=nobody",
        f"{people}?q=r&status=unconfirmed",
        "lists/{small}/subscribers",
        "lists/{small}/subscribers?q=reader",
        "messages",
        "messages/{message}",
        deliveries,
        f"{deliveries}?limit=1000",
        f"{deliveries}?{_DEEP}",
        f"{deliveries}?state=sent",
        f"{deliveries}?state=failed",
        f"{deliveries}?state=queued",
        f"{deliveries}?q=reader77777",
        f"{deliveries}?q=r",
        f"{deliveries}?q=x",
        f"{deliveries}?q=x&state=failed",
        f"{deliveries}?q=nobody",
        f"{deliveries}?state=failed&q=reader77",
        "suppressions",
        f"suppressions?{_DEEP}",
        "suppressions?value=gone77@example.net",
    ]


_DEEP = "deep"  # stands for a cursor in the middle, which is known only when asked


def _asked(client: Any, url: str) -> list[dict[str, str]]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url)
    if answer.status_code != 200:
        raise SystemExit(f"{url}: {answer.status_code} {answer.content!r}")
    return list(captured.captured_queries)


def _middle(url: str) -> str:
    from mailape.core import ids

    kind, table = {
        "subscribers": ("subscription", "lists_subscription"),
        "deliveries": ("delivery", "delivery_subscribermessage"),
        "suppressions": ("suppression", "lists_suppression"),
    }[url.partition("?")[0].rpartition("/")[2]]
    return "n" + ids.public(kind, _value(f"SELECT (MIN(id) + MAX(id)) / 2 FROM {table}"))


# --- filling, by the database itself -------------------------------------------------------------


def _people(workspace: int, rows: int) -> None:
    """All begin alike, but for one in a hundred: many of a million, and far between."""
    address = "CASE WHEN i % 100 = 3 THEN 'x' ELSE 'reader' END || i || '@example.org'"
    _run(
        f"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        INSERT INTO lists_subscriber (workspace_id, email, email_key, domain, name, first_name,
            name_key, family_key, fields, created_at, updated_at)
        SELECT {workspace}, {address}, {address}, 'example.org', 'Reader ' || i, '', 'reader ' || i,
            i || '', '{{}}', {_now()}, {_now()} FROM n
        """
    )


def _subscriptions(list_id: int, some: str, status: str) -> None:
    _run(
        f"""
        INSERT INTO lists_subscription (list_id, subscriber_id, status, confirmation_no,
            confirmation_built, unconfirmed_asks, created_at)
        SELECT {list_id}, id, {status}, 0, 0, 0, {_now()} FROM lists_subscriber WHERE {some}
        """
    )


def _deliveries(message: int, workspace: int, list_id: int, some: str) -> None:
    """A message that is nearly over: one in a thousand failed, the rest is sent."""
    _run(
        f"""
        INSERT INTO delivery_subscribermessage (message_id, workspace_id, subscriber_id, list_id,
            to_address, batch, state, attempts, created_at, sent_at, answer)
        SELECT {message}, {workspace}, id, {list_id}, email, id / 1000 + 1,
            CASE WHEN id % 1000 = 5 THEN 'failed' ELSE 'sent' END, 1, {_now()}, {_now()},
            '250 2.0.0 taken' FROM lists_subscriber WHERE {some} ORDER BY id
        """
    )
    _run(
        f"""
        INSERT INTO delivery_deliverybatch (message_id, number, first_id, last_id, size, done,
            owner, attempts, fence, sent, deferred, failed, skipped, unknown, quarantined)
        SELECT message_id, batch, MIN(id), MAX(id), COUNT(*), {_true()}, '', 0, 0,
            SUM(CASE WHEN state = 'sent' THEN 1 ELSE 0 END), 0,
            SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), 0, 0, 0
        FROM delivery_subscribermessage WHERE message_id = {message} GROUP BY message_id, batch
        ORDER BY batch
        """
    )


def _suppressions(workspace: int, rows: int) -> None:
    _run(
        f"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        INSERT INTO lists_suppression (workspace_id, kind, value, reason, source, at)
        SELECT {workspace}, 'address', 'gone' || i || '@example.net', 'bounce', '', {_now()} FROM n
        """
    )


def _run(sql: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)


def _value(sql: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


def _vendor() -> str:
    from django.db import connection

    return connection.vendor


def _now() -> str:
    return "now()" if _vendor() == "postgresql" else "'2026-01-01 00:00:00'"


def _true() -> str:
    return "true" if _vendor() == "postgresql" else "1"


if __name__ == "__main__":
    main()
