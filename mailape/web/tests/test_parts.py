"""The parts of the design system: what they say, and what they ask of a page."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.http import QueryDict
from django.template import Context, Template
from django.test import Client, RequestFactory

from mailape.core import clock
from mailape.web import charts, sorting, tell
from mailape.web.charts import Chart, Series
from mailape.web.tests import worlds
from mailape.web.views.design import ICONS
from tests.house.people import Person


def shown(text: str, query: str = "", **context) -> str:
    request = RequestFactory().get(f"/people{query}")
    template = Template("{% load i18n web parts %}" + text)
    return template.render(Context({"request": request, **context}))


# --- charts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "round_one"), [(0, 1), (0.3, 1), (1.2, 2), (2.2, 3), (4, 5), (26, 50), (1001, 2000)]
)
def test_an_axis_has_round_steps(step: float, round_one: float):
    assert charts.nice(step) == round_one


def test_the_upright_axis_ends_at_or_above_the_highest_number():
    for high in (0, 1, 7, 99, 101, 12_304, 1_999_999):
        for from_zero in (True, False):
            chart = Chart("x", ["a", "b"], [Series("n", [high * 0.99, high])], from_zero=from_zero)
            assert chart.ticks[0] >= high
            assert chart.ticks[-1] <= high * 0.99
            assert len(chart.ticks) == 5


def test_every_number_of_a_chart_is_in_its_table():
    numbers = [1234.0, 0, 7]
    html = shown(
        "{% chart it %}", it=Chart("Growth", ["Mon", "Tue", "Wed"], [Series("n", numbers)])
    )
    cells = re.findall(r'<td class="end number">([^<]*)</td>', html)
    assert cells == ["1,234", "0", "7"]
    assert re.findall(r'<th scope="row">([^<]*)</th>', html) == ["Mon", "Tue", "Wed"]


def test_a_chart_has_no_inline_style_and_says_its_numbers_to_a_pointer():
    for kind in ("line", "bars", "stacked"):
        chart = Chart("x", ["a", "b"], [Series("n", [1, 2]), Series("m", [3, 0])], kind)
        html = shown("{% chart it %}", it=chart)
        assert "style=" not in html
        assert "<title>a · n: 1, m: 3</title>" in html


def test_a_chart_without_numbers_says_so():
    assert "No numbers yet" in shown("{% chart it %}", it=Chart("x", [], []))


def test_stacked_bars_stand_on_each_other():
    chart = Chart("x", ["a"], [Series("n", [3]), Series("m", [1])], "stacked")
    low, high = chart.bars
    assert float(high.y) + float(high.height) == pytest.approx(float(low.y), abs=0.02)


def test_a_title_with_markup_in_it_stays_text():
    chart = Chart("<b>", ["<i>"], [Series("<u>", [1])])
    assert not re.search("<[biu]>", shown("{% chart it %}", it=chart))


# --- tables ---------------------------------------------------------------------------------------


def test_the_head_of_a_column_sorts_and_then_turns_round():
    request = RequestFactory().get("/people?sort=email&status=x&after=y")
    sort = sorting.read(request.GET, ("email", "name"), "email")
    html = shown('{% sort_head "email" "Person" %}', "?sort=email&status=x&after=y", sort=sort)
    assert 'aria-sort="ascending"' in html
    assert 'href="?sort=-email&amp;status=x"' in html
    other = shown('{% sort_head "name" "Name" %}', sort=sort)
    assert 'aria-sort="none"' in other
    assert 'href="?sort=name"' in other


def test_a_column_that_is_not_there_sorts_by_the_default():
    assert sorting.read(QueryDict("sort=-password"), ("email",), "-email").value == ("-email")


def test_a_row_to_choose_has_a_name_and_belongs_to_the_bar():
    html = shown(
        '{% pick "s1" "ada@example.org" %}{% bulk_bar "/x" "t" %}<button>{% endbulk_bar %}'
    )
    assert 'form="bulk"' in html
    assert 'aria-label="Choose ada@example.org"' in html
    assert '<form id="bulk"' in html


# --- toasts ---------------------------------------------------------------------------------------


def test_an_undo_is_a_form_that_posts_what_it_needs(alice: Person):
    browser = alice.client()
    html = browser.post("/design", {"told": "undo"}, follow=True).content.decode()
    toast = html[html.index("data-toast") : html.index("data-toast-close")]
    assert 'action="/design"' in toast
    assert '<input type="hidden" name="told" value="good">' in toast
    assert "csrfmiddlewaretoken" in toast
    assert "data-toast" not in browser.get("/design").content.decode()


def test_a_message_of_djangos_own_is_a_toast_too(alice: Person):
    request = alice.client().get("/design").wsgi_request
    tell.warn(request, "Look")
    (message,) = get_messages(request)
    assert tell.read(message) == tell.Told("Look", "warn")


def test_a_toast_waits_for_its_page_while_another_tab_shows_others(alice: Person):
    browser = alice.client()
    browser.post("/design", {"told": "good"})
    assert "data-toast" not in browser.get("/lists").content.decode()
    assert "nothing was changed" in browser.get("/design").content.decode()
    assert "data-toast" not in browser.get("/design").content.decode()


def test_each_of_two_tabs_shows_its_own_toast(alice: Person):
    browser = alice.client()
    browser.post("/design", {"told": "good"})
    browser.post("/lists/new", {"name": "Roses"})
    made = alice.workspace.lists.get(name="Roses")
    first = browser.get("/design").content.decode()
    second = browser.get(f"/lists/{made.public_id}").content.decode()
    assert "nothing was changed" in first
    assert "The list is made" not in first
    assert "The list is made" in second
    assert "nothing was changed" not in second


def test_a_toast_goes_along_when_its_page_leads_on(alice: Person):
    draft, browser = worlds.build(alice).draft, alice.client()
    removed = browser.post(f"/messages/{draft.public_id}/remove")
    back = browser.post(f"/messages/{draft.public_id}/restore")
    led_on = browser.get(back["Location"])
    html = browser.get(led_on["Location"]).content.decode()
    assert "It is back." in html
    assert "is removed" not in html
    assert "is removed" in browser.get(removed["Location"]).content.decode()


def test_a_toast_whose_page_never_came_is_shown_by_the_next_page(alice: Person):
    browser = alice.client()
    browser.post("/design", {"told": "good"})
    with clock.moved(timedelta(seconds=61)):
        assert "nothing was changed" in browser.get("/lists").content.decode()
        assert "data-toast" not in browser.get("/design").content.decode()


# --- times ----------------------------------------------------------------------------------------


def test_a_time_names_its_zone_and_how_far_it_is():
    html = shown('{% zoned at "Europe/Berlin" %}', at=clock.now() + timedelta(days=3, minutes=5))
    assert "(Europe/Berlin) · in 3\xa0days" in html
    assert "3\xa0hours ago" in shown("{% ago at %}", at=clock.now() - timedelta(hours=3))
    assert "just now" in shown("{% ago at %}", at=clock.now())


# --- the page -------------------------------------------------------------------------------------


def test_the_page_shows_every_icon_of_the_sprite(alice: Person):
    from mailape.web.tests.test_every_page import STATIC

    there = set(re.findall(r'id="([a-z]+)"', (STATIC / "img" / "icons.svg").read_text()))
    assert set(ICONS) == there


def test_a_dialog_has_a_page_for_those_without_javascript(alice: Person):
    browser: Client = alice.client()
    html = browser.get("/design").content.decode()
    assert 'href="/design/ask" data-dialog' in html
    assert "Take 3 people off" in browser.get("/design/ask").content.decode()


# --- htmx -----------------------------------------------------------------------------------------


def test_what_others_wrote_is_what_its_readme_says():
    from mailape.web.tests.test_every_page import STATIC

    folder = STATIC / "js" / "vendor"
    named = dict(
        re.findall(r"\| `([\w.]+\.js)` .*`([0-9a-f]{64})`", (folder / "README.md").read_text())
    )
    assert set(named) == {path.name for path in folder.glob("*.js")}
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_htmx_may_not_evaluate_and_keeps_no_pages(alice: Person):
    html = alice.client().get("/design").content.decode()
    config = json.loads(re.search(r"name=\"htmx-config\" content='([^']+)'", html)[1])
    assert config["allowEval"] is config["allowScriptTags"] is False
    assert config["includeIndicatorStyles"] is False
    assert config["historyCacheSize"] == 0


def test_a_redirect_is_a_whole_page_for_htmx(db):
    response = Client().get("/lists", headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response["HX-Redirect"] == "/sign-in?next=%2Flists"
    assert not response.has_header("Location")


def test_public_pages_load_no_htmx(db):
    assert "htmx" not in Client().get("/sign-in").content.decode()


def test_a_search_that_follows_the_typing_is_a_form_of_the_same_page():
    html = shown('<form method="get"{% live_search "found" %}>', "?q=a")
    assert 'hx-get="/people"' in html
    assert 'hx-select="#found"' in html
