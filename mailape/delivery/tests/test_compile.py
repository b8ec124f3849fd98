"""From what a writer wrote to templates: Markdown, cleaning, merge tags, layout, text, problems."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.campaigns import pictures
from mailape.campaigns.models import Format, Kind
from mailape.campaigns.tests.test_pictures import png
from mailape.core.colour import READABLE, contrast
from mailape.core.errors import NotFound
from mailape.delivery import colours, compile, markup, merge, plain, preview, sources
from mailape.delivery.compile import CannotCompile, Source
from mailape.delivery.lift import Lifted
from mailape.delivery.merge import BadTemplate
from mailape.lists.models import Subscriber, Subscription

pytestmark = pytest.mark.django_db


def compiled(body: str, format: str = Format.MARKDOWN, **fields) -> dict:
    return compile.compile(
        Source(
            **{
                "kind": Kind.NEWSLETTER,
                "subject": "Subject",
                "body": body,
                "format": format,
                "from_name": "Ann",
                "from_email": "ann@example.org",
                **fields,
            }
        )
    )


def seen(body: str, format: str = Format.MARKDOWN, **values) -> str:
    """The HTML that a reader gets between the layout's head and its footer."""
    of = compiled(body, format)
    html = merge.html(of["html"], {**compile.sample(of), **values})
    return re.sub(r' style="[^"]*"', "", html.partition("<body")[2].partition('class="foot"')[0])


def read(body: str, format: str = Format.MARKDOWN, **values) -> str:
    """The text part."""
    of = compiled(body, format)
    return merge.text(of["text"], {**compile.sample(of), **values})


# --- Markdown and cleaning -----------------------------------------------------------------------


def test_markdown_becomes_html_with_its_css_inlined():
    html = compiled("# Title\n\nSome *text*.\n\n| a | b |\n|---|---|\n| 1 | 2 |")["html"]
    assert re.search(r'<h1 style="[^"]*font-size: 28px[^"]*">Title</h1>', html)
    assert "<em>text</em>" in html
    assert "<td" in html
    assert "@media (prefers-color-scheme: dark)" in html


@pytest.mark.parametrize("colour", ["", "#0d6b50", "#ffee00", "#101010", "#b5442e", "red"])
def test_links_have_the_workspaces_colour_and_can_be_read_in_the_light_and_the_dark(colour):
    html = compiled("[there](https://example.org)", accent=colour)["html"]
    assert "$" not in html
    light = re.search(r"<a [^>]*color: (#[0-9a-f]{6})", html.partition("<body")[2])[1]
    dark = re.search(r"\.text a\s*\{\s*color:\s*(#[0-9a-f]{6})", html.partition("@media")[2])[1]
    for theme, found in (("light", light), ("dark", dark)):
        assert all(contrast(found, ground) >= READABLE for ground in colours.GROUNDS[theme])
    if colour in ("", "red", "#0d6b50"):
        assert light == colours.OWN["light"]


def test_the_grounds_of_a_mail_are_those_of_its_layout():
    layout = markup.mail_file("layout.html")
    light, dark = layout.split("@media")
    assert all(ground in light for ground in colours.GROUNDS["light"])
    assert all(ground in dark for ground in colours.GROUNDS["dark"])


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="JaVa&#09;script:alert(1)">x</a>',
        "<iframe src=https://example.org></iframe>",
        "<form action=https://example.org><input name=a></form>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mtext><script>alert(1)</script></mtext></math>",
        "<object data=x></object><embed src=x>",
        "<meta http-equiv=refresh content=0>",
        "<base href=https://evil.example>",
        "<link rel=stylesheet href=https://evil.example/x.css>",
        "{% raw %}<script>alert(1)</script>{% endraw %}",
        '{{ "<script>alert(1)</script>" }}',
        '{% assign x = "<script>alert(1)</script>" %}{{ x }}',
        "<!--<script>alert(1)</script>-->",
        "<noscript><p title='</noscript><script>alert(1)</script>'></noscript>",
    ],
)
def test_what_does_not_belong_into_a_mail_is_cleaned_away(evil, format):
    html = seen(f"before {evil} after", format).lower()
    for word in ("script", "iframe", "form", "input", "svg", "object", "embed", "meta", "base"):
        assert f"<{word}" not in html
    for word in ("onerror", "javascript:", "<link", "<!--"):
        assert word not in html
    assert "before" in html


