"""A Redis cache that is empty, not broken, while Redis cannot be reached."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from mailape.core import clock

log = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 1.0
# How long a Redis that failed is left alone, so that requests do not pay a second each.
LEFT_ALONE = 5.0
# Beyond so many keys that should have been changed meanwhile, everything is forgotten instead.
MOST_OWED = 10_000


class _Line:
    """How things stand between this process and one Redis; shared by the caches of its threads."""

    def __init__(self) -> None:
        self.owed: set[str] = set()
        self.owes_all = False
        self._away = False
        self._next_try = 0.0
        self._guard = threading.Lock()

    def open(self) -> bool:
        """Whether to try now. While Redis is away one caller tries, every five seconds."""
        with self._guard:
            if not self._away:
                return True
            now = clock.monotonic()
            if now < self._next_try:
                return False
            self._next_try = now + LEFT_ALONE
            return True

    def failed(self, fault: Exception) -> None:
        with self._guard:
            if not self._away:
                log.warning("the cache cannot be reached: %s", type(fault).__name__)
            self._away, self._next_try = True, clock.monotonic() + LEFT_ALONE

    def worked(self) -> None:
        with self._guard:
            if self._away:
                log.warning("the cache is back")
            self._away = False

    def owe(self, keys: Iterable[str]) -> None:
        with self._guard:
            self.owed.update(keys)
            if len(self.owed) > MOST_OWED:
                self.owed, self.owes_all = set(), True

    def due(self) -> tuple[list[str], bool]:
        with self._guard:
            keys, everything = list(self.owed), self.owes_all
            self.owed, self.owes_all = set(), False
            return keys, everything


_lines: dict[str, _Line] = {}


class SoftRedisCache(RedisCache):
    """Django's Redis cache, without its errors.

    While Redis is away: get gives the default, set does nothing, add says True, incr raises
    ValueError as for a missing key. What should have been changed meanwhile is deleted when Redis
    is back, or a session that ended would come to life again from what Redis remembers.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = {
            "socket_timeout": PATIENCE,
            "socket_connect_timeout": PATIENCE,
            # The client's own three retries would make a second into several.
            "retry": Retry(NoBackoff(), 0),
            **params.get("OPTIONS", {}),
        }
        super().__init__(server, {**params, "OPTIONS": options})
        self._line = _lines.setdefault(str(server), _Line())

    def _softly(self, deed: Callable[[], T], instead: T, keys: Iterable[str] = ()) -> T:
        """What `deed` gives, or `instead`; `keys` are those that it would change, in full."""
        if not self._line.open():
            self._line.owe(keys)
            return instead
        try:
            self._pay()
            found = deed()
        except (RedisError, OSError) as fault:
            self._line.failed(fault)
            self._line.owe(keys)
            return instead
        except ValueError:  # a counter that is missing: Redis itself answered
            self._line.worked()
            raise
        self._line.worked()
        return found

    def _full(self, keys: Iterable[str], version: int | None) -> list[str]:
        return [self.make_key(key, version=version) for key in keys]

    def _pay(self) -> None:
        if not self._line.owed and not self._line.owes_all:
            return
        keys, everything = self._line.due()
        try:
            if everything:
                self._delete_own()
            elif keys:
                self._cache.delete_many(keys)
        except BaseException:
            self._line.owe(keys)
            self._line.owes_all |= everything
            raise

    def _delete_own(self) -> None:
        client = self._cache.get_client(write=True)
        for key in client.scan_iter(match=f"{self.key_prefix}:*", count=1000):
            client.delete(key)

    def add(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """True where the key was missing, as every key is in a cache that is away."""
        deed = super().add
        return self._softly(
            lambda: bool(deed(key, value, timeout, version)), True, self._full([key], version)
        )

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """The value, or `default`."""
        deed = super().get
        return self._softly(lambda: deed(key, default, version), default)

    def set(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        """Keeps the value, if it can."""
        deed = super().set
        self._softly(lambda: deed(key, value, timeout, version), None, self._full([key], version))

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Whether the key was there and lives longer now."""
        deed = super().touch
        return self._softly(lambda: bool(deed(key, timeout, version)), False)

    def delete(self, key: str, version: int | None = None) -> bool:
        """Whether the key was there."""
        deed = super().delete
        return self._softly(lambda: bool(deed(key, version)), False, self._full([key], version))

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        """The values of the keys that are there."""
        deed, given = super().get_many, list(keys)
        return self._softly(lambda: dict(deed(given, version)), {})

    def has_key(self, key: str, version: int | None = None) -> bool:
        """Whether the key is there."""
        deed = super().has_key
        return self._softly(lambda: bool(deed(key, version)), False)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """The counter after adding. Raises ValueError where it is missing."""
        deed = super().incr
        found = self._softly(
            lambda: int(deed(key, delta, version)), None, self._full([key], version)
        )
        if found is None:
            raise ValueError(f"Key {key!r} not found.")
        return found

    def set_many(
        self, data: dict[str, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[str]:
        """Keeps the values; the keys of those that it could not keep."""
        deed = super().set_many
        return self._softly(
            lambda: list(deed(data, timeout, version)), list(data), self._full(data, version)
        )

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        """Deletes the keys."""
        deed, given = super().delete_many, list(keys)
        self._softly(lambda: deed(given, version), None, self._full(given, version))

    def clear(self) -> None:
        """Deletes every key of ours. Not FLUSHDB: the broker's queues may lie in the same place."""
        self._softly(self._delete_own, None)
