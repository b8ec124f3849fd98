"""Slips of a writer's hand, named in their line and in plain words; and the preview text."""

from __future__ import annotations

import pytest

from mailape.delivery import compile
from mailape.delivery.compile import Source

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("a\n\nHi {{ subscriber.name", 3, "“{{ subscriber.name” is not closed: write }}"),
        ("{% if subscriber.name\nx", 1, "is not closed: write %}"),
        ("a\n{% if subscriber.name %}\nhi", 2, "write {% endif %} where it should end"),
        ("a\n{% endif %}", 2, "stands alone"),
        ("{% fi x %}", 1, "There is no tag called “fi”"),
        ("a\n{{ subscriber.name | frob }}", 2, "There is no filter called “frob”"),
        ("a\nb {{ }}", 2, "There is nothing between {{ and }}"),
        ('{{ list.name | default "x" }}', 1, "a colon stands after default"),
        ("{% if list.name = 1 %}a{% endif %}", 1, "compared by =="),
        ("a\n{{ subscriber name }}", 2, "a name without blanks"),
    ],
)
def test_a_slip_is_named_in_its_line(body: str, line: int, says: str):
    (problem,) = compile.check("Subject", body)
    assert (problem.line, problem.blocks) == (line, True)
    assert says in problem.text


def test_an_unknown_tag_is_found_in_its_line_and_blocks_nothing():
    (problem,) = compile.check("S", "a\nb\n{{ subscriber.nmae | upcase }}")
    assert (problem.field, problem.line, problem.blocks) == ("body", 3, False)
    assert "“subscriber.nmae”" in problem.text


def test_faults_in_subject_and_preview_text_name_their_field():
    assert compile.check("Hi {{ x", "b")[0].field == "subject"
    assert compile.check("S", "b", preview_text="Hi {{ x")[0].field == "preview_text"
    assert compile.check("S", "b", preview_text="{{ nobody }}")[0].field == "preview_text"


def source(body: str, preview_text: str, format: str = "markdown") -> Source:
    return Source("newsletter", "S", body, format, "A", "a@example.org", preview_text)


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_the_preview_text_stands_first_unseen_escaped_and_only_in_the_html(format: str):
    made = compile.compile(source("Body words", "Hi {{ subscriber.name }} <b>", format))
    html = made["html"]
    assert 0 < html.index("Hi {{ subscriber.name }} &lt;b&gt;") < html.index("Body words")
    assert "display: none" in html[: html.index("Hi {{")].rpartition("<")[2]
    assert "Hi {{" not in made["text"]


def test_without_a_preview_text_nothing_is_hidden():
    assert 'class="preview"' not in compile.compile(source("Body words", ""))["html"]


@pytest.mark.parametrize(
    ("line", "block"), [(1, "<h1"), (2, "<h1"), (4, "<p"), (6, "<ul"), (7, "<ul"), (99, "<ul")]
)
def test_a_preview_knows_the_block_of_a_line(line: int, block: str):
    html = compile.compile(source("# One\n\n\ntwo\n\n- a\n- b\n", ""), here=line)["html"]
    assert html[: html.index('id="here"')].rpartition("<")[2].startswith(block[1:])


def test_the_mark_is_in_previews_only():
    assert 'id="here"' not in compile.compile(source("# One", ""))["html"]