def test_a_whole_html_document_keeps_its_styles_and_its_body():
    html = compiled(
        "<html><head><title>No</title><style>@import url(x.css); p { color: red }"
        " @media print { p { color: black } }</style></head>"
        '<body style="background: #eee"><p>Hello</p></body></html>',
        Format.HTML,
    )["html"]
    assert '<p style="color: red' in html
    assert "@media print" in html
    assert "@import" not in html
    assert "background: #eee" in html
    assert ">No<" not in html


def test_a_document_that_is_too_deep_or_too_large_is_refused_before_anything_native_reads_it():
    for body in ("<div>" * 5000, "<b>" * 300, "x" * 1_000_001):
        for format in Format:
            with pytest.raises(CannotCompile):
                compiled(body, format)
    compiled("> " * 300 + "x")  # Markdown itself stops at twenty
    compiled("<ul>" + "<li>one" * 1000 + "</ul>", Format.HTML)  # unclosed is not deep


@given(st.text(max_size=200))
def test_depth_is_never_underrated(noise):
    """What cleaning writes is nested no deeper than the check believes, whatever was typed."""
    deepest = markup.DEEPEST
    source = noise + "<div>" * (deepest + 5)
    try:
        cleaned = markup.clean(source)
    except markup.TooMuch:
        return
    assert cleaned.count("<div>") <= deepest


# --- merge tags ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("Dear {{ subscriber.first_name }}", "Dear Ann"),
        ("*{{ subscriber.name }}*", "<em>Ann Example</em>"),
        ('{{ subscriber.nick | default: "there" }}', "there"),
        ("{% if subscriber.name %}a *b*{% else %}c{% endif %}", "<p>a <em>b</em></p>"),
        ("{% if nothing %}\n\npara\n\n{% endif %}\n\nend", "<p>end</p>"),
        ("{% for i in (1..3) %}{{ i }}{% endfor %}", "<p>123</p>"),
        ("<table>\n{% for i in (1..2) %}\n<tr><td>{{ i }}</td></tr>\n{% endfor %}\n</table>",
         "<td>2</td>"),
        ('<p title="{{ subscriber.name }}">x</p>', 'title="Ann Example"'),
        ("[x](https://example.org/{{ subscriber.name }}?e={{ subscriber.email }})",
         'href="https://example.org/Ann%20Example?e=ann%40example.org"'),
        ("[x]({{ unsubscribe_url }})", 'href="#"'),
        ("`{{ subscriber.name }}`", "<code>Ann Example</code>"),
        ("{% raw %}{{ subscriber.name }}{% endraw %}", "{{ subscriber.name }}"),
        ("a{% comment %}b{% endcomment %}c", "<p>ac</p>"),
        ("{%- if true -%} x {%- endif -%}", "<p>x</p>"),
        ("5 < 6 & {{ subscriber.name }}", "5 &lt; 6 &amp; Ann Example"),
    ],
)  # fmt: skip
def test_merge_tags_survive_markdown_cleaning_and_inlining(body, wanted):
    assert wanted in seen(body)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://example.org/a?b=c&d=e#f", "https://example.org/a?b=c&amp;d=e#f"),
        ("javascript:alert(1)", "#"),
        (" java\nscript:alert(1)", "#"),
        ("data:text/html,x", "#"),
        ("vbscript:x", "#"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ('"><script>', "%22%3E%3Cscript%3E"),
        ("", ""),
    ],
)
def test_a_value_that_is_a_whole_url_has_a_scheme_that_a_mail_may_link_to(url, wanted):
    html = seen("[x]({{ subscriber.fields.url }})", subscriber={"fields": {"url": url}})
    assert f'<a href="{wanted}">x</a>' in html
    assert f"x ({wanted.replace('&amp;', '&')})".replace("x ()", "x") in read(
        "[x]({{ subscriber.fields.url }})", subscriber={"fields": {"url": url}}
    )


def test_a_value_in_a_style_is_a_word_and_nothing_more():
    body = '<p style="color: {{ subscriber.fields.c }}">x</p>'
    of = compiled(body, Format.HTML)
    html = merge.html(
        of["html"], {**compile.sample(of), "subscriber": {"fields": {"c": "red;x:url(//e)"}}}
    )
    assert "color: redxurle" in html


