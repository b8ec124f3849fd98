"""DKIM: verifiers that we did not write take our signatures, and only for what we signed."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from mailape.core.errors import Invalid
from mailape.delivery import dkim
from mailape.delivery.dkim import Seal, Signer
from mailape.delivery.tests.verifiers import by_dkimpy, by_opendkim

AT = 1_700_000_000
HEAD = [
    b'From: "Ann" <ann@example.org>\r\n',
    b"To: bob@example.com\r\n",
    b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n  and   more \r\n",
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
    b"Message-ID: <1@example.org>\r\n",
    b"List-Unsubscribe:   <https://example.org/u/1>\r\n",
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    b"MIME-Version: 1.0\r\n",
    b"X-Other: not signed\r\n",
]
BODY = b"Hello  \t there \r\n\r\nbye\r\n\r\n\r\n"
MAIL = b"".join(HEAD) + b"\r\n" + BODY


@cache
def rsa() -> Signer:
    return Signer("example.org", "rsa", rsa_key(65537, 2048))


@cache
def ed25519() -> Signer:
    return Signer("example.org", "ed", Ed25519PrivateKey.generate())


def signers(names: str) -> list[Signer]:
    return [{"rsa": rsa, "ed25519": ed25519}[name]() for name in names.split()]


def signed(names: str, mail: bytes = MAIL) -> bytes:
    return dkim.sign(mail, signers(names), AT) + mail


@pytest.mark.parametrize("names", ["rsa", "ed25519", "rsa ed25519"])
def test_dkimpy_takes_it(names: str) -> None:
    assert by_dkimpy(signed(names), signers(names))


@pytest.mark.parametrize("names", ["rsa", "ed25519", "rsa ed25519"])
def test_opendkim_takes_it(names: str, tmp_path: Path) -> None:
    assert by_opendkim(signed(names), signers(names), tmp_path)


CHANGES = {
    "another subject": (b"and   more", b"and  less"),
    "another body": (b"bye", b"buy"),
    "another page to leave": (b"/u/1", b"/u/2"),
    "a second From below": (b"X-Other", b"From: eve@example.net\r\nX-Other"),
    "a second From above": (b'From: "Ann"', b'From: eve@example.net\r\nFrom: "Ann"'),
    "a second To": (b"X-Other", b"To: eve@example.net\r\nX-Other"),
    "a second Subject": (b"X-Other", b"Subject: eve\r\nX-Other"),
    "more behind the end": (b"bye\r\n", b"bye\r\nand more\r\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_neither_takes_what_was_changed(change: str, tmp_path: Path) -> None:
    head, end, rest = signed("rsa").partition(HEAD[0])
    altered = head + (end + rest).replace(*CHANGES[change], 1)
    assert altered != signed("rsa")
    assert not by_dkimpy(altered, [rsa()])
    assert not by_opendkim(altered, [rsa()], tmp_path)


def test_what_a_relay_may_change_does_no_harm() -> None:
    relayed = signed("rsa").replace(b"bye\r\n\r\n\r\n", b"bye\r\n").replace(b"Hello  \t", b"Hello ")
    relayed = relayed.replace(b"<https://example.org", b"\r\n <https://example.org")
    assert relayed != signed("rsa")
    assert by_dkimpy(relayed, [rsa()])


def test_the_length_of_the_body_is_never_named_and_lines_are_short() -> None:
    for line in dkim.sign(MAIL, signers("rsa ed25519"), AT).split(b"\r\n"):
        assert len(line) <= 76
        assert not re.search(rb"[\s;]l=", line)


def test_what_is_signed() -> None:
    (names,) = re.findall(rb"\sh=([^;]*);", dkim.sign(MAIL, [ed25519()], AT))
    found = sorted(name.strip() for name in names.split(b":"))
    assert found == sorted(
        b"from from to to subject subject date message-id list-unsubscribe list-unsubscribe-post"
        b" mime-version".split()
    )


@pytest.mark.parametrize("names", ["rsa", "ed25519"])
def test_the_same_mail_is_signed_the_same_way_each_time(names: str) -> None:
    assert signed(names) == signed(names)


def test_a_seal_makes_the_signature_that_the_whole_mail_would_get() -> None:
    changing = [field for field in HEAD if field.startswith((b"To", b"List-Unsubscribe:", b"X-"))]
    head = [f if f not in changing else f.partition(b":")[0].decode() for f in HEAD]
    seal = Seal(signers("rsa ed25519"), head)
    body = dkim.relaxed_body(BODY)
    assert seal.sign(changing, body, AT) == dkim.sign(MAIL, signers("rsa ed25519"), AT)


def test_a_field_that_this_mail_does_not_have_is_signed_as_missing(tmp_path: Path) -> None:
    seal = Seal([rsa()], [*HEAD, "List-Id"])
    without = seal.sign([b""], dkim.relaxed_body(BODY), AT) + MAIL
    assert by_dkimpy(without, [rsa()])
    assert by_opendkim(without, [rsa()], tmp_path)
    added = without.replace(b"X-Other", b"List-Id: <1.example.org>\r\nX-Other")
    assert not by_dkimpy(added, [rsa()])


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"x", b"y z", b"\xc3\xa9"]), max_size=20))
def test_the_relaxed_form_is_that_of_dkimpy(parts: list[bytes]) -> None:
    body = b"".join(parts) + b"\r\n"
    assert dkim.relaxed_body(body) == Relaxed.canonicalize_body(body)
    assert dkim.relaxed_body(dkim.relaxed_body(body)) == dkim.relaxed_body(body)


@pytest.mark.parametrize("key", [rsa_key(65537, 2048), Ed25519PrivateKey.generate()])
def test_a_key_comes_as_pem(key: dkim.Key) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signer = Signer.from_pem("example.org", "here", pem)
    assert by_dkimpy(dkim.sign(MAIL, [signer], AT) + MAIL, [signer])


def test_keys_that_dkim_does_not_know_are_refused() -> None:
    other = generate_private_key(SECP256R1())
    locked = BestAvailableEncryption(b"password")
    for pem in (
        b"no key at all",
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        rsa_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        rsa().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked),
    ):
        with pytest.raises(Invalid):
            Signer.from_pem("example.org", "here", pem)


@pytest.mark.parametrize(
    "word", ["", "exa mple.org", "x; l=5", "münchen.de", "a\r\nb", "A.org", "-a"]
)
def test_a_domain_or_selector_that_cannot_be_asked_for_is_refused(word: str) -> None:
    with pytest.raises(Invalid):
        Signer(word, "here", rsa().key)
    with pytest.raises(Invalid):
        Signer("example.org", word, rsa().key)
