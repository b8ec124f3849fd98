"""The tokens in our links: who and for what, without a row to look up and without a name to read.

A token is `KEY-IDS-MAC` in URL-safe letters:

- KEY: which row of LinkKey made it (base 36). Keys outlive SECRET_KEY and are never deleted, so an
  unsubscribe link works for as long as the database does.
- IDS: message, subscriber and occasion, encrypted as one block, so that a link tells no counts.
- MAC: 128 bits, bound to one purpose. One 512-bit keyed hash per person and message is cut into the
  four tokens of a newsletter, so that a forwarded click link gives no unsubscribe link.

What a link names is message and subscriber, not a row of deliveries: it works long after that row
was dropped.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.utils.translation import gettext as _

from mailape.core import keys
from mailape.core.errors import NotFound
from mailape.core.models import LinkKey

_WORDS = "0123456789abcdefghijklmnopqrstuvwxyz"
# "-" parts the token's fields, so the alphabet's own "-" becomes "~" (unreserved in RFC 3986).
_URL_SAFE = bytes.maketrans(b"+/", b"~_")


class Purpose(Enum):
    """What a token is good for: the slice of the keyed hash that it carries."""

    UNSUBSCRIBE = 0
    PREFERENCES = 1
    CLICK = 2
    OPEN = 3
    CONFIRM = 4  # from a hash of its own: a confirmation is no newsletter


@dataclass(frozen=True, slots=True)
class Named:
    """What a token names."""

    message_id: int
    subscriber_id: int
    occasion: int


class Links(NamedTuple):
    """The four tokens of one newsletter to one person."""

    unsubscribe: str
    preferences: str
    click: str
    open: str


def for_person(message_id: int, subscriber_id: int, occasion: int = 0) -> Links:
    """The tokens of this message to this person, made with the newest key."""
    return for_people(message_id, [subscriber_id], occasion)[0]


def for_people(
    message_id: int, subscriber_ids: Iterable[int], occasion: int = 0, key_id: int | None = None
) -> list[Links]:
    """The tokens of this message to these people, in their order: about 1 µs for each.

    With `key_id` made by that key, else by the newest one. A message keeps to the key that it was
    compiled under, so that a retry after a new key came still sends the same bytes.
    Raises LinkKey.DoesNotExist for a key that never was.
    """
    key_id = keys.newest_id() if key_id is None else key_id
    blocks = _blocks(message_id, subscriber_ids, occasion)
    names = _texts(_cipher(key_id).encryptor().update(b"".join(blocks)))
    macs = _texts(b"".join(_digests(key_id, blocks, b"person")))
    key = _base36(key_id)
    heads = [f"{key}-{name}-" for name in names]
    four = zip(heads, macs[0::4], macs[1::4], macs[2::4], macs[3::4], strict=True)
    return [Links(h + a, h + b, h + c, h + d) for h, a, b, c, d in four]


def confirm(message_id: int, subscriber_id: int, occasion: int, key_id: int | None = None) -> str:
    """The token of the confirmation mail number `occasion` to this person; `key_id` as above."""
    key_id = keys.newest_id() if key_id is None else key_id
    block = _block(message_id, subscriber_id, occasion)
    head = f"{_base36(key_id)}-{_text(_cipher(key_id).encryptor().update(block))}-"
    return head + _text(_digest(key_id, block, b"confirm")[:16])


def read(purpose: Purpose, token: str) -> Named:
    """What `token` names, if it was made for `purpose`. Compared in constant time.

    Raises NotFound for anything else: altered, of another purpose, of a key that never was.
    """
    try:
        key_text, ids_text, mac_text = token.split("-", 2)
        key_id = int(key_text, 36)
        if _base36(key_id) != key_text:
            raise ValueError("not the one spelling of this number")
        block = _cipher(key_id).decryptor().update(_bytes(ids_text))
        mac = _bytes(mac_text)
    except (ValueError, LinkKey.DoesNotExist, OverflowError) as wrong:
        raise NotFound(_("This link is not complete, or was changed on its way.")) from wrong
    if purpose is Purpose.CONFIRM:
        right = _digest(key_id, block, b"confirm")[:16]
    else:
        right = _digest(key_id, block, b"person")[purpose.value * 16 :][:16]
    if not hmac.compare_digest(right, mac):
        raise NotFound(_("This link is not complete, or was changed on its way."))
    return Named(int.from_bytes(block[:6]), int.from_bytes(block[6:12]), int.from_bytes(block[12:]))


def message_key(message_id: int, subscriber_id: int, occasion: int) -> str:
    """The local part of a delivery's Message-ID: the same on every attempt, and not guessable."""
    return message_keys(message_id, [subscriber_id], occasion)[0]


def message_keys(message_id: int, subscriber_ids: Iterable[int], occasion: int = 0) -> list[str]:
    """What `message_key` gives for each of these people, in their order."""
    blocks = _blocks(message_id, subscriber_ids, occasion)
    return [digest[:16].hex() for digest in _digests(keys.oldest_id(), blocks, b"message-id")]


def _block(message_id: int, subscriber_id: int, occasion: int) -> bytes:
    return message_id.to_bytes(6) + subscriber_id.to_bytes(6) + occasion.to_bytes(4)


def _blocks(message_id: int, subscriber_ids: Iterable[int], occasion: int) -> list[bytes]:
    before, after = message_id.to_bytes(6), occasion.to_bytes(4)
    return [before + subscriber_id.to_bytes(6) + after for subscriber_id in subscriber_ids]


def _digest(key_id: int, block: bytes, person: bytes) -> bytes:
    return next(_digests(key_id, [block], person))


def _digests(key_id: int, blocks: Sequence[bytes], person: bytes) -> Iterator[bytes]:
    # Taking in the key is half of the work: done once, and copied for each block.
    keyed = hashlib.blake2b(key=keys.by_id(key_id), person=person.ljust(16, b"\0"))
    for block in blocks:
        one = keyed.copy()
        one.update(block)
        yield one.digest()


@lru_cache(maxsize=64)
def _cipher_of(secret: bytes) -> Cipher[modes.ECB]:
    # Each block is a text of its own (its ids), never the next part of a longer one: ECB is then a
    # permutation of ids, which is all that is wanted here. The MAC, not this, keeps a link from
    # being made up.
    key = hashlib.blake2b(secret, digest_size=32, person=b"mailape-names").digest()
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - see above


def _cipher(key_id: int) -> Cipher[modes.ECB]:
    return _cipher_of(keys.by_id(key_id))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).translate(_URL_SAFE).rstrip(b"=").decode()


def _texts(raw: bytes) -> list[str]:
    """What `_text` gives for each 16 bytes of `raw`, by one base64 over all of them.

    16 bytes fill five groups of four letters and two letters of a sixth. So two zero bytes are set
    behind each 16, and the last two of its 24 letters left out.
    """
    padded = bytearray(len(raw) // 16 * 18)
    for place in range(16):
        padded[place::18] = raw[place::16]
    letters = binascii.b2a_base64(padded, newline=False).translate(_URL_SAFE).decode()
    return [letters[start : start + 22] for start in range(0, len(letters), 24)]


def _bytes(text: str) -> bytes:
    if len(text) != 22 or "-" in text:
        raise ValueError("not 16 bytes")
    raw = base64.b64decode(text.replace("~", "-") + "==", altchars=b"-_", validate=True)
    if _text(raw) != text:
        raise ValueError("not the one spelling of these bytes")
    return raw


def _base36(number: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number, 36)
        letters = _WORDS[digit] + letters
    return letters or "0"
