"""Set-up, sign-in, sign-out, opening an account, forgotten passwords."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from django.test import Client

from mailape.accounts import reset, setup, signin
from mailape.accounts.models import User, Workspace
from mailape.campaigns.models import Kind
from mailape.core import limits
from mailape.delivery.models import SubscriberMessage
from mailape.senders.models import Sender
from mailape.web import evenly
from mailape.web.views import account
from tests.house import people
from tests.house.people import PASSWORD, Person

NEW = {
    "name": "Mara",
    "email": "mara@example.org",
    "password": "gravenstein 1669",
    "workspace": "Orchard",
}


@pytest.fixture
def set_up_path(db: None) -> str:
    return urlsplit(setup.new_link() or "").path


# --- set-up ---------------------------------------------------------------------------------------


def test_an_unclaimed_instance_says_where_the_link_is_and_never_gives_it(
    client: Client, set_up_path: str
):
    page = client.get("/")
    assert page.status_code == 200
    assert "This MailApe is new" in page.content.decode()
    assert set_up_path.rpartition("/")[2] not in page.content.decode()


def test_the_link_makes_user_workspace_and_sender_and_signs_in(client: Client, set_up_path: str):
    assert client.get(set_up_path).status_code == 200
    assert client.post(set_up_path, NEW)["Location"] == "/"
    made = User.objects.get()
    assert (made.email, made.is_admin, made.name) == ("mara@example.org", True, "Mara")
    assert Workspace.objects.get().name == "Orchard"
    assert Sender.objects.get().email == "mara@example.org"
    assert "Five steps" in client.get("/").content.decode()


def test_the_link_works_once(client: Client, set_up_path: str):
    client.post(set_up_path, NEW)
    again = Client().post(set_up_path, {**NEW, "email": "eve@example.org"})
    assert again.status_code == 404
    assert "set up already" in again.content.decode()
    assert User.objects.count() == 1


def test_a_stranger_without_the_link_cannot_claim(client: Client, set_up_path: str):
    response = client.post("/setup/guessed", NEW)
    assert response.status_code == 404
    assert "not the set-up link" in response.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(("field", "value"), [("email", "no address"), ("password", "short")])
def test_what_will_not_do_is_said_at_its_field_and_the_link_stays_good(
    client: Client, set_up_path: str, field: str, value: str
):
    response = client.post(set_up_path, {**NEW, field: value})
    assert response.status_code == 400
    assert f'id="{field}-fault"' in response.content.decode()
    assert 'value="Mara"' in response.content.decode()
    assert "gravenstein" not in response.content.decode()
    assert client.post(set_up_path, NEW).status_code == 302


# --- sign-in and -out -----------------------------------------------------------------------------


def test_signing_in_works_in_any_letter_case_and_rotates_the_session(alice: Person):
    browser = Client()
    browser.get("/sign-in")
    session = browser.session
    session["before"] = 1
    session.save()
    old = session.session_key
    response = browser.post("/sign-in", {"email": "ALICE@Example.org", "password": PASSWORD})
    assert response["Location"] == "/"
    assert browser.cookies["mailape_session"].value != old
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org", "no address", ""])
def test_a_wrong_password_and_an_unknown_address_are_told_alike(alice: Person, email: str):
    response = Client().post("/sign-in", {"email": email, "password": "wrong wrong wrong"})
    assert response.status_code == 400
    assert "This address and password do not belong together." in response.content.decode()
    assert not response.wsgi_request.user.is_authenticated


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/lists?archived=x", "/lists?archived=x"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("lists", "/"),
        ("/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"),
    ],
)
def test_next_leads_to_our_own_pages_only(alice: Person, wanted: str, leads_to: str):
    given = {"email": alice.email, "password": PASSWORD, "next": wanted}
    assert Client().post("/sign-in", given)["Location"] == leads_to
    signed_in = alice.client().get("/sign-in", {"next": wanted})
    assert signed_in["Location"] == leads_to


def test_a_page_that_needs_signing_in_comes_back_to_itself(alice: Person):
    asked = Client().get("/lists?x=1&y=2")
    assert asked["Location"] == "/sign-in?next=%2Flists%3Fx%3D1%26y%3D2"


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_too_many_tries_have_to_wait_and_keep_what_was_typed(
    alice: Person, monkeypatch: pytest.MonkeyPatch, email: str
):
    monkeypatch.setattr(signin, "PER_ADDRESS", limits.Rate(2, 600))
    for _ in range(2):
        Client().post("/sign-in", {"email": email, "password": "x"})
    response = Client().post("/sign-in", {"email": email, "password": PASSWORD})
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert email in response.content.decode()


def test_signing_out_ends_the_session_and_a_second_time_is_harmless(alice: Person):
    browser = alice.client()
    assert browser.get("/sign-out").status_code == 405
    assert browser.post("/sign-out")["Location"] == "/sign-in"
    assert browser.post("/sign-out")["Location"] == "/sign-in"
    assert browser.get("/lists").status_code == 302


def test_a_form_without_its_key_changes_nothing(alice: Person):
    response = Client(enforce_csrf_checks=True).post("/sign-in", {"email": alice.email})
    assert response.status_code == 403
    assert "too old" in response.content.decode()


# --- opening an account ---------------------------------------------------------------------------


def test_there_is_no_sign_up_unless_it_is_open(alice: Person, settings):
    assert Client().get("/sign-up").status_code == 404
    assert "sign-up" not in Client().get("/sign-in").content.decode()
    settings.SIGNUP_OPEN = True
    assert Client().get("/sign-up").status_code == 200
    assert 'href="/sign-up"' in Client().get("/sign-in").content.decode()


WISH = {key: NEW[key] for key in ("name", "email", "workspace")}


def link_in_the_mail(to: str = "mara@example.org") -> str:
    mail = SubscriberMessage.objects.filter(to_address=to).latest("pk")
    return urlsplit(mail.context["url"]).path


def test_an_open_instance_lets_a_stranger_open_an_account_by_mail(alice: Person, settings):
    settings.SIGNUP_OPEN = True
    browser = Client()
    assert "Check your inbox" in browser.post("/sign-up", WISH).content.decode()
    assert not User.objects.filter(email="mara@example.org").exists()
    link = link_in_the_mail()
    assert browser.get(link).status_code == 200
    assert browser.post(link, {"password": "gravenstein 1669"})["Location"] == "/"
    made = User.objects.get(email="mara@example.org")
    assert (made.name, made.is_admin) == ("Mara", False)
    assert made.memberships.get().workspace.name == "Orchard"
    assert browser.get("/").status_code == 200
    spent = Client().post(link, {"password": "gravenstein 1669"})
    assert spent.status_code == 404
    assert "has been used" in spent.content.decode()


def test_opening_an_account_does_not_tell_whether_an_address_is_known(alice: Person, settings):
    settings.SIGNUP_OPEN = True
    answers = {
        (response.status_code, response.content)
        for response in (
            Client().post("/sign-up", {**WISH, "email": email})
            for email in (alice.email, "nobody@example.org")
        )
    }
    assert len(answers) == 1
    names = SubscriberMessage.objects.order_by("pk").values_list("to_address", "message__name")
    assert list(names) == [
        (alice.email, "account-exists"),
        ("nobody@example.org", "account-new"),
    ]


def test_a_password_that_will_not_do_leaves_the_link_of_the_new_account_good(
    alice: Person, settings
):
    settings.SIGNUP_OPEN = True
    Client().post("/sign-up", WISH)
    link = link_in_the_mail()
    assert Client().post(link, {"password": "short"}).status_code == 400
    assert Client().post(link, {"password": "gravenstein 1669"}).status_code == 302


def test_a_link_that_was_made_up_opens_nothing(alice: Person, settings):
    settings.SIGNUP_OPEN = True
    response = Client().post("/sign-up/WyJldmVAZXhhbXBsZS5vcmciXQ:x:y", {"password": "x" * 12})
    assert response.status_code == 404


def test_an_unclaimed_instance_is_not_claimed_through_open_sign_up(
    client: Client, set_up_path: str, settings
):
    settings.SIGNUP_OPEN = True
    assert client.post("/sign-up", NEW).status_code == 404
    assert not User.objects.exists()


def test_nobody_makes_himself_administrator_by_a_field_more(alice: Person, settings):
    settings.SIGNUP_OPEN = True
    more = {"is_admin": "on", "admin": "1", "role": "owner"}
    Client().post("/sign-up", {**WISH, **more})
    Client().post(link_in_the_mail(), {"password": "gravenstein 1669", **more})
    assert not User.objects.get(email="mara@example.org").is_admin


# --- forgotten passwords --------------------------------------------------------------------------


def answer(email: str) -> tuple[int, str]:
    response = Client().post("/forgot", {"email": email})
    return response.status_code, response.content.decode()


def test_asking_for_a_link_answers_alike_and_mails_only_whom_it_knows(alice: Person):
    assert answer(alice.email) == answer("nobody@example.org") == answer("no address")
    queued = SubscriberMessage.objects.filter(message__kind=Kind.ACCOUNT)
    assert [one.to_address for one in queued] == [alice.email]
    assert "/reset/" in queued.get().context["url"]


def test_asking_takes_the_same_time_known_or_not(alice: Person, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evenly, "AT_LEAST", 0.3)
    times = []
    for email in (alice.email, "nobody@example.org"):
        start = time.perf_counter()
        Client().post("/forgot", {"email": email})
        times.append(time.perf_counter() - start)
    assert min(times) >= 0.3
    assert abs(times[0] - times[1]) < 0.15


def test_too_many_links_for_one_address_are_answered_the_same_and_not_mailed(
    alice: Person, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(account, "RESETS_FOR", limits.Rate(1, 3600))
    first, second = answer(alice.email), answer(alice.email)
    assert first == second
    assert SubscriberMessage.objects.count() == 1


def test_the_link_sets_a_password_once_and_ends_every_session(alice: Person):
    elsewhere = alice.client()
    assert elsewhere.get("/lists").status_code == 200
    url = f"/reset/{reset.token(alice.user)}"
    assert Client().get(url).status_code == 200
    assert Client().post(url, {"password": "gravenstein 1669"})["Location"] == "/sign-in"
    assert elsewhere.get("/lists").status_code == 302
    spent = Client().post(url, {"password": "boskoop 1856 apples"})
    assert spent.status_code == 404
    assert "Ask for a new link" in spent.content.decode()
    signed_in = Client().post("/sign-in", {"email": alice.email, "password": "gravenstein 1669"})
    assert signed_in["Location"] == "/"


def test_whose_password_changed_is_told_by_mail(alice: Person):
    Client().post(f"/reset/{reset.token(alice.user)}", {"password": "gravenstein 1669"})
    assert SubscriberMessage.objects.get().message.name == "password-changed"


def test_a_password_that_will_not_do_leaves_the_link_good(alice: Person):
    url = f"/reset/{reset.token(alice.user)}"
    refused = Client().post(url, {"password": "short"})
    assert refused.status_code == 400
    assert 'id="password-fault"' in refused.content.decode()
    assert Client().get(url).status_code == 200


@pytest.mark.parametrize("token", ["x", "x.y", ".", "a" * 500, "%00"])
def test_an_altered_link_is_a_friendly_page(alice: Person, token: str):
    response = Client().get(f"/reset/{token}")
    assert response.status_code == 404
    assert "This link is spent" in response.content.decode()


# --- workspaces -----------------------------------------------------------------------------------


def test_the_switcher_shows_only_ones_own_workspaces(alice: Person, charlie: Person):
    alice.member.__class__.objects.create(
        user=alice.user, workspace=charlie.workspace, role="viewer"
    )
    dora = people.open_workspace("dora")
    browser = alice.client()
    assert "Alice’s workspace" in browser.get("/settings").content.decode()
    chosen = browser.post("/workspace", {"workspace": charlie.workspace.public_id})
    assert chosen["Location"] == "/"
    assert "Charlie’s workspace" in browser.get("/settings/members").content.decode()
    refused = browser.post("/workspace", {"workspace": dora.workspace.public_id})
    assert refused.status_code == 404
    assert "Charlie’s workspace" in browser.get("/settings/members").content.decode()
