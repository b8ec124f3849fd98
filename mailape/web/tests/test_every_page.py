"""What must hold on every page alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailape import web
from mailape.accounts.models import User, Workspace
from mailape.lists import numbers
from mailape.lists.models import ConsentRecord, Subscriber
from mailape.senders.models import Sender
from mailape.web.tests import worlds
from mailape.web.tests.test_rights import MEMBERS
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person

pytestmark = pytest.mark.usefixtures("first_world")
CANARY = "<script>canary()</script>\"'><img src=x onerror=canary()>{{ 7 }}{% debug %}"
STATIC = Path(web.__file__).parent / "static" / "web"
FILES = {"deliveries-csv", "people-export"}  # no page at all
PAGES = [name for name, (methods, _) in MEMBERS.items() if "GET" in methods and name not in FILES]
FRAMES = {
    "message-html",
    "outbox-html",
    "list-wording-mail",
    "list-wording-welcome",
}  # a mail has styles, and a policy of its own
# Not a whole page, or one as its readers see it.
PARTS = {"message-progress", "message-looks", "list-wording-page", "overview-now"}
PARTS |= {"message-tests"}
# JSON, for a script of ours.
DATA = {"message-state", "message-readers"}
PARTS |= {"bulk-progress"}
OURS = [name for name in PAGES if name not in FRAMES | DATA]


def page(world: World, name: str, query: str = "") -> str:
    response = world.owner.client().get(reverse(f"web:{name}", kwargs=world.kwargs(name)) + query)
    assert response.status_code == 200, name
    assert "no-store" in response["Cache-Control"]
    return response.content.decode()


@pytest.fixture
def hostile(db: None) -> World:
    """Everything that a person may type is an attempt to run a script."""
    eve = people.open_workspace("eve")
    Workspace.objects.filter(pk=eve.workspace.pk).update(name=CANARY, postal_address=CANARY)
    User.objects.filter(pk=eve.user.pk).update(name=CANARY)
    Sender.objects.filter(workspace=eve.workspace).update(
        name=CANARY, email=CANARY, reply_to=CANARY
    )
    world = worlds.build(eve, CANARY)
    Subscriber.objects.update(email=CANARY, name=CANARY)
    connection.cursor().execute(
        "UPDATE lists_consentrecord SET wording = %s, source = %s", [CANARY, CANARY]
    )
    return world


# Once, here and below: what a template makes of a row is no question to a database.
@pytest.mark.once
@pytest.mark.parametrize("name", OURS)
def test_nothing_that_was_typed_becomes_markup(hostile: World, name: str):
    for query in ("", "?view=text", "?view=headers", "?view=source"):
        if query and name != "outbox-mail":
            continue
        html = page(hostile, name, query)
        assert "<script>canary" not in html
        assert "<img src=x" not in html
        if name not in {
            "message-new",
            "list-new",
            "message-looks",
            "message-tests",
            "overview-now",
        }:
            assert "canary" in html


def test_nothing_that_was_typed_becomes_markup_on_public_pages(hostile: World, stranger: Client):
    tokens = hostile.links
    paths = [
        f"/subscribe/{hostile.list.public_id}",
        f"/u/{tokens.unsubscribe}",
        f"/p/{tokens.preferences}",
        f"/confirm/{worlds.confirmation(hostile.list, hostile.person)}",
    ]
    for path in paths:
        for call in (stranger.get, stranger.post):
            html = call(path, {"email": CANARY, "name": CANARY}).content.decode()
            assert "canary" in html or "This link does not work" in html, path
            assert "<script>canary" not in html
            assert "<img src=x" not in html


@pytest.mark.parametrize("field", ["email", "name", "next", "q", "subject", "lines", "body"])
def test_what_is_given_back_after_a_fault_is_escaped(world: World, field: str):
    browser = world.owner.client()
    calls = {
        "email": lambda: Client().post("/sign-in", {"email": CANARY}),
        "name": lambda: browser.post("/lists/new", {"name": "", "description": CANARY}),
        "next": lambda: Client().get("/sign-in", {"next": "/" + CANARY}),
        "q": lambda: browser.get(f"/lists/{world.list.public_id}/subscribers", {"q": CANARY}),
        "subject": lambda: browser.post("/messages/new", {"subject": CANARY * 9}),
        "lines": lambda: browser.post("/suppressions/new", {"lines": CANARY, "source": CANARY}),
        "body": lambda: browser.post("/messages/new", {"subject": "x" * 301, "body": CANARY}),
    }
    html = calls[field]().content.decode()
    assert "canary" in html
    assert "<script>canary" not in html
    assert "<img src=x" not in html


@pytest.mark.once
@pytest.mark.parametrize("name", OURS)
def test_no_inline_style_or_script(world: World, name: str):
    html = page(world, name)
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)


def test_the_policy_allows_our_own_files_only(alice: Person):
    policy = alice.client().get("/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.once
@pytest.mark.parametrize("name", [name for name in OURS if name not in PARTS])
def test_every_page_has_a_title_a_heading_and_its_place_in_the_navigation(world: World, name: str):
    html = page(world, name)
    assert re.search(r"<title>[^<]*\S[^<]* · MailApe</title>", html)
    assert len(re.findall(r"<h1\b", html)) == 1
    assert html.count('aria-current="page"') >= 1
    assert 'href="#main"' in html
    assert '<html lang="en">' in html


@pytest.mark.once
@pytest.mark.parametrize("name", PAGES)
def test_every_field_has_a_label_and_every_id_is_there_once(world: World, name: str):
    html = page(world, name)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    labelled = set(re.findall(r'<label[^>]*\sfor="([^"]+)"', html))
    for tag in re.findall(r"<(?:input|select|textarea)\b[^>]*>", html):
        if re.search(r'type="(hidden|radio|checkbox)"', tag):
            continue
        own = re.search(r'\sid="([^"]+)"', tag)
        assert own, tag
        assert own[1] in labelled, tag


@pytest.mark.parametrize("name", PAGES)
def test_looking_changes_nothing(world: World, name: str):
    browser, url = world.owner.client(), reverse(f"web:{name}", kwargs=world.kwargs(name))
    browser.get(url)  # the session's note that a report was seen is made once
    with CaptureQueriesContext(
        connection,
    ) as seen:
        for call in (browser.get, browser.head):
            call(url)
    writes = [one["sql"] for one in seen if re.match(r"(?i)\s*(INSERT|UPDATE|DELETE)", one["sql"])]
    assert writes == []


def test_a_deed_shown_to_nobody_leaves_no_consent_behind(world: World):
    before = ConsentRecord.objects.count()
    url = f"/lists/{world.list.public_id}/subscribers/{world.person.public_id}/end"
    world.owner.client().get(url)
    assert ConsentRecord.objects.count() == before


# --- the design -----------------------------------------------------------------------------------


def blocks(css: str, head: str) -> list[str]:
    return [
        re.sub(r"\s+", " ", body).strip()
        for body in re.findall(re.escape(head) + r"\s*\{(.*?)\}", css, re.DOTALL)
    ]


def test_dark_is_the_same_by_the_system_and_by_the_switch():
    css = (STATIC / "css" / "tokens.css").read_text()
    (system,) = blocks(css, ':root:not([data-theme="light"])')
    (switch,) = blocks(css, ':root[data-theme="dark"]')
    assert system == switch


def test_only_the_tokens_name_a_colour():
    for sheet in STATIC.glob("css/*.css"):
        if sheet.name != "tokens.css":
            found = re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(", sheet.read_text())
            assert set(found) <= {"#fff"}, sheet.name  # a mail's own paper is white


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("head", [":root", ':root[data-theme="dark"]'])
def test_text_can_be_read_on_what_it_stands_on(head: str):
    css = (STATIC / "css" / "tokens.css").read_text()
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks(css, head)[0]))
    for ink in ("ink", "ink-2", "ink-3", "accent", "danger", "warn"):
        for ground in ("paper", "surface"):
            assert contrast(tokens[ink], tokens[ground]) >= 4.5, (ink, ground)
    for ink, ground in [
        ("on-accent", "accent"), ("on-accent", "accent-hover"), ("ink", "accent-soft"),
        ("ink", "warn-soft"), ("ink", "danger-soft"), ("ink-3", "sunk"), ("accent", "accent-soft"),
        ("accent", "warn-soft"), ("danger", "danger-soft"),
    ]:  # fmt: skip
        assert contrast(tokens[ink], tokens[ground]) >= 4.5, (ink, ground)
    for ground in ("paper", "surface"):
        assert contrast(tokens["line-strong"], tokens[ground]) >= 3, ground


def test_every_icon_that_a_template_names_is_in_the_sprite():
    there = set(re.findall(r'id="([a-z]+)"', (STATIC / "img" / "icons.svg").read_text()))
    templates = (STATIC.parent.parent / "templates").rglob("*.html")
    named = {n for t in templates for n in re.findall(r'{% icon "([a-z]+)" %}', t.read_text())}
    assert named <= there


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_not_there_is_a_friendly_page(client: Client):
    response = client.get("/nothing/here")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_a_fault_of_ours_is_a_page_that_needs_no_database(
    alice: Person, monkeypatch: pytest.MonkeyPatch
):
    browser = alice.client()
    browser.raise_request_exception = False
    monkeypatch.setattr(numbers, "counts", lambda lists: 1 / 0)
    response = browser.get("/lists")
    assert response.status_code == 500
    assert "Something broke on our side" in response.content.decode()
    assert "ZeroDivisionError" not in response.content.decode()


def test_the_page_for_500_asks_no_database(django_assert_num_queries, rf, db):
    from mailape.web import errors

    with django_assert_num_queries(0):
        assert errors.broken(rf.get("/")).status_code == 500


def test_an_error_page_is_plain_text_when_even_the_template_breaks(
    rf, monkeypatch: pytest.MonkeyPatch
):
    from mailape.web import errors

    monkeypatch.setattr(errors, "render_to_string", lambda *a, **k: 1 / 0)
    response = errors.broken(rf.get("/"))
    assert response.status_code == 500
    assert b"Something broke" in response.content
