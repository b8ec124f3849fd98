"""How much waits in the broker, whichever it is: for the system view, readiness and beat."""

from __future__ import annotations

from contextlib import closing

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mailape.core import bell
from mailape.core.broker.store import Store, Waiting
from mailape.core.broker.transport import file_of

PATIENCE = 1.0
# Where kombu's Redis transport keeps what workers have taken and not finished.
_TAKEN = "unacked"


def depths() -> list[Waiting]:
    """What each queue holds, every known queue once. Redis tells no ages, and what was taken is
    counted there for all queues together under the name "unacked".

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
    with closing(_redis()) as redis:
        lengths = redis.pipeline(transaction=False)
        for queue in queues:
            lengths.llen(queue)
        lengths.hlen(_TAKEN)
        *waiting, taken = lengths.execute()
    found = [Waiting(queue, int(n), 0, None) for queue, n in zip(queues, waiting, strict=True)]
    return [*found, Waiting(_TAKEN, 0, int(taken), None)]


def _redis() -> Redis:
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        # The client's own three retries would make a second into several.
        retry=Retry(NoBackoff(), 0),
    )
