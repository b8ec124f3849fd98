"""Slots: whatever way a slot is filled, it says what Liquid says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from liquid import Markup

from mailape.delivery import merge
from mailape.delivery.mime import slots
from mailape.delivery.mime.slots import Constants, Mark, Slot

words = st.text(max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "Ann",
        " ann bell ",
        "<b>&\"'",
        "élodie",
        "ǆ",
        "2024-02-29",
        "now",
        "17",
        "a\nb",
        "=?",
    ]
)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=4,
)
values = st.fixed_dictionaries(
    {},
    optional={
        "subscriber": st.fixed_dictionaries(
            {},
            optional={"name": data, "first_name": words, "fields": st.dictionaries(
                st.sampled_from(["city", "size", "first"]), data
            )},
        ),
        "list": st.fixed_dictionaries({}, optional={"name": data}),
        "x": data,
    },
)  # fmt: skip
PATHS = (
    "subscriber.name", "subscriber.first_name", "subscriber.fields.city", "subscriber.fields.size",
    "subscriber.name.first", "subscriber['name']", "list", "list.name", "x", "x.a", "x.size",
    "x[0]", "nothing", "nothing.at.all",
)  # fmt: skip
paths = st.sampled_from(PATHS)
FILTERS = (
    "upcase", "downcase", "capitalize", "strip", "lstrip", "rstrip", "escape", "escape_once",
    "default: 'there'", 'default: "<i>"', "default: 3", "default: x",
    "default: 'a', allow_false: true",
    "truncate: 5", "truncate: 5, '…'", "truncatewords: 1", "size", "first", "append: '&'",
    "prepend: x", "replace: 'n', '<'", "date: '%d.%m.%Y'", "date: x", "url_encode", "strip_html",
    "newline_to_br", "split: ' '", "join: '-'", "plus: 1", "times: x", "round", "slice: 0, 2",
    "place_url", "place_url_part", "place_style", "default: 'x', unheard_of: 1", "squish",
)  # fmt: skip
outputs = st.builds(
    lambda path, filters: " | ".join([f"{{{{ {path}", *filters]) + " }}",
    paths,
    st.lists(st.sampled_from(FILTERS), max_size=3),
)


def said(write: Callable[[], str]) -> str | None:
    """What was written, or nothing if it cannot be; Liquid makes one of all line ends."""
    try:
        return write().replace("\r\n", "\n").replace("\r", "\n")
    except Exception:
        return None


def by_liquid(source: str, given_values: dict[str, Any], html: bool) -> str | None:
    return said(lambda: (merge.html if html else merge.text)(source, given_values))


def by_parts(source: str, given_values: dict[str, Any], html: bool) -> str | None:
    def write() -> str:
        parts = slots.cut(source, html=html)
        return "".join(p if isinstance(p, str) else slots.writer(p)(given_values) for p in parts)

    return said(write)


@given(outputs, values, st.booleans())
@example("{{ x | default: 'a', allow_false: true }}", {"x": False}, True)
@example("{{ subscriber.name | escape | upcase }}", {"subscriber": {"name": "<ß>"}}, True)
def test_a_tag_says_what_liquid_says(source: str, given_values: dict[str, Any], html: bool) -> None:
    assert by_parts(source, given_values, html) == by_liquid(source, given_values, html)


PLAIN_BLOCKS = (
    "text ", " <b>", "\n", "  \n ", "{% raw %}{{ x }}{% endraw %}", "{%- # quiet -%}", "{{- x -}}",
    "{% comment %}{{ x }}{% endcomment %}", "{% assign x = 'q' %}", "{% cycle 'a', 'b' %}",
    "{% increment n %}{{ n }}", "{% capture x %}c{% endcapture %}", "{% echo x %}", "{% break %}",
    "{% liquid\n echo x\n assign x = 1\n %}", "{% ifchanged %}{{ x }}{% endifchanged %}",
)  # fmt: skip
AROUND = (  # PATH and INNER are filled in
    "{% if PATH %}INNER{%- else -%}INNER{% endif %}",
    "{% unless PATH == 'Ann' %}INNER{% endunless %}",
    "{% for x in (1..3) %}INNER{% if x == 2 %}{% break %}{% endif %}{% endfor %}",
    "{% for y in PATH limit: 1 %}INNER{{ y }}{% endfor %}",
    "{% for y in PATH offset: continue %}INNER{{ y }}{% endfor %}",
    "{%- case PATH -%}{% when 'Ann' %}INNER{% else %}INNER{% endcase %}",
)
blocks = st.recursive(
    outputs | st.sampled_from(PLAIN_BLOCKS),
    lambda inner: st.builds(
        lambda around, path, inside: around.replace("PATH", path).replace("INNER", inside),
        st.sampled_from(AROUND),
        paths,
        inner,
    ),
    max_leaves=4,
)


@given(st.lists(blocks, max_size=5).map("".join), values, st.booleans())
def test_a_template_in_parts_says_what_it_says_as_a_whole(
    source: str, given_values: dict[str, Any], html: bool
) -> None:
    assert by_parts(source, given_values, html) == by_liquid(source, given_values, html)


@pytest.mark.parametrize(
    "source",
    [
        "{% assign x = 1 %}{{ x }}",
        "{% if a %}{% assign x = 1 %}{% endif %}{{ x }}",
        "{% capture x %}1{% endcapture %}{{ x }}",
        "{% increment x %} {% increment x %}",
        "{% decrement x %} {% decrement x %}",
        "{% cycle 'a', 'b' %} {% cycle 'a', 'b' %}",
        "{% ifchanged %}a{% endifchanged %}{% ifchanged %}a{% endifchanged %}",
        "{% for a in x limit: 1 %}{% endfor %}{% for a in x offset: continue %}{% endfor %}",
        "{% liquid assign x = 1 %}{{ x }}",
    ],
)
def test_a_template_with_a_tag_that_reaches_beyond_itself_is_one_slot(source: str) -> None:
    assert slots.cut(f"before {source} after", html=True) == [Slot(f"before {source} after", True)]


def test_a_template_is_cut_at_its_outermost_tags() -> None:
    source = (
        "Hi {{ subscriber.name }}, {% if x %}{{ x }}!{% endif %} {%- comment %}x{% endcomment %}."
    )
    assert slots.cut(source, html=False) == [
        "Hi ",
        Slot("{{ subscriber.name }}", False),
        ", ",
        Slot("{% if x %}{{ x }}!{% endif %} ", False),
        ".",
    ]


@pytest.mark.parametrize("filters", ["", " | place_url"])
def test_a_tag_of_ours_is_a_mark_where_it_stands_alone(filters: str) -> None:
    parts = slots.cut(f"{{{{ our_url{filters} }}}}", html=True, marks=["our_url"])
    assert parts == [Mark("our_url")]


@pytest.mark.parametrize(
    "source",
    ["{{ our_url | upcase }}", "{{ our_url.size }}", "{% if our_url %}{{ our_url }}{% endif %}"],
)
def test_it_is_a_slot_where_something_is_done_with_it(source: str) -> None:
    assert slots.cut(source, html=True, marks=["our_url"]) == [Slot(source, True)]


def test_constants_are_filled_in_once() -> None:
    constants = Constants({"mail": {"site": "<x>"}}, frozenset({"mail.subject"}))
    source = "{% if mail.site %}{{ mail.site }}{% endif %}|{{ mail.none }}|{{ 'a' | upcase }}|"
    assert slots.cut(source, html=True, constants=constants) == ["&lt;x&gt;||A|"]
    assert slots.cut("{{ mail.subject }}", html=True, constants=constants) == [
        Slot("{{ mail.subject }}", True)
    ]


def test_text_behind_a_constant_in_html_is_not_escaped_with_it() -> None:
    parts = slots.cut("{{ a }}<b>{{ a }}</b>", html=True, constants=Constants({"a": "<"}))
    assert parts == ["&lt;<b>&lt;</b>"]
    assert not isinstance(parts[0], Markup)


@pytest.mark.parametrize(
    "source", ["{{ 'now' | date: '%Y' }}", "{{ now | date: '%Y' }}", "{{ today | date: '%Y' }}"]
)
def test_now_is_a_value_like_any_other(source: str) -> None:
    then = datetime(1999, 12, 31, tzinfo=UTC)
    (slot,) = slots.cut(source, html=False)
    assert isinstance(slot, Slot)
    assert slots.asked(slot) <= {"now", "today"}
    assert slots.writer(slot)({"now": then, "today": then.date()}) == "1999"
    assert int(slots.writer(slot)({})) >= 2024


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..200) %}{% for j in (1..200) %}{{ i }}{% endfor %}{% endfor %}",
        "{% for i in (1..5001) %}{{ i }}{% endfor %}",
        "{{ (1..999999999) | join: ',' }}",
        "{% assign a = 'x' %}{% for i in (1..30) %}{% assign a = a | append: a %}{% endfor %}",
        "{% for i in (1..5000) %}{{ subscriber.name }}{% endfor %}",
    ],
)
def test_limits_hold_in_parts_too(source: str) -> None:
    given_values = {"subscriber": {"name": "x" * 1000}}
    assert by_liquid(source, given_values, html=False) is None
    assert by_parts(f"{{{{ subscriber.name }}}}{source}", given_values, html=False) is None


def test_nesting_beyond_the_limit_is_refused_when_it_is_cut() -> None:
    with pytest.raises(merge.BadTemplate):
        slots.cut("{% if a %}" * 31 + "{% endif %}" * 31, html=True)
