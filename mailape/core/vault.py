"""Secrets that must be read again: encrypted in the database with a key made from SECRET_KEY.

A copy of the database alone (a dump, a backup that went astray) does not give them away. AES-256 in
GCM, the key by HKDF per purpose; what the secret belongs to is bound in, so that a row's secret
cannot be moved to another row. After a change of SECRET_KEY they cannot be read any more, unless
the old one is in SECRET_KEY_FALLBACKS: see docs/decisions/0040.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

_VERSION = b"\x01"
_NONCE = 12


class Unreadable(Exception):
    """The secret was sealed with another SECRET_KEY, for something else, or was altered."""


def seal(secret: bytes, purpose: str, belongs_to: str) -> bytes:
    """The secret, encrypted for this purpose and owner."""
    nonce = os.urandom(_NONCE)
    cipher = AESGCM(_key(settings.SECRET_KEY, purpose))
    return _VERSION + nonce + cipher.encrypt(nonce, secret, belongs_to.encode())


def unseal(sealed: bytes, purpose: str, belongs_to: str) -> bytes:
    """What `seal` was given for the same purpose and owner. Raises Unreadable."""
    if sealed[:1] != _VERSION:
        raise Unreadable
    nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return AESGCM(_key(key, purpose)).decrypt(nonce, rest, belongs_to.encode())
        except (InvalidTag, ValueError):
            continue
    raise Unreadable


def _key(secret: str | bytes, purpose: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"mailape:{purpose}".encode())
    return kdf.derive(force_bytes(secret))
