"""Lists and the people on them."""

from __future__ import annotations

import pytest

from mailape.core.ids import public
from mailape.lists import find, manage, subscribe
from mailape.lists.models import (
    ConsentRecord,
    MailingList,
    Status,
    Subscriber,
    Subscription,
    Suppression,
)
from mailape.web import paging
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person


def html(person: Person, url: str, status: int = 200) -> str:
    response = person.client().get(url)
    assert response.status_code == status
    return response.content.decode()


# --- lists ----------------------------------------------------------------------------------------


def test_an_empty_workspace_says_what_a_list_is_and_offers_one(alice: Person):
    assert "No list yet" in html(alice, "/lists")
    assert 'href="/lists/new"' in html(alice, "/lists")
    viewer = people.join(alice, "vic", "viewer")
    assert 'href="/lists/new"' not in html(viewer, "/lists")


def test_a_list_is_made_and_shows_its_sign_up_page(alice: Person):
    browser = alice.client()
    made = browser.post("/lists/new", {"name": " Weekly  letter ", "description": "Fridays."})
    which = MailingList.objects.get()
    assert made["Location"] == f"/lists/{which.public_id}"
    page = browser.get(made["Location"]).content.decode()
    assert "Weekly letter" in page
    assert manage.subscribe_url(which) in page
    assert f"action=&quot;{manage.subscribe_url(which)}&quot;" in page.replace('"', "&quot;")


@pytest.mark.parametrize("name", ["", "   ", "\x00"])
def test_a_list_without_a_name_is_refused_and_what_was_typed_is_kept(alice: Person, name: str):
    response = alice.client().post("/lists/new", {"name": name, "description": "Fridays."})
    assert response.status_code == 400
    assert 'id="name-fault"' in response.content.decode()
    assert "Fridays." in response.content.decode()
    assert not MailingList.objects.exists()


def test_a_list_is_changed(world: World):
    url = f"/lists/{world.list.public_id}/edit"
    assert "Apples" in html(world.owner, url)
    world.owner.client().post(url, {"name": "Pears", "description": "Green."})
    world.list.refresh_from_db()
    assert (world.list.name, world.list.description) == ("Pears", "Green.")
    assert world.owner.client().post(url, {"name": ""}).status_code == 400


def test_archiving_can_be_undone_and_second_clicks_are_harmless(world: World):
    browser, own = world.owner.client(), f"/lists/{world.list.public_id}"
    after = browser.post(f"{own}/archive")["Location"]
    page = browser.get(after).content.decode()
    assert "is archived" in page
    assert f'action="{own}/restore"' in page
    assert browser.get(own).status_code == 404
    assert browser.post(f"{own}/archive").status_code == 404
    for _ in range(2):
        assert browser.post(f"{own}/restore")["Location"] == own
    assert browser.get(own).status_code == 200


def test_the_undo_of_another_workspaces_list_is_not_offered(world: World, charlie: Person):
    manage.archive(world.list)
    page = html(charlie, f"/lists?archived={world.list.public_id}")
    assert "Apples" not in page
    assert charlie.client().post(f"/lists/{world.list.public_id}/restore").status_code == 404


def test_a_long_list_of_lists_has_pages(alice: Person, monkeypatch: pytest.MonkeyPatch):
    for number in range(paging.SIZE + 1):
        manage.create(alice.workspace, f"List {number:03}")
    first = html(alice, "/lists")
    assert f"List {paging.SIZE:03}" in first
    assert "List 000" not in first
    assert 'rel="next"' in first


# --- subscribers ----------------------------------------------------------------------------------


