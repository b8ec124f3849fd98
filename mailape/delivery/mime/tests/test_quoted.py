"""Quoted-printable: read back it is what was written, and its lines keep every rule."""

from __future__ import annotations

import quopri
import re

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from mailape.delivery import dkim
from mailape.delivery.mime import filler, quoted
from mailape.delivery.mime.fields import TOKEN_WIDTH
from mailape.delivery.mime.slots import Mark, Slot

# Much of what makes trouble, next to anything at all.
troublesome = st.lists(
    st.sampled_from([".", "F", "From ", " ", "  ", "\t", "=", "=2E", "\n", "\r\n", "\r", "é", "–"])
    | st.sampled_from(
        ["x" * 74, "x" * 75, "x" * 76, "é" * 13, "\x00", "\u2028", "\ud800", "-", "🙂"]
    )
    | st.text(max_size=90),
    max_size=12,
).map("".join)


def faults(encoded: bytes) -> list[str]:
    """What is wrong with encoded text that begins in column 0."""
    rules = {
        "a bare CR or LF": rb"\r(?!\n)|(?<!\r)\n",
        "a line over 76": rb"(?m)^[^\r\n]{77,}",
        "a dot, an F or a blank in column 0": rb"(?m)^[.F \t]",
        "a blank at the end of a line": rb"[ \t]\r\n|[ \t]\Z",
        "a tab or two blanks": rb"\t|  ",
        "an octet beyond printable ASCII": rb"[^\r\n -~]",
        "=_, which is kept for boundaries": rb"=_",
    }
    return [fault for fault, pattern in rules.items() if re.search(pattern, encoded)]


def read(encoded: bytes) -> str:
    """What a reader gets, its line ends as one letter."""
    return quopri.decodestring(encoded).decode().replace("\r\n", "\n")


@given(troublesome)
def test_a_whole_text_reads_as_it_was_typed_and_keeps_every_rule(typed: str) -> None:
    encoded = quoted.whole(typed)
    assert read(encoded) == quoted.clean(typed)
    assert faults(encoded) == []


@given(troublesome)
def test_a_value_reads_as_it_was_typed(typed: str) -> None:
    assert read(quoted.value(typed)) == quoted.clean(typed)


@given(troublesome)
def test_a_value_keeps_every_rule_and_ends_in_column_0(typed: str) -> None:
    encoded = quoted.value(typed)
    assert faults(encoded) == []
    assert encoded == b"" or encoded.endswith(b"\r\n")


@given(troublesome)
def test_a_value_in_html_is_escaped_and_then_the_same(typed: str) -> None:
    assert quoted.html_value(typed) == quoted.value(str(escape(typed)))


@given(st.text("aB.F =<&'\" é", max_size=80))
def test_the_short_cut_for_plain_values_changes_nothing(typed: str) -> None:
    encoded = quoted.fold(quoted.escape(typed))[0] + quoted.SOFT_BREAK if typed else b""
    assert quoted.value(typed) == encoded


parts = st.lists(troublesome | st.sampled_from([Slot("{{ x }}", html=False), Mark("url")]))


@given(parts, troublesome, st.integers(46, TOKEN_WIDTH))
def test_a_body_keeps_every_rule_whatever_fills_it(
    given_parts: list[str | Slot | Mark], typed: str, width: int
) -> None:
    token = "1" + "-" * (width - 1)
    addresses = {"url": filler.Address("https://site.example/u/", "click")}
    held = {Slot: quoted.value(typed), filler.Token: token.encode(), bytes: b""}
    pieces = filler.fill(given_parts, addresses, html=False)
    body = b"".join(p if isinstance(p, bytes) else held[type(p)] for p in pieces)
    url = f"https://site.example/u/{token}"
    said = {str: lambda part: part, Slot: lambda _: typed, Mark: lambda _: url}
    assert read(body) == "".join(quoted.clean(said[type(part)](part)) for part in given_parts)
    assert faults(body) == []
    assert dkim.relaxed_body(body + b"x\r\n") == body + b"x\r\n"


def test_a_token_stays_in_one_piece() -> None:
    for before in range(80):
        pieces = filler.fill(
            ["x" * before, Mark("url")], {"url": filler.Address("", "click")}, html=False
        )
        static = b"".join(piece for piece in pieces if isinstance(piece, bytes))
        column = len(static) - (static.rfind(b"\n") + 1)
        assert column + TOKEN_WIDTH <= quoted.COLUMNS
