"""Reasons that workers and deeds wrote down, in the language of whoever reads them.

They are kept in English, because whoever writes them does not know who will read them. What a mail
server or a library said stands within them and stays as it was said.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as kept

REASONS = (
    kept("The database was restored from a copy."),
    kept("Held by a person."),
    kept(
        "Paused when sending was released: who got it after the database was copied is not known "
        "here."
    ),
    kept("Paused by a person."),
    kept("Cancelled by a person."),
    kept("It could not be compiled. %(why)s"),
    kept("It could not be built in %(number)s attempts."),
    kept("This message was compiled by a version that is not known here."),
    kept("The key of this message’s links is missing in the database."),
    kept("Nothing is sent now. %(why)s"),
    kept("The mail server refuses us: %(words)s"),
    kept("The mail server takes no mail as large as this one: %(words)s"),
    kept("Waits for the mail server. %(words)s"),
    kept("Waits for the mail server: %(words)s"),
    kept("Waits for its turn at the mail server"),
    kept("Waits: the limit of %(number)s mails an hour is reached"),
    kept("Waits for its turn at %(domain)s (its limit)"),
    kept("Waits for its turn at %(domain)s (it refuses mail and was slowed)"),
    kept("Try later: %(words)s"),
    kept("Refused: %(words)s"),
    kept("Given up after 3 days: %(words)s"),
    kept("Given up after %(number)s attempts: %(words)s"),
    kept("The line dropped before the server answered"),
    kept("Left as it is, by a person"),
    kept("Sent again, by a person"),
    kept("Tried again, by a person"),
    kept("The worker died on it %(number)s times"),
    kept("A step failed %(number)s times: %(what)s."),
    kept("unsubscribed"),
    kept("cancelled"),
    kept("expired"),
    kept("suppressed"),
    kept("the message failed"),
)


def worded(reason: str) -> str:
    """The reason in the language that is in force; one that is not known stays as it is."""
    for msgid in REASONS:
        if found := _pattern(msgid).fullmatch(reason):
            return gettext(msgid) % found.groupdict()
    return reason


@cache
def _pattern(msgid: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", msgid)
    escaped = [f"(?P<{part}>.*?)" if n % 2 else re.escape(part) for n, part in enumerate(parts)]
    return re.compile("".join(escaped), re.DOTALL)
