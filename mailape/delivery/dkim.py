"""DKIM signatures (RFC 6376, 8301, 8463): rsa-sha256 and ed25519-sha256, relaxed/relaxed.

    signer = Signer.from_pem("example.org", "mailape", pem)
    mail = sign(mail, [signer], at) + mail                  # any mail, whoever wrote it

    seal = Seal([signer], head)                             # once for a compiled message …
    fields = seal.sign(changing, body, at)                  # … then per mail only what changes

What is signed: From, To, Subject, Date, Message-ID, Reply-To, the List-* fields (RFC 8058 demands
List-Unsubscribe and its Post), Feedback-ID and the MIME fields. From, To and Subject are named once
more than they stand there, so that a second one, set in later, breaks the signature. The length tag
`l=` is never written: it would let anyone add to the body.

The time of the signature is the caller's, the mail's own Date: with it RSA (PKCS #1 v1.5) and
Ed25519 sign the same mail the same way each time, and all attempts are one content.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.utils.translation import gettext as _

from mailape.core.errors import Invalid

_SIGNED = frozenset(
    b"from to subject date message-id reply-to feedback-id mime-version content-type"
    b" content-transfer-encoding".split()
)
_NAMED_TWICE = frozenset({b"from", b"to", b"subject"})
_BLANKS = re.compile(rb"[ \t]+")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)
_COLUMNS = 72  # of folded values; the tag in front of the first line has room besides
Key = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True)
class Signer:
    """A domain that signs, its selector and its private key."""

    domain: str
    selector: str
    key: Key

    def __post_init__(self) -> None:
        for word, name in ((self.domain, "domain"), (self.selector, "selector")):
            if not _DOMAIN.fullmatch(word):
                raise Invalid(_("DKIM could not ask for the name “%s”.") % word, name)
        if isinstance(self.key, RSAPrivateKey) and not 2048 <= self.key.key_size <= 4096:
            raise Invalid(_("A DKIM key of RSA has 2048 to 4096 bits."), "key")

    @classmethod
    def from_pem(cls, domain: str, selector: str, pem: bytes) -> Signer:
        """With a key as PEM, without a password. Raises Invalid for any other key or domain."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as wrong:
            raise Invalid(
                _("This is no private key in PEM form without a password."), "key"
            ) from wrong
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise Invalid(_("DKIM knows keys of RSA and of Ed25519 only."), "key")
        return cls(domain, selector, key)

    @property
    def algorithm(self) -> bytes:
        return b"rsa-sha256" if isinstance(self.key, RSAPrivateKey) else b"ed25519-sha256"

    def signature(self, data: bytes) -> bytes:
        """The signature of canonical data: Ed25519 signs its SHA-256 (RFC 8463, 3)."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, PKCS1v15(), SHA256())
        return self.key.sign(hashlib.sha256(data).digest())


class Seal:
    """What of the signatures is the same for all mails of one compiled message.

    `head` are its header fields in their order: the whole field with its CRLF where it is the same
    in every mail, only its name where it changes.
    """

    def __init__(self, signers: Iterable[Signer], head: Sequence[bytes | str]) -> None:
        names = [_name(field) for field in head]
        # From the last field up: of two with one name, the lower is signed first (RFC 6376, 5.4.2).
        places = [place for place in reversed(range(len(names))) if is_signed(names[place])]
        self._pieces = _pieces(head, places)
        self._signers = [(signer, _start(signer)) for signer in signers]
        self._names = _names([names[place] for place in places])

    def sign(self, changing: Sequence[bytes], body: bytes, at: int) -> bytes:
        """The DKIM-Signature fields of one mail, to be put in front of it.

        `changing` are the fields of which the head gave only the name, in its order; `body` must be
        in relaxed form already, as `mime` writes it; `at` is in seconds since 1970.
        """
        head = b"".join([p if isinstance(p, bytes) else relaxed(changing[p]) for p in self._pieces])
        bodyhash = base64.b64encode(hashlib.sha256(body).digest())
        end = b" t=%d;\r\n %b\r\n bh=%b;\r\n b=" % (at, self._names, bodyhash)
        return b"".join(_field(signer, head, start + end) for signer, start in self._signers)


def sign(mail: bytes, signers: Iterable[Signer], at: int) -> bytes:
    """The DKIM-Signature fields of any mail with CRLF line ends, to be put in front of it."""
    head, _, body = mail.partition(b"\r\n\r\n")
    fields = [field + b"\r\n" for field in re.split(rb"\r\n(?![ \t])", head)]
    return Seal(signers, fields).sign([], relaxed_body(body), at)


def is_signed(name: bytes) -> bool:
    """Whether a field of this name, in lower case, is signed."""
    return name in _SIGNED or name.startswith(b"list-")


def relaxed(field: bytes) -> bytes:
    """A header field in relaxed form (RFC 6376, 3.4.2); nothing for one that is not there."""
    # split() takes VT and FF for blanks, which the RFC does not; no field of ours holds either.
    name, found, value = field.partition(b":")
    if not found:
        return b""
    return b"%b:%b\r\n" % (name.strip().lower(), b" ".join(value.split()))


def relaxed_body(body: bytes) -> bytes:
    """A body in relaxed form (RFC 6376, 3.4.4)."""
    lines = [_BLANKS.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def _name(field: bytes | str) -> bytes:
    name = field.encode() if isinstance(field, str) else field.partition(b":")[0]
    return name.strip().lower()


def _pieces(head: Sequence[bytes | str], places: Sequence[int]) -> list[bytes | int]:
    """The signed fields in their order: relaxed, or the number among the changing ones."""
    changing = [place for place, field in enumerate(head) if isinstance(field, str)]
    pieces: list[bytes | int] = []
    for place in places:
        field = head[place]
        pieces.append(changing.index(place) if isinstance(field, str) else relaxed(field))
    return pieces


def _names(names: Sequence[bytes]) -> bytes:
    """The tag h=, folded behind its colons."""
    twice = sorted(_NAMED_TWICE)
    lines, column = [b"h="], 0
    for name in [*names, *twice]:
        if column + len(name) > _COLUMNS:
            lines.append(b"")
            column = 0
        lines[-1] += name + b":"
        column += len(name) + 1
    return b"\r\n ".join(lines)[:-1] + b";"


def _start(signer: Signer) -> bytes:
    return b"DKIM-Signature: v=1; a=%b; c=relaxed/relaxed;\r\n d=%b;\r\n s=%b;" % (
        signer.algorithm,
        signer.domain.encode(),
        signer.selector.encode(),
    )


def _field(signer: Signer, head: bytes, unsigned: bytes) -> bytes:
    # The field itself is signed last, with its b= empty and without its CRLF (RFC 6376, 3.7).
    signature = signer.signature(head + relaxed(unsigned)[:-2])
    letters = base64.b64encode(signature)
    lines = [letters[i : i + _COLUMNS] for i in range(0, len(letters), _COLUMNS)]
    return unsigned + b"\r\n ".join(lines) + b"\r\n"
