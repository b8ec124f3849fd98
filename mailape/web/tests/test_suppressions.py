"""Who is never mailed: looked at, searched, added line by line, lifted and put back."""

from __future__ import annotations

import re

import pytest

from mailape.accounts.models import Role
from mailape.lists import suppress
from mailape.lists.models import Suppression, SuppressionKind
from mailape.privacy.erase import erase
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person

NEW = "/suppressions/new"


def shown(browser, query: str = "") -> str:
    answer = browser.get(f"/suppressions{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def rows(html: str) -> int:
    return len(re.findall(r"<tr><td", html))


# --- looking --------------------------------------------------------------------------------------


def test_each_stands_there_with_reason_source_and_date(world: World):
    suppress.suppress(world.owner.workspace, "eve@example.org", reason="bounce", source="550 gone")
    html = shown(world.owner.client())
    assert "eve@example.org" in html
    assert "Bounced" in html
    assert "550 gone" in html
    assert "everybody at this domain" in html  # bounces.example
    assert "<time" in html


def test_a_viewer_reads_and_gets_no_button(world: World):
    viewer = people.join(world.owner, "vi", Role.VIEWER).client()
    html = shown(viewer)
    assert "bounces.example" in html
    assert "/lift" not in html
    assert NEW not in html


def test_an_empty_list_says_what_it_is_for(alice: Person):
    html = shown(alice.client())
    assert "Nobody is suppressed" in html
    assert "Nothing here fits" in shown(alice.client(), "?q=x")


def test_pages_go_by_key_and_come_back(world: World):
    text = "\n".join(f"p{number:02}@example.org" for number in range(60))
    suppress.several(world.owner.workspace, text)
    browser = world.owner.client()
    first = shown(browser)
    assert rows(first) == 50
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = shown(browser, older[1])
    assert rows(second) == 11
    newer = re.search(r'rel="prev" href="([^"]+)"', second)
    assert newer
    assert rows(shown(browser, newer[1].replace("&amp;", "&"))) == 50


def test_search_tells_what_keeps_mail_from_an_address(world: World):
    suppress.suppress(world.owner.workspace, "eve@example.org")
    browser = world.owner.client()
    assert rows(shown(browser, "?q=EVE@")) == 1
    found = shown(browser, "?q=someone@bounces.example")
    assert rows(found) == 1
    assert "everybody at this domain" in found
    assert "Nothing here fits" in shown(browser, "?q=nobody")


def test_who_was_erased_is_named_by_nothing(world: World):
    email = world.person.email
    erase(world.person)
    row = Suppression.objects.get(kind=SuppressionKind.ERASED)
    for query in ("", f"?q={email}"):
        html = shown(world.owner.client(), query)
        assert "An erased person" in html
        assert row.value not in html
    assert email not in shown(world.owner.client())


def test_nothing_of_another_workspace_is_shown_or_found(world: World, charlie: Person):
    html = shown(charlie.client(), "?q=bounces")
    assert rows(html) == 0


def test_the_lists_page_leads_there(world: World):
    assert 'href="/suppressions"' in world.owner.client().get("/lists").content.decode()


# --- adding ---------------------------------------------------------------------------------------


def test_several_are_added_with_reason_and_source(world: World):
    given = {"lines": "eve@example.org\r\nexample.net\r\n", "reason": "complaint", "source": "Bo"}
    html = world.owner.client().post(NEW, given, follow=True).content.decode()
    assert "2 are suppressed now." in html
    row = Suppression.objects.get(value="eve@example.org")
    assert (row.reason, row.source, row.workspace) == ("complaint", "Bo", world.owner.workspace)


def test_without_a_source_it_is_who_did_it(world: World):
    world.owner.client().post(NEW, {"lines": "eve@example.org"})
    row = Suppression.objects.get(value="eve@example.org")
    assert (row.reason, row.source) == ("owner", world.owner.user.email)


def test_each_bad_line_is_reported_and_kept_to_be_mended_and_the_good_are_taken(world: World):
    lines = "eve@example.org\nEve Holm\nbounces.example\nbob@@example.org"
    answer = world.owner.client().post(NEW, {"lines": lines, "reason": "bounce", "source": "x"})
    html = answer.content.decode()
    assert answer.status_code == 400
    assert "1 is suppressed now." in html
    assert "1 was suppressed already." in html
    assert "2 lines will not do" in html
    assert "<b>Line 2</b>" in html
    assert "<b>Line 4</b>" in html
    field = re.search(r"<textarea[^>]*>([^<]*)</textarea>", html)
    assert field
    assert field[1].split("\n") == ["Eve Holm", "bob@@example.org"]
    assert '<option value="bounce" selected>' in html
    assert Suppression.objects.filter(value="eve@example.org").exists()


def test_a_thousand_bad_lines_are_counted_and_the_first_are_named(world: World):
    answer = world.owner.client().post(NEW, {"lines": "no address\n" * 1000})
    html = answer.content.decode()
    assert "1000 lines will not do" in html
    assert "and 900 more" in html


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"lines": ""}, "lines"),
        ({"lines": " \n "}, "lines"),
        ({"lines": "a@example.org\n" * 10_001}, "lines"),
        ({"lines": "eve@example.org", "reason": "erased"}, "reason"),
        ({"lines": "eve@example.org", "reason": "x"}, "reason"),
    ],
)
def test_what_will_not_do_changes_nothing(world: World, given: dict[str, str], fault: str):
    before = Suppression.objects.count()
    answer = world.owner.client().post(NEW, given)
    assert answer.status_code == 400
    assert f'id="{fault}-fault"' in answer.content.decode()
    assert Suppression.objects.count() == before


