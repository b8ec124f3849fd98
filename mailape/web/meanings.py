"""What a server's answer means, for somebody who reads no status codes (RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.delivery.models import State

_CODE = re.compile(r"\b[245]\.(\d{1,3}\.\d{1,3})\b")
# 552 without an enhanced code is a full mailbox, or the size (RFC 1870 6.1): its words tell.
_SIZE = re.compile(r"\bsize\b|\btoo (?:big|large)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Meaning:
    """In a word, what to do about it, and whether it is worth trying again."""

    text: Any
    todo: Any = ""
    hopeful: bool = True


_BY_STATE = {
    State.SKIPPED: Meaning(later("Not wanted any more"), "", hopeful=False),
    State.UNKNOWN: Meaning(later("In doubt"), later("It may have arrived: decide on it above.")),
    State.QUARANTINED: Meaning(
        later("Set aside"),
        later("A worker died on it three times. Tell whoever runs this instance."),
        hopeful=False,
    ),
}  # fmt: skip
_GONE = Meaning(
    later("No such address"),
    later("Trying again does no good, and harms your name."),
    hopeful=False,
)
_FULL = Meaning(later("The mailbox is full"), later("It may work in some days."))
_CLOSED = Meaning(later("The mailbox takes no mail"), "", hopeful=False)
_TOO_LARGE = Meaning(later("The mail is too large"), later("Make it smaller: images, mostly."))
_POLICY = Meaning(
    later("Refused by a rule of the server"),
    later("It is about the mail or its sender, not about the reader. Read the server’s words."),
)
_SIGNED = Meaning(
    later("The sender’s domain is not vouched for"),
    later("Look at SPF, DKIM and DMARC of your domain, then try again."),
)
_SLOW = Meaning(later("Too much at once"), later("The server wants it slower; it is tried again."))
_BUSY = Meaning(later("The server was not ready"), later("It usually works a little later."))
_LATER = Meaning(later("Not now, said the server"), later("It is tried again by itself."))
_CODES = {
    "1.1": _GONE, "1.2": _GONE, "1.3": _GONE, "1.6": _GONE, "1.10": _GONE, "2.0": _CLOSED,
    "2.1": _CLOSED, "2.2": _FULL, "2.3": _TOO_LARGE, "3.4": _TOO_LARGE, "3.2": _BUSY,
    "4.1": _BUSY, "4.2": _BUSY, "4.4": _BUSY, "4.5": _BUSY, "7.20": _SIGNED, "7.21": _SIGNED,
    "7.22": _SIGNED, "7.23": _SIGNED, "7.24": _SIGNED, "7.25": _SIGNED, "7.26": _SIGNED,
    "7.30": _SIGNED, "7.28": _SLOW,
}  # fmt: skip
_BY_REPLY = {
    "421": _BUSY, "450": _BUSY, "451": _BUSY, "452": _FULL, "550": _POLICY, "551": _GONE,
    "552": _FULL, "553": _GONE, "554": _POLICY,
}  # fmt: skip
_UNKNOWN = Meaning(later("Refused"), later("Read the server’s words."))


def meaning(state: str, words: str) -> Meaning | None:
    """What a delivery in this state and with these words means; None where nothing is amiss."""
    if state in (State.SENT, State.QUEUED, State.SENDING):
        return None
    if state in _BY_STATE:
        return _BY_STATE[State(state)]
    if state == State.DEFERRED:
        return _LATER
    code = _CODE.search(words)
    if code is None:
        if words.startswith("552") and _SIZE.search(words):
            return _TOO_LARGE
        return _BY_REPLY.get(words[:3], _UNKNOWN)
    return _CODES.get(code[1]) or (_POLICY if code[1].startswith("7.") else None) or _UNKNOWN


def why_skipped(reason: str) -> str:
    """Why a delivery was not sent any more, as a sentence."""
    known = {
        "unsubscribed": _(
            "This person had left the lists of this message before the mail’s turn came."
        ),
        "cancelled": _("The message was cancelled before this mail’s turn came."),
        "expired": _("It was of no use any more when its turn came."),
        "the message failed": _("The message failed as a whole before this mail’s turn came."),
    }
    if reason.startswith("suppressed"):
        why = reason.partition(": ")[2]
        said = _("This address is suppressed (%(why)s): nothing is mailed to it.")
        return (
            said % {"why": why}
            if why
            else _("This address is suppressed: nothing is mailed to it.")
        )
    return known.get(reason, reason) or _("It was not wanted any more.")
