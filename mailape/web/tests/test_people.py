"""Tables of people in the browser's eyes: filters in links, columns, deeds on many, a person."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.accounts.models import Role
from mailape.lists import bulk, manage, numbers, subscribe, suppress
from mailape.lists.models import BulkDeed, ConsentRecord, Subscriber, Subscription, Suppression
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person


@pytest.fixture
def town(world: World) -> World:
    """Four more on the list, and one on another."""
    for name in ("Ada Amber", "Ben Amber", "Cleo", "Dora"):
        email = f"{name.split()[0].lower()}@mail.example"
        worlds.on_list(world.list, email, name, confirmed=name != "Dora")
    other = manage.create(world.owner.workspace, "Other")
    worlds.on_list(other, "eve@else.example", "Eve")
    return world


def html(who: Person, url: str) -> str:
    response = who.client().get(url)
    assert response.status_code == 200, url
    return response.content.decode()


def named(page: str) -> list[str]:
    names = ("vera", "ada", "ben", "cleo", "dora", "eve")
    there = [(page.index(f">{name}@"), name) for name in names if f">{name}@" in page]
    return [name for _place, name in sorted(there)]


def picks(*persons: str) -> list[str]:
    return [Subscriber.objects.get(email_key__startswith=one).public_id for one in persons]


# --- the table ------------------------------------------------------------------------------------


def test_everybody_is_on_one_page_whatever_the_list(town: World):
    assert named(html(town.owner, "/people")) == ["eve", "dora", "cleo", "ben", "ada", "vera"]
    subscribers = f"/lists/{town.list.public_id}/subscribers"
    assert named(html(town.owner, subscribers)) == ["dora", "cleo", "ben", "ada", "vera"]


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("q=amber&sort=email", ["ada", "ben"]),
        ("q=@mail.example&sort=-name", ["dora", "cleo", "ben", "ada"]),
        ("q=eve@", ["eve"]),
        ("status=unconfirmed", ["dora"]),
        ("since=2100-01-01", []),
        ("until=2000-01-01", []),
        ("since=2000-01-01&q=cleo", ["cleo"]),
    ],
)
def test_people_are_found_filtered_and_sorted(town: World, query: str, who: list[str]):
    assert named(html(town.owner, f"/people?{query}")) == who


def test_a_list_may_be_a_filter_too(town: World):
    page = html(town.owner, f"/people?list={town.list.public_id}&status=confirmed&sort=email")
    assert named(page) == ["ada", "ben", "cleo", "vera"]
    assert "On Apples" in page


def test_what_makes_no_sense_is_left_out_and_said(town: World):
    page = html(town.owner, "/people?since=31.1.&status=odd&sort=;drop&list=zzz")
    assert "A date was left out" in page
    assert len(named(page)) == 6
    assert town.owner.client().get("/people?after=zzz").status_code == 404


def test_links_keep_the_filters(town: World):
    page = html(town.owner, "/people?q=a&status=confirmed&sort=name")
    assert 'href="?q=a&amp;status=unconfirmed&amp;sort=name"' in page
    assert 'href="?q=a&amp;status=confirmed&amp;sort=-name"' in page
    assert 'name="filter" value="status=confirmed&amp;q=a&amp;sort=name"' in page


def test_columns_are_remembered_for_each_person(town: World, charlie: Person):
    browser = town.owner.client()
    assert "Known since<svg" in html(town.owner, "/people")
    back = "/people?q=a"
    answer = browser.post("/people/columns", {"column": ["lists", "zzz"], "back": back})
    assert answer["Location"] == back
    page = html(town.owner, "/people")
    assert ("Known since<svg" in page, ">Lists</th>" in page) == (False, True)
    assert "Joined<svg" in html(town.owner, f"/lists/{town.list.public_id}/subscribers")
    assert browser.post("/people/columns", {"back": "https://x.example/"})["Location"] == "/people"
    assert browser.post("/people/columns", {"back": "//x.example"})["Location"] == "/people"


def test_a_table_takes_the_same_queries_for_few_and_for_many(town: World):
    browser = town.owner.client()
    urls = ["/people", f"/lists/{town.list.public_id}/subscribers", "/people?q=a&sort=name"]

    def taken() -> list[int]:
        found = []
        for url in urls:
            browser.get(url)
            with CaptureQueriesContext(connection) as queries:
                browser.get(url)
            found.append(len(queries))
        return found

    few = taken()
    for n in range(70):
        worlds.on_list(town.list, f"a{n}@mail.example", "Anna")
    assert taken() == few
    assert max(few) <= 18


# --- deeds on many --------------------------------------------------------------------------------


def ask(who: Person, deed: str, **data: object):
    return who.client().post("/people/bulk", {"deed": deed, **data})


def test_the_chosen_are_taken_off_at_once_and_put_back(town: World):
    browser = town.owner.client()
    back = f"/lists/{town.list.public_id}/subscribers?q=a"
    answer = browser.post("/people/bulk", {
        "deed": "remove", "pick": picks("ada", "ben"), "list": town.list.public_id, "back": back,
    })  # fmt: skip
    assert answer["Location"] == back
    page = browser.get(back).content.decode()
    assert "2 people are off “Apples”." in page
    assert numbers.counts([town.list])[town.list.pk]["unsubscribed"] == 2
    deed = BulkDeed.objects.order_by("pk").last()
    assert f"/people/bulk/{deed.public_id}/undo" in page
    for _ in range(2):
        browser.post(f"/people/bulk/{deed.public_id}/undo")
    assert numbers.counts([town.list])[town.list.pk]["unsubscribed"] == 0


def test_adding_asks_for_the_list_and_keeps_the_owners_word(town: World):
    answer = ask(town.owner, "add", pick=picks("eve", "ada"))
    page = html(town.owner, answer["Location"])
    assert "Add 2 people" in page
    wrong = town.owner.client().post(answer["Location"], {"to": ""})
    assert wrong.status_code == 400
    assert "Choose a list." in wrong.content.decode()
    town.owner.client().post(answer["Location"], {"to": town.list.public_id})
    assert Subscription.objects.filter(list=town.list, subscriber__email_key="eve@else.example")
    record = ConsentRecord.objects.order_by("pk").last()
    assert (record.method, record.source) == ("owner", town.owner.email)


def test_all_who_fit_are_counted_and_asked_for_first(town: World):
    answer = ask(town.owner, "suppress", all="yes", filter="q=%40mail.example")
    assert not Suppression.objects.filter(kind="address").exists()
    assert "Suppress 4 addresses" in html(town.owner, answer["Location"])
    town.owner.client().post(answer["Location"])
    assert Suppression.objects.filter(kind="address").count() == 4


def test_erasing_names_the_number_and_cannot_be_undone(town: World):
    answer = ask(town.owner, "erase", pick=picks("ada", "ben", "cleo"))
    page = html(town.owner, answer["Location"])
    assert "Erase 3 people for good" in page
    assert "This cannot be undone." in page
    town.owner.client().post(answer["Location"])
    assert sorted(one.email for one in Subscriber.objects.all()) == [
        "dora@mail.example", "eve@else.example", "vera@example.org",
    ]  # fmt: skip
    deed = BulkDeed.objects.order_by("pk").last()
    assert not bulk.may_undo(deed)


def test_many_are_left_to_a_worker_and_watched(town: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    where = ask(town.owner, "erase", all="yes")["Location"]
    assert town.owner.client().post(where)["Location"] == where
    page = html(town.owner, where)
    assert f'data-live="{where}/progress"' in page
    assert "Stop here" in page
    assert "X-Live" not in town.owner.client().get(f"{where}/progress").headers
    town.owner.client().post(f"{where}/stop")
    bulk.run(BulkDeed.objects.order_by("pk").last())
    assert town.owner.client().get(f"{where}/progress")["X-Live"] == "over"
    assert Subscriber.objects.count() == 6


def test_nobody_chosen_is_said(town: World):
    browser = town.owner.client()
    assert browser.post("/people/bulk", {"deed": "remove"})["Location"] == "/people"
    assert "Nobody is chosen" in browser.get("/people").content.decode()


def test_an_editor_adds_and_removes_but_does_not_suppress_or_erase(town: World):
    editor = people.join(town.owner, "edith", Role.EDITOR)
    for deed in ("suppress", "erase"):
        assert ask(editor, deed, pick=picks("ada")).status_code == 403
        made = bulk.ask(town.owner.workspace, "x", deed, people=[town.person.pk])
        assert editor.client().post(f"/people/bulk/{made.public_id}").status_code == 403
    assert ask(editor, "remove", pick=picks("ada"), list=town.list.public_id).status_code == 302


def test_anothers_people_cannot_be_picked(town: World, charlie: Person):
    ask(charlie, "suppress", pick=picks("ada"))
    ask(charlie, "remove", pick=picks("ada"), list=town.list.public_id)
    assert not BulkDeed.objects.filter(workspace=charlie.workspace).exists()
    assert not Suppression.objects.filter(kind="address").exists()


# --- as a file ------------------------------------------------------------------------------------


def file(who: Person, query: str = "") -> str:
    answer = who.client().get(f"/people/export{query}")
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def test_a_file_is_an_admins_and_stays_in_no_cache(town: World):
    assert "no-store" in town.owner.client().get("/people/export")["Cache-Control"]
    editor = people.join(town.owner, "edith", Role.EDITOR)
    assert editor.client().get("/people/export").status_code == 403


def test_a_file_has_those_who_fit_and_nothing_that_calculates(town: World):
    Subscriber.objects.filter(email_key="ada@mail.example").update(name='=HYPERLINK("x"),"y"')
    lines = file(town.owner, f"?list={town.list.public_id}&q=%40mail.example").splitlines()
    assert lines[0] == "email,name,first_name,known_since,status,joined,confirmed,left"
    assert len(lines) == 5
    assert lines[1].startswith('ada@mail.example,"\'=HYPERLINK(""x""),""y""",,')
    assert ",unconfirmed," in lines[4]
    assert "eve@else.example,Eve,," in file(town.owner)
    assert "Other: confirmed" in file(town.owner)


