"""Links: the right ones lead through us, and from there only where the writer wanted."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.delivery.mime import tracking

ANN = {
    "subscriber": {"name": "Ann", "email": "ann+news@example.org", "fields": {"n": "a/../b?c#d e"}},
    "list": {"name": "News & more"},
}


def link(url: str) -> str:
    return f'<p><a class="x" href="{url}" target="_blank">this</a></p>'


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("https://example.org", "https://example.org"),
        ("HTTP://example.org/a?b=1&amp;c=2#d", "HTTP://example.org/a?b=1&c=2#d"),
        (" https://example.org/ ", "https://example.org/"),
        (
            "https://example.org/?who={{ subscriber.email | place_url_part }}&amp;x=1",
            "https://example.org/?who=ann%2Bnews%40example.org&x=1",
        ),
        (
            "https://example.org/{{ subscriber.fields.n | place_url_part }}",
            "https://example.org/a/../b%3Fc%23d%20e",
        ),
        (
            'https://example.org/{% if list.name == "" %}a{% else %}b{% endif %}',
            "https://example.org/b",
        ),
        ('https://example.org/{{ nothing | default: "a\'b" | place_url_part }}', None),
    ],
)
def test_a_link_of_the_writers_own_leads_through_us(url: str, leads_to: str | None) -> None:
    found = tracking.through_us(link(url), "")
    if leads_to is None:
        assert found.html == link(url)
        return
    assert found.html == link("{{ click_url }}/0")
    assert tracking.target(found.targets, 0, ANN) == leads_to


@pytest.mark.parametrize(
    "url",
    [
        "mailto:ann@example.org",
        "tel:+123",
        "#top",
        "",
        "/relative",
        "//example.org/",
        "ftp://example.org/",
        "{{ unsubscribe_url | place_url }}",
        "{{ preferences_url | place_url }}?x=1",
        "{{ view_url | place_url }}",
        "{{ subscriber.fields.site | place_url }}",
        "https://{{ subscriber.fields.host | place_url_part }}/",
        "https://example.org{{ subscriber.fields.host | place_url_part }}",
        "https://example.org:{{ subscriber.fields.host | place_url_part }}/",
        "https://example.org@{{ subscriber.fields.host | place_url_part }}/",
        "https://example.org\\@{{ subscriber.fields.host | place_url_part }}/",
        "https://example.org/{{ unsubscribe_url | place_url_part }}",
        "https://example.org/{% if list.name %}",
        "https://example.org/{% increment n %}",
        "https://exa mple.org/",
    ],
)
def test_other_links_stay_as_they_are(url: str) -> None:
    found = tracking.through_us(link(url) if "{% if" not in url else link(url) + "{% endif %}", "")
    assert (found.targets, "click_url" in found.html) == ([], False)


@pytest.mark.parametrize(
    "around",
    [
        "{{% for subscriber in (1..2) %}}{}{{% endfor %}}",
        "{{% assign subscriber = list %}}{}",
        "{{% for n in subscriber.fields.sizes %}}{}{{% endfor %}}",
    ],
)
def test_what_a_template_fills_in_itself_is_not_known_at_the_click(around: str) -> None:
    url = "https://example.org/{{ subscriber.name }}{{ n }}"
    assert tracking.through_us(around.format(link(url)), "").targets == []


def test_a_link_without_tags_may_stand_anywhere() -> None:
    around = "{{% assign x = 1 %}}{{% for n in (1..2) %}}{}{{% endfor %}}"
    found = tracking.through_us(around.format(link("https://example.org/")), "")
    assert found.html == around.format(link("{{ click_url }}/0"))


def test_what_is_raw_or_a_comment_is_left_alone() -> None:
    html = "{% raw %}" + link("https://a.example/{{ x }}") + "{% endraw %}"
    assert tracking.through_us(html, "") == tracking.Tracked(html, "", [])


def test_a_target_keeps_its_number_and_the_text_has_the_same_ones() -> None:
    one, two = "https://example.org/?a=1&b=2", "https://example.org/?who={{ subscriber.email }}"
    placed = two.replace(" }}", "  | place_url_part }}")
    html = "".join(map(link, [escape(one), placed, escape(one), "https://example.org/"]))
    text = (
        f"this ({one}), that: {two}. {one}&c=3 (see https://example.org/)? https://other.example/"
    )
    found = tracking.through_us(html, text)
    assert [tracking.target(found.targets, n, ANN) for n in range(4)] == [
        one,
        "https://example.org/?who=ann%2Bnews%40example.org",
        "https://example.org/",
        None,
    ]
    assert found.html.count("{{ click_url }}/0") == 2
    assert found.text == (
        "this ({{ click_url }}/0), that: {{ click_url }}/1. "
        f"{one}&c=3 (see {{{{ click_url }}}}/2)? https://other.example/"
    )


@pytest.mark.parametrize("number", [-1, 1, 10**9])
def test_a_number_that_no_link_has_leads_nowhere(number: int) -> None:
    assert tracking.target(["https://example.org/"], number, ANN) is None


def test_a_target_that_cannot_be_worked_out_leads_nowhere() -> None:
    assert tracking.target(["https://example.org/{{ list.name | divided_by: 0 }}"], 0, ANN) is None


@given(st.text())
def test_nobodys_data_changes_the_host(typed: str) -> None:
    html = link("https://example.org/{{ subscriber.name | place_url_part }}")
    found = tracking.through_us(html, "")
    url = tracking.target(found.targets, 0, {"subscriber": {"name": typed}, "list": {}})
    # Half of a surrogate pair cannot stand in a URL at all.
    assert url is None or url.startswith("https://example.org/")
    assert url is None or url.isascii()
    assert url is None or url.isprintable()
