"""One's own account as a page."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.test import Client

from mailape.accounts.models import SignedIn, User
from mailape.delivery.models import SubscriberMessage
from tests.house.people import PASSWORD, Person

NEW = "gravenstein 1669"
ABOUT = {"name": "Alice", "language": "", "time_zone": "", "theme": ""}


def mails() -> list[tuple[str, str]]:
    return list(SubscriberMessage.objects.order_by("pk").values_list("to_address", "message__name"))


def test_language_zone_and_theme_are_kept(alice: Person):
    browser = alice.client()
    given = {**ABOUT, "time_zone": "Asia/Tokyo", "theme": "dark"}
    assert browser.post("/account", given)["Location"] == "/account"
    html = browser.get("/account").content.decode()
    assert 'data-theme="dark"' in html
    assert "JST" in html
    assert 'data-theme="dark"' not in Client().get("/sign-in").content.decode()


def test_the_time_zone_of_one_person_is_not_the_next_ones(alice: Person, charlie: Person):
    alice.client().post("/account", {**ABOUT, "time_zone": "Asia/Tokyo"})
    alice.client().get("/account")
    assert "UTC</time>" in charlie.client().get("/account").content.decode()


@pytest.mark.parametrize("field", ["language", "time_zone", "theme"])
def test_what_is_not_offered_is_refused_at_its_field(alice: Person, field: str):
    refused = alice.client().post("/account", {**ABOUT, "name": "Alicia", field: "nonsense"})
    assert refused.status_code == 400
    assert f'id="{field}-fault"' in refused.content.decode()
    assert 'value="Alicia"' in refused.content.decode()


def test_a_new_address_is_confirmed_by_mail_and_the_old_one_is_told(alice: Person):
    browser = alice.client()
    given = {"email": "new@example.org", "email_password": PASSWORD}
    assert browser.post("/account/address", given)["Location"] == "/account"
    link = urlsplit(SubscriberMessage.objects.get().context["url"]).path
    assert Client().get(link).status_code == 200
    assert User.objects.get(pk=alice.user.pk).email == alice.email
    assert Client().post(link).status_code == 302
    assert User.objects.get(pk=alice.user.pk).email == "new@example.org"
    assert mails() == [("new@example.org", "address-new"), (alice.email, "address-changed")]
    assert Client().post(link).status_code == 404
    assert browser.get("/account").status_code == 200  # she stays signed in


def test_the_answer_does_not_tell_whether_the_address_is_known(alice: Person, charlie: Person):
    browser = alice.client()
    for email in (charlie.email, "nobody@example.org"):
        answer = browser.post("/account/address", {"email": email, "email_password": PASSWORD})
        assert answer["Location"] == "/account"
        assert f"A mail is on its way to {email}" in browser.get("/account").content.decode()
    assert [name for _to, name in mails()] == ["account-exists", "address-new"]


def test_a_wrong_password_is_said_at_its_field(alice: Person):
    refused = alice.client().post("/account/address", {"email": "n@example.org"})
    assert refused.status_code == 400
    assert 'id="email_password-fault"' in refused.content.decode()
    assert mails() == []


def test_a_new_password_ends_the_other_sessions_and_not_this_one(alice: Person):
    here, there = alice.client(), alice.client()
    given = {"current": PASSWORD, "password": NEW}
    assert here.post("/account/password", given)["Location"] == "/account"
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 302
    assert mails() == [(alice.email, "password-changed")]
    assert SignedIn.objects.get().session_key == here.session.session_key


@pytest.mark.parametrize(
    ("field", "given"),
    [("current", {"current": "x", "password": NEW}), ("password", {"current": PASSWORD})],
)
def test_what_will_not_do_leaves_the_password(alice: Person, field: str, given: dict[str, str]):
    browser = alice.client()
    refused = browser.post("/account/password", given)
    assert refused.status_code == 400
    assert f'id="{field}-fault"' in refused.content.decode()
    assert browser.get("/account").status_code == 200


def test_browsers_are_listed_and_ended(alice: Person):
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    other = Client(headers={"user-agent": agent})
    other.post("/sign-in", {"email": alice.email, "password": PASSWORD})
    browser = alice.client()
    html = browser.get("/account").content.decode()
    assert "Firefox on Linux" in html
    assert "this one" in html
    row = SignedIn.objects.get(browser=agent)
    browser.post(f"/account/sessions/{row.public_id}/end")
    assert other.get("/account").status_code == 302
    assert "Firefox on Linux" not in browser.get("/account").content.decode()


def test_every_other_browser_is_ended_at_once(alice: Person):
    here, others = alice.client(), [alice.client(), alice.client()]
    for _ in range(2):
        assert here.post("/account/sessions/end")["Location"] == "/account"
    assert here.get("/account").status_code == 200
    assert [other.get("/account").status_code for other in others] == [302, 302]


def test_closing_asks_for_the_password_and_ends_everything(alice: Person, bob: Person):
    browser = bob.client()
    assert browser.post("/account/close", {"close_password": "x"}).status_code == 400
    closed = browser.post("/account/close", {"close_password": PASSWORD})
    assert closed["Location"] == "/sign-in"
    assert bob.email not in alice.client().get("/settings/members").content.decode()
    assert (
        "only owner"
        in alice.client().post("/account/close", {"close_password": PASSWORD}).content.decode()
    )


def test_who_is_in_no_workspace_still_has_her_account(alice: Person):
    alice.member.delete()
    assert alice.client().get("/account").status_code == 200