# --- a person -------------------------------------------------------------------------------------


def test_name_and_fields_are_changed(town: World):
    url = f"/people/{town.person.public_id}/edit"
    data = {"name": "Vera Lark", "first_name": "", "fields": "city: Bonn\nsince: 2019: May"}
    assert town.owner.client().post(url, {**data, "email": town.person.email}).status_code == 302
    page = html(town.owner, f"/people/{town.person.public_id}")
    assert "Vera Lark" in page
    assert "<dt>city</dt><dd>Bonn</dd>" in page
    assert "2019: May" in page
    wrong = town.owner.client().post(url, {**data, "fields": "no colon"})
    assert wrong.status_code == 400
    assert "no colon" in wrong.content.decode()


def test_an_address_is_corrected_and_that_is_recorded(town: World):
    url = f"/people/{town.person.public_id}/edit"
    town.owner.client().post(url, {"name": "V", "email": "vera.lark@example.org"})
    town.person.refresh_from_db()
    assert (town.person.email_key, town.person.name_key) == ("vera.lark@example.org", "v")
    assert "corrected" in ConsentRecord.objects.order_by("pk").last().wording
    taken = town.owner.client().post(url, {"name": "V", "email": "Ada@mail.example"})
    assert "is here already" in taken.content.decode()
    suppress.suppress(town.owner.workspace, "gone.example")
    held = town.owner.client().post(url, {"name": "V", "email": "x@gone.example"})
    assert "suppressed" in held.content.decode()
    editor = people.join(town.owner, "edith", Role.EDITOR)
    refused = editor.client().post(url, {"name": "V", "email": "other@example.org"})
    assert refused.status_code == 403


