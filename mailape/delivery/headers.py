"""Header lines: encoded, quoted and folded so that no parser reads them differently.

Written by hand because three faults of CPython's `email` package bite here: an encoded word that
is empty (gh-144156, Yahoo rejects it), broken folding of long words (gh-136052), and a comma in a
folded name that becomes a second address (gh-121284).
"""

from __future__ import annotations

import base64
import re
import unicodedata
from urllib.parse import urlsplit

WIDTH = 78  # RFC 5322, 2.1.1
_WORD = 64  # of an encoded word; RFC 2047 allows 75
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"[ -~]*")
_ADDRESS = re.compile(r"[^\s<>()\[\]\\,;:\"@]+@[A-Za-z0-9.-]+")


class BadAddress(ValueError):
    """An address that cannot stand in a header."""


def one_line(text: str) -> str:
    """`text` on one line: control characters, line separators and halves of pairs become blanks."""
    return " ".join(_UNSAFE.sub(" ", text).split())


def text(name: str, value: str) -> str:
    """A header of free text, as Subject."""
    value = one_line(value)
    if _is_plain(value):
        return _folded(name, value.split(" "))
    return _folded(name, _encoded(value))


def mailbox(name: str, display: str, email: str) -> str:
    """A header with one address, as From and To. Raises BadAddress."""
    if not _ADDRESS.fullmatch(email):
        raise BadAddress("The address cannot stand in a header.")
    return _folded(name, [*_phrase(display), f"<{email}>" if one_line(display) else email])


def list_id(name: str, display: str, public_id: str, site: str) -> str:
    """A List-Id (RFC 2919): a phrase and the identifier in angle brackets, which is the same for
    the life of the list and site."""
    host = urlsplit(site).hostname or "localhost"
    named = any(letter.isalpha() for letter in host) and ":" not in host
    return _folded(name, [*_phrase(display), f"<{public_id}.{host if named else 'localhost'}>"])


def token(name: str, value: str) -> str:
    """A header whose value is ours, in ASCII; URLs and ids are never broken."""
    return _folded(name, value.split(" "))


def _phrase(display: str) -> list[str]:
    """A display name as words: quoted when ASCII, encoded otherwise; nothing for an empty one."""
    display = one_line(display)
    if not display:
        return []
    quoted = '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
    # A long quoted name is encoded: folding inside quotes is what parsers differ about.
    if _is_plain(display) and len(quoted) <= _WORD:
        return [quoted]
    return _encoded(display)


def _is_plain(value: str) -> bool:
    """ASCII that needs no encoding: without `=?`, and without words too long to fold."""
    longest = max(map(len, value.split(" ")))
    return bool(_PLAIN.fullmatch(value)) and "=?" not in value and longest <= _WORD


def _encoded(value: str) -> list[str]:
    """Encoded words (RFC 2047) in base64, cut between characters and not before combining ones."""
    room = (_WORD - len("=?utf-8?b??=")) // 4 * 3
    words, current = [], b""
    for cluster in _clusters(value):
        if current and len(current) + len(cluster) > room:
            words.append(current)
            current = b""
        current += cluster
    return [f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in [*words, current]]


def _clusters(value: str) -> list[bytes]:
    """Characters with the marks that combine with them, as UTF-8, at most 39 octets each."""
    found: list[bytes] = []
    for letter in value:
        octets = letter.encode()
        if found and unicodedata.combining(letter) and len(found[-1]) + len(octets) <= 39:
            found[-1] += octets
        else:
            found.append(octets)
    return found


def _folded(name: str, words: list[str]) -> str:
    """The header with CRLF, folded between words; each encoded word on a line of its own."""
    lines, line = [], f"{name}:"
    for number, word in enumerate(words):
        alone = number and (word.startswith("=?") or words[number - 1].startswith("=?"))
        # A Message-ID stays on the line of its name: some receivers read no further.
        fits = len(line) + 1 + len(word) <= WIDTH or (number == 0 and name == "Message-ID")
        if alone or not fits:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]) + "\r\n"