@pytest.mark.parametrize(
    ("subject", "body", "field"),
    [
        ("{{ x", "fine", "subject"),
        ("fine", "{{ x", "body"),
        ("fine", "{% if a %}", "body"),
        ("fine", "{{ x | no_such_filter }}", "body"),
        ("fine", "{% include 'x' %}", "body"),
        ("fine", "one\n{{ 1 | divided_by: 0 }}", "body"),
        ("fine", "{{ x | safe }}", "body"),
        ("fine", "{% for i in (1..5001) %}x{% endfor %}", "body"),
        ("fine", "<style>p { color: {{ x }} }</style>", "body"),
        ("fine", "<p {% if x %}title='y'{% endif %}>x</p>", "body"),
    ],
)
def test_what_cannot_be_sent_is_said_in_words_and_blocks(subject, body, field):
    (problem,) = compile.check(subject, body, Format.HTML)
    assert (problem.field, problem.blocks) == (field, True)
    assert str(problem).endswith((".", "%}"))
    if "\n" in body:
        assert "line 2" in str(problem)


def test_what_should_be_mended_is_said_and_does_not_block():
    problems = compile.check("{{ subscriber.nmae }}", "Dear {{ frist_name }}", Format.MARKDOWN)
    assert [(p.field, p.blocks) for p in problems] == [("subject", False), ("body", False)]
    assert "subscriber.nmae" in problems[0].text
    large = compile.check("Hi", "word " * 30_000, Format.MARKDOWN)
    assert "102 KB" in large[0].text
    assert compile.check("Hi", "{{ subscriber.fields.town }} {{ list.name }}") == []


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..3000) %}{% for j in (1..3000) %}x{% endfor %}{% endfor %}",
        '{% assign s = "aaaaaaaaaa" %}{% for i in (1..50) %}'
        "{% assign s = s | append: s %}{% endfor %}",
        '{{ "a" | replace: "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"'
        + ' | replace: "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"' * 9
        + " }}",
        "{% if a %}" * 200 + "{% endif %}" * 200,
        "{{ (1..999999999999999999999) | join: '' }}",
    ],
)  # fmt: skip
def test_a_template_that_would_cost_too_much_is_refused(source):
    with pytest.raises(BadTemplate):
        merge.text(source, {})


def test_a_template_sees_plain_data_and_calls_nothing():
    class Trap:
        def delete(self) -> str:
            return "called"

        secret = "secret"

    for source in ("{{ x.delete }}", "{{ x.secret }}", "{{ x.__class__ }}", "{{ x['secret'] }}"):
        assert merge.text(source, {"x": Trap()}) == ""


@given(st.text(max_size=300))
def test_whatever_is_typed_compiles_or_is_refused(text):
    for format in Format:
        with contextlib.suppress(CannotCompile):
            compiled(text, format)


@given(st.text(alphabet="{}%|<>\"' abc-=/\n#*", max_size=80))
def test_lifting_and_putting_back_into_plain_text_changes_nothing(text):
    lifted = Lifted(text)
    if "comment" not in text and "doc" not in text:
        assert lifted.into_plain(lifted.text) == text


# --- footer and text part ------------------------------------------------------------------------


def test_a_way_to_leave_is_added_where_the_writer_put_none():
    values = {"unsubscribe_url": "https://example.org/u/1"}
    own = compiled("Bye: [leave]({{ unsubscribe_url }})")
    none = compiled("Hello")
    for of in (own, none):
        for name, render in (("html", merge.html), ("text", merge.text)):
            found = render(of[name], {**compile.sample(of), **values})
            assert found.count("https://example.org/u/1") == 1


def test_the_postal_address_stands_in_both_parts():
    of = compiled("Hello", postal_address="1 Road <b>,\nTown {{ x }}")
    values = compile.sample(of)
    assert "1 Road &lt;b&gt;, Town {{ x }}" in merge.html(of["html"], values)
    assert "1 Road <b>, Town {{ x }}" in merge.text(of["text"], values)