def test_a_persons_mails_have_pages(town: World, monkeypatch: pytest.MonkeyPatch):
    from mailape.web import paging

    monkeypatch.setattr(paging.page, "__kwdefaults__", {"field": "pk", "size": 2})
    for n in range(3):
        worlds.sent(town.owner, [town.list], subject=f"Letter {n}")
    url = f"/people/{town.person.public_id}"
    first = town.owner.client().get(url)
    assert "Letter 2" in first.content.decode()
    assert "Letter 0" not in first.content.decode()
    assert "Letter 0" in html(town.owner, url + first.context["mails"].older)


# --- lists over time ------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [30, 90, 365])
def test_a_list_shows_its_numbers_over_time(town: World, days: int):
    page = html(town.owner, f"/lists/{town.list.public_id}?days={days}")
    assert "Confirmed subscribers" in page
    assert "As a table" in page
    assert "+4 in 30 days" in html(town.owner, "/lists")


def test_lists_take_the_same_queries_however_many(town: World):
    browser = town.owner.client()
    browser.get("/lists")
    with CaptureQueriesContext(connection) as few:
        browser.get("/lists")
    for n in range(8):
        subscribe.sign_up(
            manage.create(town.owner.workspace, f"L{n}"), "z@x.example", "", worlds.FORM
        )
    with CaptureQueriesContext(connection) as many:
        browser.get("/lists")
    assert len(many) == len(few)