def test_an_editor_may_not(world: World, bob: Person):
    assert bob.client().post(NEW, {"lines": "eve@example.org"}).status_code == 403
    assert not Suppression.objects.filter(value="eve@example.org").exists()


# --- lifting --------------------------------------------------------------------------------------


def test_lifting_can_be_undone_once_and_all_is_as_it_was(world: World):
    browser, row = world.owner.client(), world.suppression
    before = Suppression.objects.values("kind", "value", "reason", "source", "at").get()
    html = browser.post(f"/suppressions/{row.public_id}/lift", follow=True).content.decode()
    assert "Mail may go to bounces.example again." in html
    assert not Suppression.objects.exists()
    html = browser.post("/suppressions/undo", follow=True).content.decode()
    assert "It is suppressed again, as it was." in html
    assert Suppression.objects.values("kind", "value", "reason", "source", "at").get() == before
    html = browser.post("/suppressions/undo", follow=True).content.decode()
    assert "There is nothing to undo." in html
    assert Suppression.objects.count() == 1


def test_what_was_lifted_is_not_put_into_another_workspace(world: World, charlie: Person):
    both = people.join(charlie, "alice2", Role.ADMIN)
    browser = both.client()
    row, _ = suppress.suppress(charlie.workspace, "eve@example.org")
    browser.post(f"/suppressions/{row.public_id}/lift")
    elsewhere = people.join(world.owner, "alice2b", Role.ADMIN)
    session = browser.session
    kept = session["lifted_suppression"]
    other = elsewhere.client()
    moved = other.session
    moved["lifted_suppression"] = kept
    moved.save()
    other.post("/suppressions/undo")
    assert "eve@example.org" not in shown(other, "?lifted=1")
    assert not Suppression.objects.filter(value="eve@example.org").exists()


def test_only_who_lifted_it_is_offered_the_way_back(world: World):
    world.owner.client().post(f"/suppressions/{world.suppression.public_id}/lift")
    another = people.join(world.owner, "ad", Role.ADMIN).client()
    assert "Undo" not in shown(another, "?lifted=1")


# --- her page -------------------------------------------------------------------------------------


def test_her_page_says_why_she_is_never_mailed(world: World):
    browser, path = world.owner.client(), f"/people/{world.person.public_id}"
    assert "never mailed" not in browser.get(path).content.decode()
    suppress.suppress(world.owner.workspace, world.person.email, reason="bounce", source="550 gone")
    html = browser.get(path).content.decode()
    assert "Suppressed: never mailed." in html
    assert "Bounced" in html
    assert "550 gone" in html


def test_her_page_says_so_too_when_it_is_her_whole_domain(world: World):
    person = worlds.on_list(world.list, "kim@closed.example")
    row, _ = suppress.suppress(world.owner.workspace, "closed.example")
    html = world.owner.client().get(f"/people/{person.public_id}").content.decode()
    assert "Nobody at closed.example is." in html
    assert f"/suppressions/{row.public_id}/lift" in html
    assert "Lift for everybody at closed.example" in html
