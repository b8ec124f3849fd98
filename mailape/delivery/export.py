"""The deliveries of a message as rows of a table, from first to last, a few thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import QuerySet

from mailape.campaigns.models import Message
from mailape.core import ids
from mailape.delivery import access
from mailape.delivery.models import FaultGroup, SubscriberMessage

AT_ONCE = 2_000
HEAD = (
    "subscriber", "email", "state", "reason", "attempts", "queued_at", "tried_at",
    "sent_at", "not_before", "answer",
)  # fmt: skip
_FIELDS = (
    "pk", "subscriber_id", "to_address", "state", "reason", "attempts", "created_at", "tried_at",
    "sent_at", "not_before", "answer",
)  # fmt: skip


def rows(
    message: Message, *, state: str = "", group: FaultGroup | None = None
) -> Iterator[Sequence[object]]:
    """A row for each delivery; times in UTC. Each few thousand are a query of their own, so that
    nothing is held for long and whoever hangs up ends it."""
    for found in access.of_message(message, state=state, group=group):
        yield from _keyset(found)


def _keyset(found: QuerySet[SubscriberMessage]) -> Iterator[Sequence[object]]:
    after = 0
    while True:
        some = list(found.filter(pk__gt=after).order_by("pk").values_list(*_FIELDS)[:AT_ONCE])
        for _pk, subscriber, *rest in some:
            person = ids.public("subscriber", subscriber) if subscriber else ""
            yield [person, *map(_shown, rest)]
        if len(some) < AT_ONCE:
            return
        after = some[-1][0]


def _shown(value: object) -> object:
    return value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else value
