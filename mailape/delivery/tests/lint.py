"""A reader that trusts nobody: what a mail on the wire breaks of the rules for mail of ours.

It works on the bytes, with no parser but its own. `faults` names what is wrong, in words; an empty
list is a mail that keeps every rule for every mail, and, for newsletters, those for bulk mail.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Callable
from dataclasses import dataclass

ONCE = (
    "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to",
    "sender", "list-id", "list-unsubscribe", "list-unsubscribe-post", "feedback-id", "precedence",
    "auto-submitted",
)  # fmt: skip
NEEDED = ("from", "to", "subject", "date", "message-id", "mime-version")
BULK = ("list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id")
SIGNED = (*NEEDED, "content-type", *BULK)

_WORD = re.compile(rb"=\?[^ ?]*\?[^ ?]*\?[^ ]*?\?=")
_GOOD_WORD = re.compile(rb"=\?utf-8\?b\?([A-Za-z0-9+/]+=*)\?=")
_MAILBOX = re.compile(
    rb'(?:(?:"(?:[^"\\\r\n]|\\.)*"|=\?[^ ]+\?=(?: =\?[^ ]+\?=)*) <([^<> ]+@[A-Za-z0-9.-]+)>'
    rb"|([^<> ]+@[A-Za-z0-9.-]+))"
)
_DATE = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    rb" \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
)


@dataclass(frozen=True)
class Mail:
    """A mail taken apart by the letter of RFC 5322 and 2046."""

    raw: bytes
    head: bytes
    body: bytes
    fields: list[tuple[str, bytes]]  # unfolded, in their order

    def all(self, name: str) -> list[bytes]:
        return [value for found, value in self.fields if found == name]

    def one(self, name: str) -> bytes:
        return next(iter(self.all(name)), b"")


def take_apart(raw: bytes) -> Mail:
    head, _, body = raw.partition(b"\r\n\r\n")
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head + b"\r\n").split(b"\r\n")[:-1]
    pairs = [line.partition(b":") for line in unfolded]
    fields = [(name.decode("latin-1").lower(), value.strip()) for name, _, value in pairs]
    return Mail(raw, head, body, fields)


def parts(mail: Mail) -> dict[str, str]:
    """The text of each part by its type, decoded by the letter of RFC 2045."""
    found = re.search(rb'boundary="([^"]+)"', mail.one("content-type"))
    if found is None:
        return {}
    _, *inner, _end = (b"\r\n" + mail.body).split(b"\r\n--" + found[1])
    decoded = {}
    for part in inner:
        head, _, content = part.partition(b"\r\n\r\n")
        kind = re.search(rb"(?i)^content-type: ([a-z/]+); charset=utf-8\r?$", head, re.MULTILINE)
        decoded[kind[1].decode() if kind else "?"] = quopri.decodestring(content).decode()
    return decoded


def faults(raw: bytes, *, bulk: bool = False) -> list[str]:
    """What is wrong with a mail."""
    mail = take_apart(raw)
    rules = [*RULES.items(), *(BULK_RULES.items() if bulk else [])]
    return [fault for fault, is_broken in rules if is_broken(mail)]


def _head_lines(mail: Mail) -> list[bytes]:
    return mail.head.split(b"\r\n")


def _line_too_long(mail: Mail) -> bool:
    return any(len(line) > 998 for line in mail.raw.split(b"\r\n"))


def _badly_folded(mail: Mail) -> bool:
    """A field line over 78 that a blank behind its first word would have let fold."""
    lines = _head_lines(mail)
    return any(len(line) > 78 and b" " in line[1:].partition(b": ")[2] for line in lines)


def _names_wrong(mail: Mail) -> bool:
    return any(not re.fullmatch(r"[a-z][a-z0-9-]*", name) for name, _ in mail.fields)


def _bad_word(mail: Mail) -> bool:
    for word in _WORD.findall(mail.head):
        good = _GOOD_WORD.fullmatch(word)
        if good is None or len(word) > 75 or not _is_text(good[1]):
            return True
    return False


def _is_text(letters: bytes) -> bool:
    try:
        return bool(base64.b64decode(letters, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return False


def _word_in_address(mail: Mail) -> bool:
    values = [mail.one("from"), mail.one("to"), mail.one("reply-to")]
    return any(
        b"=?" in part for value in values for part in re.findall(rb"<[^>]*>|\"[^\"]*\"", value)
    )


def _not_one_mailbox(mail: Mail) -> bool:
    return any(
        _MAILBOX.fullmatch(value) is None
        for name in ("from", "to", "reply-to")
        for value in mail.all(name)
    )


def _id_wrong(mail: Mail) -> bool:
    found = re.fullmatch(rb"<[0-9a-f]{32}@([A-Za-z0-9.-]+)>", mail.one("message-id"))
    return found is None or not mail.one("from").rstrip(b">").endswith(b"@" + found[1])


def _not_ascii(mail: Mail) -> bool:
    """Only an address with a local part beyond ASCII may stand in a head as UTF-8."""
    return not b"".join(value for name, value in mail.fields if name != "to").isascii()


def _parts_wrong(mail: Mail) -> bool:
    return list(parts(mail)) != ["text/plain", "text/html"]


def _body_line_wrong(mail: Mail) -> bool:
    return any(len(line) > 76 for line in mail.body.split(b"\r\n"))


def _needs_stuffing(mail: Mail) -> bool:
    return re.search(rb"(?m)^[.]", mail.raw) is not None


def _one_click_wrong(mail: Mail) -> bool:
    uris = re.findall(rb"<([^>]*)>", mail.one("list-unsubscribe"))
    web = [uri for uri in uris if uri.startswith((b"https:", b"http:"))]
    post = mail.one("list-unsubscribe-post")
    return len(web) != 1 or uris[:1] != web or post != b"List-Unsubscribe=One-Click"


def _no_way_out(mail: Mail) -> bool:
    uri = re.findall(rb"<([^>]*)>", mail.one("list-unsubscribe"))[:1]
    return not uri or any(uri[0].decode() not in text for text in parts(mail).values())


def _links_differ(mail: Mail) -> bool:
    found = parts(mail)
    html = set(re.findall(r'href="(https?://[^"]*)"', found.get("text/html", "")))
    return any(url.replace("&amp;", "&") not in found.get("text/plain", "") for url in html)


Rule = Callable[[Mail], bool]
RULES: dict[str, Rule] = {
    "a bare CR or LF": lambda m: re.search(rb"\r(?!\n)|(?<!\r)\n", m.raw) is not None,
    "a NUL": lambda m: b"\0" in m.raw,
    "no line end at the end": lambda m: not m.raw.endswith(b"\r\n"),
    "a line over 998 octets": _line_too_long,
    "a line of the body over 76": _body_line_wrong,
    "a head line over 78 that could be folded": _badly_folded,
    "a head line of nothing but blanks": lambda m: any(
        not x.strip() for x in m.head.split(b"\r\n")
    ),
    "a dot that must be stuffed": _needs_stuffing,
    "a field without a proper name": _names_wrong,
    "a field that stands twice": lambda m: any(len(m.all(name)) > 1 for name in ONCE),
    "a field missing": lambda m: any(not m.one(name) for name in NEEDED),
    "an encoded word that is empty, too long or cut in a character": _bad_word,
    "an encoded word in an address or in quotes": _word_in_address,
    "not exactly one mailbox in From, To or Reply-To": _not_one_mailbox,
    "octets beyond ASCII in the head": _not_ascii,
    "a date that is none": lambda m: _DATE.fullmatch(m.one("date")) is None,
    "a Message-ID that is not ours": _id_wrong,
    "not a text and an HTML part": _parts_wrong,
    "links in the HTML that the text does not have": _links_differ,
}
BULK_RULES: dict[str, Rule] = {
    "a list field missing": lambda m: any(not m.one(name) for name in BULK),
    "no one-click unsubscribe": _one_click_wrong,
    "no visible way to unsubscribe": _no_way_out,
    "a List-Id without an identity": lambda m: not re.search(rb"<[a-z0-9.-]+>$", m.one("list-id")),
    "Auto-Submitted on a newsletter": lambda m: bool(m.all("auto-submitted")),
}
