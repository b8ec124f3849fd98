"""Secrets in the database: read again with the same key, for the same thing, and by nobody else."""

from __future__ import annotations

import pytest

from mailape.core import vault


def test_a_secret_comes_back_and_is_not_seen():
    sealed = vault.seal(b"the secret", "dkim", "7")
    assert vault.unseal(sealed, "dkim", "7") == b"the secret"
    assert b"secret" not in sealed
    assert vault.seal(b"the secret", "dkim", "7") != sealed


def test_it_is_bound_to_its_purpose_and_its_owner():
    sealed = vault.seal(b"the secret", "dkim", "7")
    for purpose, belongs_to in (("smtp", "7"), ("dkim", "8")):
        with pytest.raises(vault.Unreadable):
            vault.unseal(sealed, purpose, belongs_to)


@pytest.mark.parametrize("place", [0, 1, 20, -1])
def test_what_was_altered_is_refused(place: int):
    sealed = bytearray(vault.seal(b"the secret", "dkim", "7"))
    sealed[place] ^= 1
    with pytest.raises(vault.Unreadable):
        vault.unseal(bytes(sealed), "dkim", "7")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01short"])
def test_what_is_no_sealed_secret_is_refused(sealed: bytes):
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed, "dkim", "7")


def test_another_key_reads_it_only_as_a_fallback(settings):
    sealed = vault.seal(b"the secret", "dkim", "7")
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another one"
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed, "dkim", "7")
    settings.SECRET_KEY_FALLBACKS = [before]
    assert vault.unseal(sealed, "dkim", "7") == b"the secret"
