"""How much waits in the broker, whichever it is: for the system view, readiness and beat."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mailape.core import bell, clock
from mailape.core.broker.store import Store, Waiting
from mailape.core.broker.transport import file_of

PATIENCE = 1.0
# Where kombu's Redis transport keeps what workers have taken and not finished.
_TAKEN = "unacked"


def depths() -> list[Waiting]:
    """What each queue holds, every known queue once. In Redis what was taken is counted for all
    queues together under the name "unacked".

    Raises an exception of sqlite3, redis or OSError when the broker cannot be reached within 1 s.
    """
    found = _in_file() if settings.EMBEDDED_BROKER else _in_redis()
    names = {waiting.queue for waiting in found}
    empty = [Waiting(queue, 0, 0, None) for queue in set(bell.QUEUES.values()) - names]
    return sorted(found + empty)


def _in_file() -> list[Waiting]:
    store = Store(file_of(settings.CELERY_BROKER_URL), timeout=PATIENCE)
    with closing(store):
        return store.depths()


def _in_redis() -> list[Waiting]:
    queues = sorted(set(bell.QUEUES.values()))
    with closing(redis()) as server:
        lengths = server.pipeline(transaction=False)
        for queue in queues:
            lengths.llen(queue)
            lengths.lindex(queue, -1)  # the oldest
        lengths.hlen(_TAKEN)
        *found, taken = lengths.execute()
    each = zip(queues, found[::2], found[1::2], strict=True)
    return [
        *(Waiting(queue, int(length), 0, _age(oldest)) for queue, length, oldest in each),
        Waiting(_TAKEN, 0, int(taken), None),
    ]


def _age(message: bytes | None) -> float | None:
    """Seconds since this bell was rung: it carries when it ends, which is a while after that."""
    try:
        ends = datetime.fromisoformat(json.loads(message or b"")["headers"]["expires"])
    except (ValueError, KeyError, TypeError):
        return None
    rung = ends.replace(tzinfo=ends.tzinfo or UTC) - timedelta(seconds=bell.LIFE)
    return max(0.0, (clock.now() - rung).total_seconds())


def redis() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        # The client's own three retries would make a second into several.
        retry=Retry(NoBackoff(), 0),
    )
