"""Errors named by what the caller does next. Faces turn each into its page or problem+json.

MailApeError
├── Invalid        400: say what is wrong with which field, let the person mend it
├── NotAllowed     403: this person's role is too low here
├── NotFound       404: unknown, or another workspace's, which is the same answer
├── Conflict       409: right in itself, but not in the state that things are in
└── TooMany        429: come back after `retry_after` seconds
"""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError

# What a database raises that is away, full or takes no writes: the same may go well in a minute.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
AWAY_FOR = 30  # seconds until whoever was refused for that may come again


class MailApeError(Exception):
    """The root. Its text is one sentence that says what to do."""


class Invalid(MailApeError):
    """What was given cannot be used. `field` names it, where there is one."""

    def __init__(self, text: str, field: str | None = None) -> None:
        super().__init__(text)
        self.field = field


class NotAllowed(MailApeError):
    """The person may be here, but not do this."""


class NotFound(MailApeError):
    """There is no such thing for this person."""


class Conflict(MailApeError):
    """The state of things does not allow it now."""


class TooMany(MailApeError):
    """A limit is reached. `retry_after` is in whole seconds."""

    def __init__(self, text: str, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after