@pytest.mark.parametrize(
    ("html", "wanted"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb\n"),
        ("<p>a <b>b</b>\n  c</p>", "a b c\n"),
        ("a<br>b", "a\nb\n"),
        ('<a href="https://x.example/">site</a>', "site (https://x.example/)\n"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/\n"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example\n"),
        ('<a href="https://x.example/"><img src="y" alt="Logo"></a>',
         "[Logo] (https://x.example/)\n"),
        ("<ul><li>one</li><li>two<ul><li>deep</li></ul></li></ul>", "- one\n- two\n  - deep\n"),
        ('<ol start="3"><li>c</li><li>d</li></ol>', "3. c\n4. d\n"),
        ("<blockquote><p>a</p><p>b</p></blockquote><p>c</p>", "> a\n>\n> b\n\nc\n"),
        ("<pre>a\n\n  b</pre>", "a\n\n  b\n"),
        ("<h1>T</h1>x<hr>y", "T\n\nx\n\n--------------------\n\ny\n"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td><p>3</p></td></tr></table>", "1 | 2\n\n3\n"),
        ("&lt;b&gt; &amp; &nbsp;", "<b> &\n"),
        ("", "\n"),
    ],
)  # fmt: skip
def test_the_text_part_says_the_same(html, wanted):
    assert plain.write(html) == wanted


# --- preview -------------------------------------------------------------------------------------


def test_a_preview_is_what_a_reader_gets(write, a_list, alice):
    message = write([a_list], body="Dear {{ subscriber.first_name }} of {{ list.name }}")
    found = preview.of(message)
    assert "Dear Ann of Weekly letter" in found.html
    assert "Dear Ann of Weekly letter" in found.text
    assert found.subject == "Hello Ann"
    eve = Subscriber.objects.create(
        workspace=alice.workspace, email="eve@x.example", email_key="eve@x.example", name="Eve Ng"
    )
    assert "Dear Eve of" in preview.of(message, eve).text


def test_a_preview_of_what_cannot_be_sent_is_empty_and_says_why(write, a_list):
    found = preview.of(write([a_list], body="{{ x"))
    assert (found.html, found.text) == ("", "")
    assert found.problems[0].blocks


@pytest.mark.django_db(transaction=True)
def test_the_page_in_the_browser_gives_none_of_her_links(sent_off, a_list):
    message = sent_off(1)
    person = Subscriber.objects.get()
    html = preview.in_browser(message, person)
    assert "Hello Reader" in html
    assert "/u/" not in html
    assert "/p/" not in html
    Subscription.objects.all().delete()
    assert preview.in_browser(message, None)


def test_there_is_no_page_of_what_never_was_compiled(write, a_list):
    with pytest.raises(NotFound):
        preview.in_browser(write([a_list]), None)


def test_an_equal_source_needs_no_second_revision(write, a_list):
    message = write([a_list])
    message.revision = compile.revision(message, sources.newsletter(message))
    assert compile.revision(message, sources.newsletter(message)) == message.revision
    message.body = "Other"
    assert compile.revision(message, sources.newsletter(message)) != message.revision


# --- images ---------------------------------------------------------------------------------------

TOKEN = "0123456789abcdef0123456789abcdef"
HERE = f"https://mail.example/i/{TOKEN}.png"


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((1200, 800), 'width="536" height="357"'), ((300, 200), 'width="300" height="200"'),
     ((1200, 1), 'width="536" height="1"')],
)  # fmt: skip
def test_an_image_of_ours_is_as_large_as_the_column_allows_in_outlook_too(size, wanted):
    html = compiled(f"![apples]({HERE})", images={TOKEN: size})["html"]
    (tag,) = re.findall(r"<img[^>]*>", html)
    assert wanted in tag
    assert "max-width: 100%" in tag  # and on a phone it is as wide as that
    assert "height: auto" in tag


@pytest.mark.parametrize("given", ['width="80"', 'height="80"', 'style="width: 50%"'])
def test_the_size_that_its_writer_gave_an_image_stays(given):
    html = compiled(f'<img src="{HERE}" alt="a" {given}>', images={TOKEN: (1200, 800)})["html"]
    assert 'width="536"' not in html


def test_an_image_from_elsewhere_and_html_of_ones_own_get_no_size(write, a_list, alice):
    image = pictures.add(alice.workspace, alice.user, png(width=3000))
    shown = f'<img src="http://x.example/i/{image.token}.png" alt="a">'
    for body, format in ((f"![a](http://x.example/{TOKEN}.png)", "markdown"), (shown, "html")):
        message = write([a_list], body=body, format=format)
        assert sources.newsletter(message).images == {}


@pytest.mark.django_db(transaction=True)
def test_a_newsletter_knows_the_size_of_its_images(write, a_list, alice):
    image = pictures.add(alice.workspace, alice.user, png(width=3000))
    message = write([a_list], body=f"![a](http://x.example/i/{image.token}.png)")
    assert f'width="{markup.COLUMN}"' in preview.of(message).html


def test_the_column_is_as_wide_as_the_layout_makes_it():
    layout = markup.mail_file("layout.html")
    sheet, padding = 600, 32
    assert f"max-width: {sheet}px" in layout
    assert f".text {{ padding: {padding}px {padding}px" in layout
    assert sheet - 2 * padding == markup.COLUMN
