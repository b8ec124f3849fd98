"""What kombu sees of the embedded broker: a virtual transport over `store.Store`.

Traps of kombu's virtual base that shape this file:
- It acknowledges by forgetting: `_get` is meant to take a message out for good, and one that is
  unacknowledged is put back only by a process that ends in order. Here the row stays, leased.
- The delivery tag that travels inside the message is replaced by the row's key.
- `drain_events(timeout)` may return early, but a message it took must have been delivered.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import unquote

from kombu.transport import virtual as kombu_virtual

from mailape.core import clock
from mailape.core.bell import BELL_HEADER
from mailape.core.broker.store import Store, Taken

log = logging.getLogger(__name__)
# There are types for who uses a transport, and wrong ones for who writes one.
virtual: Any = kombu_virtual

POLL_EVERY = 0.02
LONGEST_WAIT = 0.25
COMPLAIN_EVERY = 10.0
_FAULTS = (sqlite3.Error, OSError)


class QoS(virtual.QoS):  # type: ignore[misc]
    """Counts what is unacknowledged, and tells the store what became of it."""

    def ack(self, delivery_tag: str) -> None:
        """The task is done: its row goes."""
        self._settle(int(delivery_tag), done=True)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Not done: the row is free again, or goes when nobody is to try it again."""
        self._settle(int(delivery_tag), done=not requeue)
        super().ack(delivery_tag)

    def _settle(self, message: int, *, done: bool) -> None:
        """Writes it down, or later when the file cannot be written now (a full disk).

        An error from here would leave the message counted as unacknowledged for ever: after as many
        as the prefetch allows the worker would be deaf.
        """
        store = self.channel.store
        try:
            store.done(message) if done else store.give_back([message])
        except _FAULTS as fault:
            store.settle_later(message, done=done)
            self.channel.connection.complain(fault)

    def restore_unacked(self) -> list[Any]:
        """At an orderly end: what was taken and not done is free at once."""
        self._flush()
        try:
            self.channel.store.give_back([int(tag) for tag in self._delivered])
        except _FAULTS as fault:
            log.warning("taken messages come back by their lease only: %s", fault)
        self._delivered.clear()
        return []


class Channel(virtual.Channel):  # type: ignore[misc]
    """Queues are a column; exchanges and bindings live in memory, they are the same everywhere."""

    QoS = QoS

    @property
    def store(self) -> Store:
        """The file of this channel's connection."""
        store: Store = self.connection.store
        return store

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        bell = (message.get("headers") or {}).get(BELL_HEADER)
        lives = message["properties"].get("expiration")  # milliseconds, as text: AMQP's way
        until = clock.now().timestamp() + int(lives) / 1000 if lives else None
        self.store.put(queue, json.dumps(message), str(bell) if bell else None, until)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        while taken := self._taken(queue):
            try:
                return _opened(taken)
            except (ValueError, TypeError, KeyError):
                log.warning("a row of the broker could not be read and was dropped")
                self.store.done(taken.id)
        raise Empty

    def _taken(self, queue: str) -> Taken | None:
        if not Transport.takes:
            return None
        # A full disk or a long lock must not make Celery reconnect in a loop: try again next time.
        try:
            return self.store.take(queue)
        except _FAULTS as fault:
            self.connection.complain(fault)
            return None

    def _size(self, queue: str) -> int:
        return sum(w.waiting + w.taken for w in self.store.depths() if w.queue == queue)

    def _purge(self, queue: str) -> int:
        return self.store.purge(queue)

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any
    ) -> None:
        """As kombu's, but who wants no acks has each message acknowledged on arrival."""

        def acked(message: Any) -> Any:
            message.ack()
            return callback(message)

        super().basic_consume(queue, False, acked if no_ack else callback, consumer_tag, **kwargs)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        """As kombu's, with the same care for who wants no acks."""
        message = super().basic_get(queue, no_ack=False, **kwargs)
        if message is not None and no_ack:
            message.ack()
        return message


class Transport(virtual.Transport):  # type: ignore[misc]
    """One connection of kombu: one store."""

    Channel = Channel
    global_state = virtual.BrokerState()
    polling_interval = POLL_EVERY
    default_port = None
    driver_type = "sqlite"
    driver_name = "mailape"
    connection_errors = (*virtual.Transport.connection_errors, sqlite3.Error, OSError)
    can_parse_url = True
    # False in a worker that was told to stop: Celery looks for a message once more after that, and
    # would do another task.
    takes = True

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # Shared, because a connection that kombu reopened takes its declarations for still made.
        self.state = self.global_state
        self.store = Store(file_of(client.hostname), **client.transport_options.get("store", {}))
        self._complained_at = -COMPLAIN_EVERY

    def complain(self, fault: Exception) -> None:
        """Says that the file could not be used; every ten seconds, not at every look."""
        now = clock.monotonic()
        if now - self._complained_at >= COMPLAIN_EVERY:
            self._complained_at = now
            log.error("the broker's file %s cannot be used now: %s", self.store.path, fault)

    def establish_connection(self) -> Any:
        """Opens the file, so that one that cannot be used is noticed here."""
        self.store.depths()
        return super().establish_connection()

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """As kombu's, but never longer than a quarter second, so that a stop is noticed soon."""
        shorter = timeout if timeout is None else min(timeout, LONGEST_WAIT)
        super().drain_events(connection, timeout=shorter)

    def close_connection(self, connection: Any) -> None:
        """Gives back what is unacknowledged, then closes the file."""
        super().close_connection(connection)
        self.store.close()

    def driver_version(self) -> str:
        """SQLite's version."""
        return sqlite3.sqlite_version


def file_of(address: str) -> Path:
    """The path in what kombu leaves of the URL, with or without its first scheme."""
    return Path("/" + unquote(address.partition("sqlite://")[2].lstrip("/")))


def _opened(taken: Taken) -> dict[str, Any]:
    """The message in a row. Raises ValueError, TypeError or KeyError where there is none."""
    message = json.loads(taken.body)
    if not isinstance(message["body"], str) or not isinstance(message.get("headers"), dict):
        raise TypeError
    properties = message["properties"]
    properties["delivery_tag"] = str(taken.id)
    if not isinstance(properties["delivery_info"], dict):
        raise TypeError
    found: dict[str, Any] = message
    return found
