"""Plain text: tidied in parts it is what it would be if the whole were tidied at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.delivery import merge
from mailape.delivery.mime import holes, slots
from mailape.delivery.mime.holes import Region
from mailape.delivery.mime.slots import Mark, Slot

SURPLUS = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
LINES = (
    "Dear reader,", "", "  ", "{{ name }}", " {{ name }} ", "{{ name }}{{ city }}",
    "So, {{ name }}", "{{ url }}", "See {{ url }}.", "{% if city != '' %}In {{ city }}.{% endif %}",
    "{% if city != '' %}\n\nIn {{ city }}.\n\n{% endif %}",
    "{% if city == '' %}\nOut.\n{% endif %}",
    "{% for x in (1..2) %}{{ name }}\n{% endfor %}", "{% if name == '' %}{% endif %}{{ name }}",
)  # fmt: skip
values = st.fixed_dictionaries(
    {"name": st.sampled_from(["", "Ann"]), "city": st.sampled_from(["", "Rome"])}
)


def at_once(source: str, given_values: dict[str, Any]) -> str:
    return SURPLUS.sub("\n\n", merge.text(source, given_values)).strip() + "\n"


def in_parts(source: str, given_values: dict[str, Any]) -> str:
    def held(part: str | Slot | Mark | Region) -> str:
        if isinstance(part, Region):
            return part.tidied("".join(map(held, part.parts)))
        if isinstance(part, Mark):
            return str(given_values[part.name])
        return part if isinstance(part, str) else slots.writer(part)(given_values)

    return "".join(map(held, holes.set_apart(slots.cut(source, html=False, marks=["url"]))))


@given(st.lists(st.sampled_from(LINES), max_size=9).map("\n".join), values)
def test_parts_and_whole_are_the_same(source: str, given_values: dict[str, Any]) -> None:
    known = {**given_values, "url": "https://site.example/"}
    found = in_parts(source, known)
    # A blank in front of an empty tag stays, were it the last of all: nobody sees it.
    assert found.rstrip() + "\n" == at_once(source, known)
    assert found.endswith("\n")


@pytest.mark.parametrize(
    ("city", "expected"), [("", "Hi.\n\nBye.\n"), ("Rome", "Hi.\n\nIn Rome.\n\nBye.\n")]
)
def test_a_block_that_says_nothing_leaves_no_hole(city: str, expected: str) -> None:
    source = "Hi.\n\n{% if city != '' %}\nIn {{ city }}.\n{% endif %}\n\nBye."
    assert in_parts(source, {"city": city}) == expected


def test_slots_in_the_middle_of_a_line_stand_alone() -> None:
    parts = holes.set_apart(slots.cut("Hi {{ name }},\n\nbye", html=False))
    said = "".join(part if isinstance(part, str) else "*" for part in parts)
    assert said == "Hi *,\n\nbye\n"
    assert not any(isinstance(part, Region) for part in parts)
