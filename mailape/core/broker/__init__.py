"""The embedded broker: bells in a second SQLite file, for an instance without Redis.

`transport` is what kombu sees, `store` is the file, `depths` tells how much waits in any broker.
The URL is `mailape+sqlite:////absolute/path/broker.sqlite3`, its path percent-encoded.
docs/decisions/0001-embedded-broker.md says why there is one.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES


def register() -> None:
    """Makes the scheme of the URL known to kombu; called where the Celery application is made."""
    TRANSPORT_ALIASES["mailape"] = "mailape.core.broker.transport:Transport"
