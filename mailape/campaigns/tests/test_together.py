"""Two texts that began as one: what both wrote is in the result."""

from __future__ import annotations

import pytest

from mailape.campaigns.together import together

BASE = "one\ntwo\nthree\nfour"


@pytest.mark.parametrize(
    ("mine", "theirs", "both"),
    [
        ("ONE\ntwo\nthree\nfour", "one\ntwo\nthree\nFOUR", "ONE\ntwo\nthree\nFOUR"),
        ("one\ntwo\nthree\nfour\nfive", "zero\n" + BASE, "zero\none\ntwo\nthree\nfour\nfive"),
        ("one\nthree\nfour", BASE + "\nfive", "one\nthree\nfour\nfive"),
        (BASE, "all new", "all new"),
        ("all new", BASE, "all new"),
        ("same\n" + BASE, "same\n" + BASE, "same\n" + BASE),
        ("", BASE, ""),
    ],
)
def test_what_only_one_changed_is_taken_from_that_one(mine: str, theirs: str, both: str):
    made = together(BASE, mine, theirs)
    assert (made.text, made.clean) == (both, True)


def test_where_both_changed_a_line_both_stand_theirs_first():
    made = together(BASE, "one\nTWO (mine)\nthree\nfour", "one\nTWO (theirs)\nthree\nfour")
    assert made.text == "one\nTWO (theirs)\nTWO (mine)\nthree\nfour"
    assert not made.clean


def test_no_line_of_either_is_ever_lost():
    mine, theirs = "a\nb\none\nc", "one\nd\ntwo\ne\nfour"
    made = together(BASE, mine, theirs)
    added = set("abcde")
    assert added <= set(made.text.split("\n"))


def test_texts_too_long_to_compare_stand_one_after_the_other(monkeypatch):
    monkeypatch.setattr("mailape.campaigns.together.MOST_LINES", 2)
    made = together("a", "a\nb\nc", "a\nd\ne")
    assert (made.text, made.clean) == ("a\nd\nea\nb\nc", False)
