"""Opaque ids: what the world sees instead of a bigint key.

Derived from the key by Sqids with an alphabet that is shuffled per instance and a number per kind,
so that a list's id is never a message's, ids do not count up in view, and nothing is stored.
They hide counts; they are no access control: that is each app's `access.py`.
"""

from __future__ import annotations

import hashlib
import random
import string
from functools import lru_cache

from django.utils.translation import gettext as _
from sqids import Sqids

from mailape.core.errors import NotFound
from mailape.core.keys import oldest

_KINDS = (
    "workspace", "user", "list", "subscriber", "message", "sender", "token", "delivery",
    "suppression", "outbox", "membership", "task", "subscription",
    "invitation", "session", "dkim",
    "bulk", "image",
)  # fmt: skip
# Only ever append: the position is part of every id that the world has seen.
_ALPHABET = string.ascii_lowercase + string.digits


@lru_cache(maxsize=8)
def _sqids(secret: bytes) -> Sqids:
    letters = list(_ALPHABET)
    seed = int.from_bytes(hashlib.blake2b(secret, person=b"mailape-ids").digest())
    random.Random(seed).shuffle(letters)  # noqa: S311 - a fixed shuffle by key, not a secret
    return Sqids(alphabet="".join(letters), min_length=8, blocklist=[])


def public(kind: str, pk: int) -> str:
    """The opaque id of row `pk` of `kind`."""
    return str(_sqids(oldest()).encode([_KINDS.index(kind), pk]))


def private(kind: str, text: str) -> int:
    """The key behind an opaque id. Raises NotFound for anything that `public` did not make."""
    numbers = _sqids(oldest()).decode(text) if 0 < len(text) <= 40 else []
    if len(numbers) != 2 or numbers[0] != _KINDS.index(kind) or public(kind, numbers[1]) != text:
        raise NotFound(_("There is nothing with this id."))
    if numbers[1] > 2**63 - 1:
        raise NotFound(_("There is nothing with this id."))
    return int(numbers[1])
