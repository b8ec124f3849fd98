"""Answers come out of the server's bytes whole and in order, or not at all."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.delivery.transports.wire.answers import (
    LONGEST_LINE,
    MOST_LINES,
    Answer,
    AnswerReader,
    words,
)


def read(data: bytes) -> list[tuple[int, str]]:
    """The answers in `data`, which holds nothing else."""
    reader = AnswerReader()
    answers = reader.feed(data)
    assert reader.fault == ""
    return [(code, words(line)) for code, line in answers]


def fault(data: bytes) -> str:
    reader = AnswerReader()
    reader.feed(data)
    return reader.fault


def test_an_answer_is_a_code_and_words() -> None:
    assert read(b"250 2.1.0 Ok\r\n") == [(250, "2.1.0 Ok")]


def test_several_answers_in_one_piece() -> None:
    data = b"250 2.1.0 Ok\r\n550 5.1.1 Nobody\r\n354 Go on\r\n"
    assert [code for code, _ in read(data)] == [250, 550, 354]


def test_an_answer_of_several_lines_is_one() -> None:
    data = b"550-5.7.1 We do not like\r\n550-5.7.1 your mail\r\n550 5.7.1 at all\r\n250 Next\r\n"
    said = "5.7.1 We do not like 5.7.1 your mail 5.7.1 at all"
    assert read(data) == [(550, said), (250, "Next")]


def test_a_bare_line_feed_and_a_code_without_words_are_borne() -> None:
    assert read(b"250 Ok\n250\r\n250\n250 \r\n") == [(250, "Ok"), (250, ""), (250, ""), (250, "")]


def test_words_that_are_no_utf8_are_shown_as_they_can_be() -> None:
    assert read(b"250 gr\xfc\xdfe\r\n") == [(250, "gr\ufffd\ufffde")]


def test_half_an_answer_is_none() -> None:
    reader = AnswerReader()
    assert reader.feed(b"250 2.1.0 O") == []
    assert reader.feed(b"k\r") == []
    assert reader.feed(b"\n") == [(250, b"250 2.1.0 Ok\r")]


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"\r\n",
        b"25\r\n",
        b"999 What\r\n",
        b"150 Preliminary\r\n",
        b"600 What\r\n",
        b"250_Ok\r\n",
        b"2500 Ok\r\n",
        b"\xb2\xb5\xb0 Ok\r\n",
        b"250-one\r\n550 two\r\n",
        b"250-one\r\nand so on\r\n",
        b"220 " + b"x" * LONGEST_LINE + b"\r\n",
        b"2" * (LONGEST_LINE + 1),
        b"250-more\r\n" * (MOST_LINES + 1),
    ],
)
def test_what_is_no_answer_is_a_fault(data: bytes) -> None:
    assert fault(data)


def test_answers_before_garbage_count_and_those_behind_it_do_not() -> None:
    reader = AnswerReader()
    assert [code for code, _ in reader.feed(b"250 Ok\r\nwhat?\r\n250 Ok\r\n")] == [250]
    assert reader.fault
    assert reader.feed(b"250 Ok\r\n") == []


LINES = st.one_of(
    st.builds(
        lambda code, sep, text, end: b"%d" % code + sep + text + end,
        st.integers(190, 610),
        st.sampled_from([b" ", b"-", b"", b"x"]),
        st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")),
        st.sampled_from([b"\r\n", b"\n"]),
    ),
    st.sampled_from([b"250-a\r\n250 b\r\n", b"250 Ok\r\n", b"354 Go\r\n", b"421 Bye\r\n", b"\r\n"]),
    st.binary(max_size=8),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@given(st.lists(LINES, max_size=12), st.lists(st.integers(0, 10_000), max_size=12))
def test_it_does_not_matter_where_the_bytes_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(lines)
    whole, cut = AnswerReader(), AnswerReader()
    expected = whole.feed(data)
    answers: list[Answer] = []
    for piece in pieces(data, cuts):
        answers += cut.feed(piece)
    assert answers == expected
    assert cut.fault == whole.fault