@pytest.fixture
def many(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Seven people on the list: 0 and 3 unconfirmed, 5 gone; pages of three."""
    monkeypatch.setattr(find.page, "__kwdefaults__", {"after": None, "before": None, "size": 3})
    Subscription.objects.all().delete()
    for number in range(7):
        person = worlds.on_list(world.list, f"p{number}@example.org", confirmed=number % 3 > 0)
        if number == 5:
            subscribe.unsubscribe(person.pk, None, worlds.WORD)
        if number == 6:
            Subscription.objects.filter(subscriber=person).update(status=Status.CONFIRMED)
    return world


def shown(page: str) -> list[str]:
    return [f"p{number}" for number in range(6, -1, -1) if f"p{number}@example.org" in page]


def test_pages_go_through_everybody_and_back(many: World):
    url = f"/lists/{many.list.public_id}/subscribers"
    browser, seen, pages = many.owner.client(), [], []
    query = ""
    while True:
        response = browser.get(url + query)
        pages.append(shown(response.content.decode()))
        seen += pages[-1]
        page = response.context["page"]
        if not page.older:
            break
        query = page.older
    assert seen == ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]
    back = browser.get(url + page.newer)
    assert shown(back.content.decode()) == pages[-2]
    first = browser.get(url + back.context["page"].newer)
    assert shown(first.content.decode()) == pages[0]
    assert not first.context["page"].newer


@pytest.mark.parametrize(
    ("status", "who"),
    [
        ("confirmed", ["p6", "p4", "p2"]),
        ("unconfirmed", ["p3", "p0"]),
        ("unsubscribed", ["p5"]),
        ("nonsense", ["p6", "p5", "p4"]),
    ],
)
def test_a_filter_shows_one_status(many: World, status: str, who: list[str]):
    url = f"/lists/{many.list.public_id}/subscribers?status={status}"
    assert shown(html(many.owner, url)) == who


def test_search_finds_by_the_beginning_of_the_address(many: World):
    url = f"/lists/{many.list.public_id}/subscribers"
    assert shown(html(many.owner, f"{url}?q=P4@Exam")) == ["p4"]
    assert shown(html(many.owner, f"{url}?q=p&status=unsubscribed")) == ["p5"]
    assert "Nobody here fits" in html(many.owner, f"{url}?q=zebra")
    for odd in ("%25", "%00", "%27", "_", "%0a", "é@ü"):
        assert many.owner.client().get(f"{url}?q={odd}").status_code == 200


def test_a_page_link_that_was_made_up_is_not_found(many: World):
    url = f"/lists/{many.list.public_id}/subscribers"
    for cursor in ("x", "1", public("list", 1)):
        assert many.owner.client().get(f"{url}?after={cursor}").status_code == 404


def test_an_empty_list_shows_the_way_to_its_first_person(alice: Person, a_list: MailingList):
    page = html(alice, f"/lists/{a_list.public_id}/subscribers")
    assert "Nobody has signed up yet" in page
    assert manage.subscribe_url(a_list) in page


# --- adding and ending ----------------------------------------------------------------------------


@pytest.fixture
def new(a_list: MailingList) -> str:
    return f"/lists/{a_list.public_id}/subscribers/new"


def test_asking_first_sends_a_confirmation(alice: Person, new: str):
    alice.client().post(new, {"email": "vera@example.org", "consent": "ask"})
    made = Subscription.objects.get()
    assert (made.status, made.confirmation_no) == (Status.UNCONFIRMED, 1)


def test_the_owners_word_is_recorded_as_that_and_sends_nothing(bob: Person, new: str):
    bob.client().post(new, {"email": "vera@example.org", "name": "Vera", "consent": "word"})
    made = Subscription.objects.get()
    assert (made.status, made.confirmation_no) == (Status.CONFIRMED, 0)
    record = ConsentRecord.objects.get()
    assert (record.method, record.source) == ("owner", "bob@example.org")


def test_somebody_known_is_told_and_not_changed(alice: Person, new: str, a_list: MailingList):
    worlds.on_list(a_list, "vera@example.org", "Vera")
    browser = alice.client()
    page = browser.post(new, {"email": "VERA@example.org", "name": "X"}, follow=True)
    assert "is on this list already: confirmed" in page.content.decode()
    assert Subscriber.objects.get().name == "Vera"


def test_who_left_comes_back_only_on_a_second_word(alice: Person, new: str, a_list: MailingList):
    person = worlds.on_list(a_list, "vera@example.org")
    subscribe.unsubscribe(person.pk, None, worlds.WORD)
    given = {"email": "vera@example.org", "consent": "word"}
    asked = alice.client().post(new, given)
    assert asked.status_code == 400
    assert 'name="again"' in asked.content.decode()
    assert 'value="vera@example.org"' in asked.content.decode()
    alice.client().post(new, {**given, "again": "yes"})
    assert Subscription.objects.get().status == Status.CONFIRMED


def test_a_suppressed_address_is_refused_with_the_reason(alice: Person, new: str):
    Suppression.objects.create(
        workspace=alice.workspace, kind="address", value="vera@example.org", reason="bounce"
    )
    refused = alice.client().post(new, {"email": "vera@example.org"})
    assert refused.status_code == 400
    assert "suppressed" in refused.content.decode()
    assert not Subscriber.objects.exists()


def test_what_is_no_address_is_said_at_the_field(alice: Person, new: str):
    refused = alice.client().post(new, {"email": "nobody", "name": "Vera"})
    assert refused.status_code == 400
    assert 'id="email-fault"' in refused.content.decode()
    assert 'value="Vera"' in refused.content.decode()


def test_ending_a_subscription_keeps_the_person_and_is_harmless_twice(world: World):
    url = f"/lists/{world.list.public_id}/subscribers/{world.person.public_id}/end"
    for _ in range(2):
        ended = world.owner.client().post(url)
        assert ended["Location"] == f"/people/{world.person.public_id}"
    assert Subscription.objects.get().status == Status.UNSUBSCRIBED
    assert ConsentRecord.objects.filter(consent="withdrawn").count() == 1


# --- one person -----------------------------------------------------------------------------------


def test_a_persons_page_shows_lists_mails_and_consent(world: World):
    page = html(world.owner, f"/people/{world.person.public_id}")
    assert "vera@example.org" in page
    assert f"/lists/{world.list.public_id}" in page
    assert f"/messages/{world.sent.public_id}" in page
    assert "She said so." in page


def test_erasing_names_what_goes_and_does_it(world: World):
    url = f"/people/{world.person.public_id}/erase"
    page = html(world.owner, url)
    assert "1 subscription" in page
    assert "the record of 1 mail" in page
    assert "Erase vera@example.org for good" in page
    assert Subscriber.objects.exists()
    assert world.owner.client().post(url)["Location"] == "/people"
    assert not Subscriber.objects.exists()
    assert world.owner.client().post(url).status_code == 404
    deliveries = html(world.owner, f"/messages/{world.sent.public_id}/deliveries")
    assert "vera@example.org" not in deliveries
    assert "erased" in deliveries
