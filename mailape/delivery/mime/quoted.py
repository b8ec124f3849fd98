"""Quoted-printable (RFC 2045, 6.7) in the one form that needs no second look on its way.

Text is encoded so that

- no line is longer than 76 octets;
- no line begins with a dot, so that SMTP's dot-stuffing (RFC 5321, 4.5.2) has nothing to do;
- no line begins with `F`, so that no mailbox writes `>From ` (the old mbox habit);
- no line begins or ends with a blank, there are no tabs and no two blanks in a row: DKIM's relaxed
  form of the body (RFC 6376, 3.4.4) is then the body itself;
- any boundary with `=_` in it cannot occur in the text.

`fold` fills lines, `whole` encodes a text that stands by itself, and `value` what one recipient's
slot holds. A value always stands on lines
of its own, set apart by soft breaks, so that the lines round it do not depend on it. Its last line
ends with a soft break, too; an empty value is nothing at all.
"""

from __future__ import annotations

import re
from binascii import b2a_qp

from liquid import escape as escape_html

COLUMNS = 75  # and the "=" of a soft break: 76 in all
SOFT_BREAK = b"=\r\n"
HARD_BREAK = b"\r\n"

# What no reader needs and some stumble over: a blank stands in its place.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_GAP = re.compile(rb"\t|(?<= ) ")  # tabs, and the blanks of a run but its first
_NOT_FIRST = b".F "  # =XX where a line begins with it
_CODES = {bytes([octet]): b"=%02X" % octet for octet in range(256)}
# A value that is itself when encoded, as nearly every name and address is: ASCII on one short line.
_AS_IT_IS = re.compile(r"[!-\-/-<>-EG-~][!-<>-~]*+(?: [!-<>-~]++)*+")
# And one that needs no escaping in HTML either.
_AS_IT_IS_IN_HTML = re.compile(r"[!#-%(-\-/-;?-EG-~][!#-%(-;?-~]*+(?: [!#-%(-;?-~]++)*+")


def clean(text: str) -> str:
    """A text with one way of ending lines, and blanks for controls and halves of characters."""
    # Liquid, too, makes one of every way to end a line.
    return _UNPRINTABLE.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def escape(line: str) -> bytes:
    """One line, clean, with all written `=XX` that must be wherever it stands; not yet folded."""
    # The standard library folds as well, with line ends of its own; that is undone.
    escaped = b2a_qp(line.encode()).replace(b"=\n", b"")
    return _GAP.sub(_code, escaped) if b"\t" in escaped or b"  " in escaped else escaped


def fold(escaped: bytes, column: int = 0) -> tuple[bytes, int]:
    """Breaks an escaped line softly wherever it gets too long.

    Begins in `column` of a line begun before; gives the bytes and the column that they end in.
    """
    done: list[bytes] = []
    place = 0
    while place < len(escaped):
        if column == COLUMNS or (done and column):
            done.append(SOFT_BREAK)
            column = 0
        if column == 0 and escaped[place] in _NOT_FIRST:
            done.append(_CODES[escaped[place : place + 1]])
            place, column = place + 1, 3
        end = _whole(escaped, place, place + COLUMNS - column)
        done.append(escaped[place:end])
        place, column = end, column + end - place
    return b"".join(done), column


def whole(text: str) -> bytes:
    """A text with all its lines."""
    return HARD_BREAK.join([fold(escape(line))[0] for line in clean(text).split("\n")])


def value(text: str) -> bytes:
    """What a slot holds, on lines of its own that end with a soft break. For column 0."""
    if len(text) <= COLUMNS and _AS_IT_IS.fullmatch(text):
        return text.encode() + SOFT_BREAK
    if text.isprintable():  # so it is one line, and clean
        return fold(escape(text))[0] + SOFT_BREAK if text else b""
    encoded = whole(text)
    return encoded if encoded.endswith(HARD_BREAK) else encoded + SOFT_BREAK


def html_value(text: str) -> bytes:
    """The same for text that is yet to be escaped for HTML."""
    if len(text) <= COLUMNS and _AS_IT_IS_IN_HTML.fullmatch(text):
        return text.encode() + SOFT_BREAK
    return value(escape_html(text))


def _whole(escaped: bytes, start: int, end: int) -> int:
    """Where to break at or before `end`, so that no `=XX` is cut."""
    if end >= len(escaped):
        return len(escaped)
    cut = escaped.rfind(b"=", max(start, end - 2), end)
    return end if cut < 0 else cut


def _code(found: re.Match[bytes]) -> bytes:
    return _CODES[found.group()]
