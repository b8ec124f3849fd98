"""The header fields of a compiled mail: written once where they can be, else by a short function.

Each kind of field says in `writer` how its bytes are made: the bytes themselves where they are the
same in every mail, or a function of one person's values and of the stamp. How a field is encoded,
quoted and folded is `delivery.headers`' affair; here are only shortcuts for what is plain already,
with the same result.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, NamedTuple

from mailape.core.links import Links
from mailape.delivery import headers
from mailape.delivery.mime import slots
from mailape.delivery.mime.slots import Slot, Values

# The widest a token can get: a key's number in base 36 (two thousand million keys), two dashes and
# two values of 22 letters (core.links).
TOKEN_WIDTH = 6 + 2 * 23
_WIDTHS = {"date": 31, "message_key": 32}
_NO_LINKS = Links("", "", "", "")
# Plain already: nothing to quote, to encode or to fold, if the line is short. One blank at a time.
_PLAIN_TEXT = re.compile(r"[!-~]+(?: [!-~]+)*")
_PLAIN_MAILBOX = re.compile(
    r'"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*" <[\w!#$%&\'*+/=^{|}~.-]+@[A-Za-z0-9.-]+>', re.ASCII
)
_PLAIN_ADDRESS = re.compile(r"[\w!#$%&'*+/=^{|}~.-]+@[A-Za-z0-9.-]+", re.ASCII)
_SHORT = 64  # the longest word that `headers` leaves as it is
_ONE_WORD = 39  # octets that fit into one encoded word of `headers`


class Stamp(NamedTuple):
    """What the engine itself writes into one mail.

    `to_address` is as the wire takes it, its domain an A-label. `message_key` and `date` are the
    same for all attempts of one delivery; `links` may be nothing where the mail has no such links.
    """

    to_address: str
    message_key: str
    date: datetime
    links: Links = _NO_LINKS
    list_key: str = ""


Writer = Callable[[Values, Stamp], bytes]


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same line in every mail."""

    name: str
    line: str

    def writer(self) -> bytes:
        return self.line.encode()


@dataclass(frozen=True, slots=True)
class Typed:
    """Free text with merge tags: the Subject."""

    name: str
    template: str

    def writer(self) -> Writer | bytes:
        said, name = sentence(self.template), self.name

        @lru_cache(maxsize=256)
        def line(text: str) -> bytes:
            return headers.text(name, subject(text)).encode()

        if isinstance(said, str):
            return line(said)

        def write(values: Values, stamp: Stamp) -> bytes:
            text = said(values)
            if len(text) <= _SHORT and _PLAIN_TEXT.fullmatch(text) and "=?" not in text:
                return f"{name}: {text}\r\n".encode()
            word = _one_word(text)
            return b"%b: %b\r\n" % (name.encode(), word) if word else line(text)

        return write


@dataclass(frozen=True, slots=True)
class Recipient:
    """The one person whom the mail is to, with a display name from merge tags, or without."""

    name: str
    display: str

    def writer(self) -> Writer:
        said = sentence(self.display)
        name, room = self.name, headers.WIDTH - len(self.name) - 2
        find = (lambda values: said) if isinstance(said, str) else said

        def write(values: Values, stamp: Stamp) -> bytes:
            display = find(values)
            mailbox = f'"{display}" <{stamp.to_address}>'
            if len(mailbox) <= room and _PLAIN_MAILBOX.fullmatch(mailbox) and "=?" not in mailbox:
                return f"{name}: {mailbox}\r\n".encode()
            word = _one_word(display)
            if word and _PLAIN_ADDRESS.fullmatch(stamp.to_address):
                return b"%b: %b\r\n <%b>\r\n" % (name.encode(), word, stamp.to_address.encode())
            return headers.mailbox(name, display, stamp.to_address).encode()

        return write


@dataclass(frozen=True, slots=True)
class Stamped:
    """A field round something of the stamp: its date, its message key or one of its tokens."""

    name: str
    before: str
    what: str
    after: str

    def writer(self) -> Writer:
        find, stand_in = finder(self.what), "*" * _WIDTHS.get(self.what, TOKEN_WIDTH)
        line = headers.token(self.name, f"{self.before}{stand_in}{self.after}")
        before, after = map(str.encode, line.split(stand_in))
        return lambda values, stamp: before + find(values, stamp) + after


@dataclass(frozen=True, slots=True)
class PerList:
    """A line for each list of the audience; none for a mail that goes to no list."""

    name: str
    lines: dict[str, str]

    def writer(self) -> Writer:
        lines = {key: line.encode() for key, line in self.lines.items()}
        return lambda values, stamp: lines.get(stamp.list_key, b"")


Field = Fixed | Typed | Recipient | Stamped | PerList
_KINDS: dict[str, Callable[..., Field]] = {
    "fixed": Fixed, "typed": Typed, "recipient": Recipient, "stamped": Stamped, "list": PerList,
}  # fmt: skip


def to_json(field: Field) -> dict[str, Any]:
    """A field as it is stored."""
    kind = next(kind for kind, made in _KINDS.items() if made is type(field))
    return {"kind": kind, **asdict(field)}


def from_json(stored: Mapping[str, Any]) -> Field:
    """A field as it was stored."""
    given = dict(stored)
    return _KINDS[given.pop("kind")](**given)


def subject_of(fields: Iterable[Field]) -> Typed:
    """The field of the subject."""
    return next(f for f in fields if isinstance(f, Typed) and f.name == "Subject")


def subject(typed: str) -> str:
    """A subject on one line. An empty one says so: no reader likes none at all."""
    return typed if _is_one_line(typed) else headers.one_line(typed) or "(no subject)"


def _is_one_line(text: str) -> bool:
    """Whether `headers.one_line` would leave it as it is: then it need not be asked."""
    tidy = text.isprintable() and "  " not in text and " " not in (text[:1], text[-1:])
    return tidy and text != ""


def _one_word(text: str) -> bytes:
    """Text as the one encoded word that `headers` would make of it; nothing where it would not."""
    if text.isascii() or not _is_one_line(text):
        return b""
    octets = text.encode()
    fits = len(octets) <= _ONE_WORD
    return b"=?utf-8?b?%b?=" % b2a_base64(octets, newline=False) if fits else b""


def sentence(template: str) -> str | Callable[[Values], str]:
    """A template of plain text: the text itself, or the function that fills it in.

    Raises BadTemplate.
    """
    parts = slots.cut(template, html=False)
    found = [slots.writer(p) if isinstance(p, Slot) else str(p) for p in parts]
    if all(isinstance(part, str) for part in found):
        return "".join(map(str, found))
    if len(found) == 1:
        return found[0]
    return lambda values: "".join([p if isinstance(p, str) else p(values) for p in found])


def finder(what: str) -> Writer:
    """The function that takes `what` out of a stamp: date, message_key, or the name of a token."""
    if what == "date":
        return lambda values, stamp: written_date(stamp.date)
    if what == "message_key":
        return lambda values, stamp: stamp.message_key.encode()
    place = Links._fields.index(what)
    return lambda values, stamp: stamp.links[place].encode()


@lru_cache(maxsize=256)
def written_date(date: datetime) -> bytes:
    """A date as RFC 5322 writes it, in UTC."""
    return format_datetime(date.astimezone(UTC)).encode()
