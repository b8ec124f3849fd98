"""The sign-up page: for strangers, without cookie and JavaScript, alike for every address."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from django.test import Client

from mailape.core import clock, limits
from mailape.lists import manage, subscribe, wording
from mailape.lists.models import ConsentRecord, MailingList, Status, Subscriber, Subscription
from mailape.web import evenly
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from mailape.web.views import public


@pytest.fixture
def url(a_list: MailingList) -> str:
    return f"/subscribe/{a_list.public_id}"


def forms(html: str) -> list[str]:
    return re.findall(r"<form\b.*?</form>", html, re.DOTALL)


def test_the_page_has_one_form_with_one_required_field(stranger: Client, url: str):
    html = stranger.get(url).content.decode()
    (form,) = forms(html)
    assert 'method="post"' in form
    required = [tag for tag in re.findall(r"<input[^>]*>", form) if " required" in tag]
    assert len(required) == 1
    assert 'name="email"' in required[0]


def test_it_needs_no_cookie_and_sets_none(stranger: Client, url: str):
    for response in (stranger.get(url), stranger.post(url, {"email": "vera@example.org"})):
        assert response.status_code == 200
        assert not response.cookies
        assert "Cookie" not in response.get("Vary", "")


def test_signing_up_stores_subscription_consent_and_the_fact_that_asks_for_the_mail(
    stranger: Client, url: str, a_list: MailingList
):
    response = stranger.post(url, {"email": "Vera@Example.org", "name": "Vera"})
    assert "Check your inbox" in response.content.decode()
    made = Subscription.objects.get(list=a_list)
    assert (made.status, made.confirmation_no) == (Status.UNCONFIRMED, 1)
    record = ConsentRecord.objects.get()
    assert (record.method, record.source) == ("form", url)


def test_the_wording_kept_is_the_wording_shown(stranger: Client, url: str):
    shown = stranger.get(url).content.decode()
    stranger.post(url, {"email": "vera@example.org"})
    wording = ConsentRecord.objects.get().wording
    assert wording
    assert wording in shown


def test_the_answer_is_the_same_for_every_address(
    stranger: Client, url: str, a_list: MailingList, world: World
):
    worlds.on_list(a_list, "confirmed@example.org")
    worlds.on_list(a_list, "unconfirmed@example.org", confirmed=False)
    gone = worlds.on_list(a_list, "gone@example.org")
    subscribe.unsubscribe(gone.pk, None, worlds.WORD)
    addresses = ["new", "confirmed", "unconfirmed", "gone", "CONFIRMED", "new"]
    answers = {
        stranger.post(url, {"email": f"{one}@example.org"}).content.decode() for one in addresses
    }
    assert len(answers) == 1


def test_the_answer_takes_the_same_time(
    stranger: Client, url: str, a_list: MailingList, monkeypatch: pytest.MonkeyPatch
):
    worlds.on_list(a_list, "confirmed@example.org")
    monkeypatch.setattr(evenly, "AT_LEAST", 0.3)
    times = []
    for email in ("new@example.org", "confirmed@example.org"):
        start = time.perf_counter()
        stranger.post(url, {"email": email})
        times.append(time.perf_counter() - start)
    assert min(times) >= 0.3
    assert abs(times[0] - times[1]) < 0.15


@pytest.mark.parametrize("email", ["", " ", "no address", "a@b@c", "<script>@x", "a" * 400])
def test_what_is_no_address_is_said_at_the_field_and_kept(stranger: Client, url: str, email: str):
    response = stranger.post(url, {"email": email, "name": "Vera"})
    assert response.status_code == 400
    html = response.content.decode()
    assert 'id="email-fault"' in html
    assert 'value="Vera"' in html
    assert not Subscriber.objects.exists()


def test_a_filled_trap_is_asked_again_and_never_dropped(stranger: Client, url: str):
    given = {"email": "vera@example.org", "name": "Vera", "website": "https://x.example"}
    response = stranger.post(url, given)
    html = response.content.decode()
    assert response.status_code == 200
    assert "One more click" in html
    assert 'name="website"' not in html
    assert 'value="vera@example.org"' in html
    assert not Subscriber.objects.exists()
    again = stranger.post(url, {"email": "vera@example.org", "name": "Vera"})
    assert "Check your inbox" in again.content.decode()
    assert Subscriber.objects.get().name == "Vera"


def test_one_network_is_limited_and_what_was_typed_is_kept(
    stranger: Client, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(public, "PER_NETWORK", limits.Rate(3, 600))
    for number in range(3):
        address = f"203.0.113.{number}"
        sent = stranger.post(url, {"email": f"v{number}@example.org"}, REMOTE_ADDR=address)
        assert sent.status_code == 200
    given = {"email": "vera@example.org", "name": "Vera"}
    limited = stranger.post(url, given, REMOTE_ADDR="203.0.113.99")
    assert limited.status_code == 429
    assert int(limited["Retry-After"]) > 0
    assert 'value="vera@example.org"' in limited.content.decode()
    elsewhere = stranger.post(url, given, REMOTE_ADDR="198.51.100.1")
    assert elsewhere.status_code == 200


def test_a_made_up_forwarded_for_does_not_get_round_the_limit(
    stranger: Client, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(public, "PER_NETWORK", limits.Rate(2, 600))
    statuses = [
        stranger.post(
            url, {"email": f"v{number}@example.org"},
            REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR=f"10.{number}.0.1",
        ).status_code
        for number in range(3)
    ]  # fmt: skip
    assert statuses == [200, 200, 429]


def test_loopback_is_not_one_visitor(stranger: Client, url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(public, "PER_NETWORK", limits.Rate(1, 600))
    for number in range(3):
        sent = stranger.post(url, {"email": f"v{number}@example.org"}, REMOTE_ADDR="127.0.0.1")
        assert sent.status_code == 200


def test_one_list_is_limited_from_wherever_it_comes(
    stranger: Client, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(public, "PER_LIST", limits.Rate(2, 600))
    statuses = [
        stranger.post(url, {"email": f"v{n}@example.org"}, REMOTE_ADDR=f"198.51.{n}.1").status_code
        for n in range(3)
    ]
    assert statuses == [200, 200, 429]
    with clock.moved(timedelta(minutes=21)):
        assert stranger.post(url, {"email": "later@example.org"}).status_code == 200


def test_looking_changes_nothing(stranger: Client, url: str):
    for method in (stranger.get, stranger.head):
        assert method(url, {"email": "vera@example.org"}).status_code == 200
    assert not Subscriber.objects.exists()


def test_an_archived_or_unknown_list_is_a_friendly_page(
    stranger: Client, url: str, a_list: MailingList
):
    manage.archive(a_list)
    for wrong in (url, "/subscribe/x", f"/subscribe/{worlds.foreign('list')}"):
        response = stranger.get(wrong)
        assert response.status_code == 404
        assert "There is nothing here" in response.content.decode()
        assert stranger.post(wrong, {"email": "vera@example.org"}).status_code == 404
    assert not Subscriber.objects.exists()


def test_a_form_on_another_site_may_post_here(stranger: Client, url: str):
    sent = stranger.post(url, {"email": "vera@example.org"}, HTTP_ORIGIN="https://blog.example")
    assert sent.status_code == 200
    assert Subscriber.objects.exists()


# --- a form sent sooner than a person types -------------------------------------------------------


def sign_ups_from(address: str, list_id: str, count: int, **more: str) -> list[bool]:
    """Whether each of these sign-ups from one network was taken."""
    taken = []
    for number in range(count):
        given = {"email": f"r{number}@example.org", **more}
        client = Client(REMOTE_ADDR=address)
        html = client.post(f"/subscribe/{list_id}", given).content.decode()
        taken.append("Check your inbox" in html)
    return taken


def stamp_of(html: str) -> str:
    found = re.search(r'name="at" value="([^"]+)"', html)
    assert found
    return found[1]


def test_the_first_few_quick_forms_of_a_network_pass_and_the_next_is_asked_again(world: World):
    assert sign_ups_from("198.51.100.7", world.list.public_id, 7) == [True] * 5 + [False] * 2
    # Another network is not its business.
    assert sign_ups_from("203.0.113.9", world.list.public_id, 1) == [True]


def test_who_is_asked_again_gets_through_with_one_more_click(world: World):
    sign_ups_from("198.51.100.7", world.list.public_id, 5)
    client, url = Client(REMOTE_ADDR="198.51.100.7"), f"/subscribe/{world.list.public_id}"
    asked = client.post(url, {"email": "nora@example.org"})
    html = asked.content.decode()
    assert "One more click" in html
    assert 'value="nora@example.org"' in html
    with clock.moved(timedelta(seconds=3)):
        again = client.post(url, {"email": "nora@example.org", "at": stamp_of(html)})
    assert "Check your inbox" in again.content.decode()


def test_people_who_take_their_time_are_never_asked(world: World):
    page = Client().get(f"/subscribe/{world.list.public_id}").content.decode()
    with clock.moved(timedelta(seconds=5)):
        taken = sign_ups_from("198.51.100.7", world.list.public_id, 9, at=stamp_of(page))
    assert taken == [True] * 9


# --- languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("browser", "own", "spoken"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "", "de"),
        ("fr", "de", "fr"),
        ("pl, es;q=0.5", "", "es"),
        ("pl", "fr", "fr"),
        ("pl", "", "en"),
        ("", "es", "es"),
        ("not a header;;q=x", "", "en"),
    ],
)
def test_a_page_speaks_the_browsers_language_else_the_lists(
    world: World, browser: str, own: str, spoken: str
):
    wording.set_language(world.list, own)
    answer = Client(headers={"accept-language": browser}).get(f"/subscribe/{world.list.public_id}")
    assert f'<html lang="{spoken}">' in answer.content.decode()
    assert answer["Content-Language"] == spoken


def test_where_the_owners_words_stand_the_page_is_in_the_lists_language(world: World):
    wording.set_language(world.list, "de")
    wording.change(world.list, {"goodbye": "Schade!\n\nBis <b>bald</b>."})
    url = f"/u/{world.links.unsubscribe}"
    browser = Client(headers={"accept-language": "fr"})
    assert '<html lang="fr">' in browser.get(url).content.decode()
    html = browser.post(url).content.decode()
    assert '<html lang="de">' in html
    assert "<p>Schade!</p>" in html
    assert "&lt;b&gt;bald" in html


def test_the_next_request_does_not_inherit_a_language(world: World):
    Client(headers={"accept-language": "de"}).get(f"/subscribe/{world.list.public_id}")
    assert '<html lang="en">' in Client().get("/sign-in").content.decode()
