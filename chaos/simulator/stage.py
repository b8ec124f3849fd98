"""The tables as a schedule finds them: two newsletters that were sent off, some confirmations.

Made once by the real deeds; each schedule takes a part of them, cut into batches as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.core.management import call_command
from django.db import connection

from mailape.accounts.models import Workspace
from mailape.campaigns import audience, dispatch
from mailape.campaigns.models import Kind, Message
from mailape.core import clock
from mailape.delivery import build
from mailape.lists.models import MailingList, Status, Subscriber, Subscription
from mailape.senders.models import Sender

READERS = (4, 2)  # at most, of each newsletter
ASKING = 2  # people who wait for their confirmation, at most
# The choices of a schedule with everything in it, in peace.
ALL = [READERS[0] - 1, READERS[1], 0, 0, 0, ASKING]
# The tables that change in a schedule: campaigns_message and those that begin so.
_CHANGE = ("campaigns_message", "delivery_", "lists_subscription", "lists_suppression")


@dataclass(frozen=True)
class Stage:
    """The keys of what is there."""

    newsletters: tuple[int, ...]
    deliveries: dict[int, list[int]]  # by message
    subscribers: dict[int, int]  # by delivery
    machine: list[int]  # deliveries of machine mail
    pristine: str  # the statements that make all tables anew, but for the batches


def prepare() -> Stage:
    """Makes the tables and what is in them."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    workspace = Workspace.objects.create(name="Ann’s workspace")
    Sender.objects.create(workspace=workspace, name="Ann", email="ann@example.org", is_default=True)
    newsletters = []
    for number, count in enumerate(READERS):
        on = MailingList.objects.create(workspace=workspace, name=f"List {number}")
        for reader in range(count):
            _reader(workspace, on, f"reader{number}{reader}", Status.CONFIRMED)
        if not number:
            for asking in range(ASKING):
                _reader(workspace, on, f"asking{asking}", Status.UNCONFIRMED)
        newsletters.append(
            dispatch.send(
                Message.objects.create(
                    workspace=workspace,
                    subject="Hello {{ subscriber.first_name }}",
                    body="Some *news* for you.",
                    audience=audience.rule([on]),
                )
            )
        )
    while build.one(clock.monotonic() + 60):
        pass
    build.confirmations()
    return _snapshot(newsletters)


def _reader(workspace: Workspace, on: MailingList, name: str, status: str) -> None:
    email = f"{name}@example.org"
    one = Subscriber.objects.create(
        workspace=workspace, email=email, email_key=email, domain="example.org", name=name.title()
    )
    Subscription.objects.create(
        list=on,
        subscriber=one,
        status=status,
        confirmation_no=int(status == Status.UNCONFIRMED),
        confirmation_asked_at=clock.now(),
    )


def _changing() -> list[str]:
    tables = sorted(model._meta.db_table for model in apps.get_models())
    return [name for name in tables if name.startswith(_CHANGE)] + ["sqlite_sequence"]


def _snapshot(newsletters: list[Message]) -> Stage:
    with connection.cursor() as cursor:
        # The tables are emptied and filled one by one.
        cursor.execute("PRAGMA foreign_keys = OFF")
        for name in _changing():
            cursor.execute(f"CREATE TABLE pristine_{name} AS SELECT {_columns(name)} FROM {name}")
        cursor.execute("SELECT message_id, id, subscriber_id FROM delivery_subscribermessage")
        rows = cursor.fetchall()
    keys = tuple(message.pk for message in newsletters)
    machine = Message.objects.filter(kind=Kind.CONFIRMATION).values_list("pk", flat=True)
    return Stage(
        newsletters=keys,
        deliveries={key: [pk for message, pk, _ in rows if message == key] for key in keys},
        subscribers={pk: subscriber for _, pk, subscriber in rows},
        machine=[pk for message, pk, _ in rows if message in set(machine)],
        pristine="BEGIN;" + "".join(map(_anew, _changing())) + "COMMIT;",
    )


def _anew(name: str) -> str:
    if name == "delivery_deliverybatch":  # each schedule cuts its own
        return f"DELETE FROM {name};"
    columns = _columns(name)
    return f"DELETE FROM {name}; INSERT INTO {name} ({columns}) SELECT * FROM pristine_{name};"


def _columns(name: str) -> str:
    """All but those that the database works out by itself."""
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA table_info({name})")
        return ", ".join(f'"{row[1]}"' for row in cursor.fetchall())


def reset(stage: Stage, readers: list[int], sizes: list[int], asking: int) -> None:
    """The tables anew: so many readers of each newsletter, in batches of such sizes."""
    kept = [pk for key, count in zip(stage.newsletters, readers, strict=True)
            for pk in stage.deliveries[key][:count]] + stage.machine[:asking]  # fmt: skip
    with connection.cursor() as cursor:
        connection.connection.executescript(stage.pristine)
        marks = ", ".join(map(str, kept)) or "0"
        cursor.execute(f"DELETE FROM delivery_subscribermessage WHERE id NOT IN ({marks})")
        for message, count in zip(stage.newsletters, readers, strict=True):
            _cut(cursor, message, stage.deliveries[message][:count], sizes)


_TO_DO = """
    SELECT 1 FROM delivery_deliverybatch WHERE NOT done
    UNION ALL SELECT 1 FROM delivery_subscribermessage
        WHERE not_before IS NOT NULL AND (not_before <= %s OR state = 'sending')
    UNION ALL SELECT 1 FROM campaigns_message
        WHERE kind = 'newsletter' AND finished_at IS NULL AND status <> 'paused' AND NOT EXISTS (
            SELECT 1 FROM delivery_subscribermessage d WHERE d.message_id = campaigns_message.id
            AND d.state = 'deferred' AND d.not_before > %s)
    LIMIT 1
"""


def something_to_do(at: datetime) -> bool:
    """Whether a sweep at this time could find anything. The others are spared: they cost most."""
    now = connection.ops.adapt_datetimefield_value(at)
    with connection.cursor() as cursor:
        cursor.execute(_TO_DO, [now, now])
        return cursor.fetchone() is not None


def _cut(cursor: object, message: int, keys: list[int], sizes: list[int]) -> None:
    number = 0
    while keys:
        number += 1
        size = max(sizes[number % len(sizes)], 1)
        mine, keys = keys[:size], keys[size:]
        cursor.execute(  # type: ignore[attr-defined]
            "UPDATE delivery_subscribermessage SET batch = %s WHERE id BETWEEN %s AND %s",
            [number, mine[0], mine[-1]],
        )
        cursor.execute(  # type: ignore[attr-defined]
            "INSERT INTO delivery_deliverybatch (message_id, number, first_id, last_id, size,"
            " done, owner, attempts, fence, sent, deferred, failed, skipped, unknown, quarantined)"
            " VALUES (%s, %s, %s, %s, %s, 0, '', 0, 0, 0, 0, 0, 0, 0, 0)",
            [message, number, mine[0], mine[-1], len(mine)],
        )
