"""CSV that no spreadsheet calculates with."""

from __future__ import annotations

import csv
import io

import pytest

from mailape.core import spreadsheet


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =cmd|' /C calc'!A0", "＝1", "-x"],
)
def test_a_formula_becomes_text(text):
    assert spreadsheet.harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "ann@example.org", "5", "-5", "a=b", "550 5.1.1 gone", "ünï"])
def test_plain_text_and_numbers_stay(text):
    assert spreadsheet.harmless(text) == text


def test_what_is_hard_to_write_is_read_back_as_it_was():
    rows = [["a,b", 'say "x"', "two\nlines", None, 7]]
    text = "".join(spreadsheet.lines(["1", "2", "3", "4", "5"], rows))
    assert text.startswith(spreadsheet.BOM)
    back = list(csv.reader(io.StringIO(text.removeprefix(spreadsheet.BOM), newline="")))
    assert back == [["1", "2", "3", "4", "5"], ["a,b", 'say "x"', "two\nlines", "", "7"]]
