"""When a form was made: a signed time in a hidden field, without a cookie and without a row.

stamps.make("subscribe", list.public_id)
stamps.age("subscribe", list.public_id, given)   # seconds, or None
"""

from __future__ import annotations

import hashlib
import hmac

from mailape.core import clock, keys


def make(purpose: str, subject: str) -> str:
    """The stamp of a form that is made now, good for this purpose and subject only."""
    now = int(clock.now().timestamp() * 1000)
    return f"{now:x}-{_mac(purpose, subject, now)}"


def age(purpose: str, subject: str, stamp: str) -> float | None:
    """How many seconds ago the form was made; None for a stamp that is not ours."""
    number, _dash, mac = stamp[:100].partition("-")
    try:
        made = int(number, 16)
    except ValueError:
        return None
    right = _mac(purpose, subject, made)
    if not hmac.compare_digest(right.encode(), mac.encode("utf-8", "replace")):
        return None
    return clock.now().timestamp() - made / 1000


def _mac(purpose: str, subject: str, made: int) -> str:
    text = f"{purpose}\0{subject}\0{made}".encode()
    keyed = hashlib.blake2b(text, key=keys.oldest(), digest_size=16, person=b"form-stamp")
    return keyed.hexdigest()
