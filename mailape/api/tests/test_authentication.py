"""Who is let in: tokens in the header, signed-in browsers with the CSRF token, nobody else."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from mailape.accounts import reset, tokens
from mailape.accounts.models import ApiToken, Membership, Role
from mailape.core import clock, links
from mailape.core.logs import cleaned
from mailape.lists.models import MailingList
from tests.house.people import Person

pytestmark = pytest.mark.django_db


def me(header: str) -> int:
    return Client(headers={"Authorization": header}).get("/api/v1/me").status_code


def test_me_is_the_tokens_user_workspace_and_role(api: Any, bob: Person) -> None:
    shown = api(bob).get("me").json()
    assert shown["user"]["email"] == "bob@example.org"
    assert shown["workspace"]["id"] == bob.workspace.public_id
    assert shown["role"] == "editor"


def test_the_scheme_is_read_in_any_letter_case(alice: Person) -> None:
    token = alice.token()
    assert me(f"Bearer {token}") == me(f"bearer {token}") == me(f"BEARER   {token} ") == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic YTpi", "Token {token}", "{token}", "Bearer {token}x",
     "Bearer {token} x", "Bearer ma_", "Bearer ma_\x00", "Bearer " + "ma_" + "x" * 5000],
)  # fmt: skip
def test_any_other_header_is_401_and_says_how(alice: Person, header: str) -> None:
    answer = Client(headers={"Authorization": header.format(token=alice.token())}).get("/api/v1/me")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")


def test_a_wrong_header_is_not_made_good_by_a_session(alice: Person) -> None:
    browser = alice.client()
    assert browser.get("/api/v1/me").status_code == 200
    assert browser.get("/api/v1/me", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "TOKEN", "q"])
def test_a_token_in_the_address_is_refused_even_beside_a_good_one(alice: Person, name: str) -> None:
    token = alice.token()
    url = f"/api/v1/lists?{name}={token}"
    assert Client().get(url).status_code == 401
    good = Client(headers={"Authorization": f"Bearer {token}"})
    answer = good.get(url)
    assert answer.status_code == 401
    assert "never in the address" in answer.json()["detail"]
    assert token not in answer.content.decode()


def test_a_revoked_token_is_refused_at_once(api: Any, alice: Person) -> None:
    call = api(alice)
    assert call.get("me").status_code == 200
    tokens.revoke(ApiToken.objects.get())
    assert call.get("me").status_code == 401


def test_an_expired_token_is_refused(alice: Person) -> None:
    _, text = tokens.add(alice.member, "short", clock.now() + timedelta(hours=1))
    assert me(f"Bearer {text}") == 200
    with clock.moved(timedelta(hours=1, seconds=1)):
        assert me(f"Bearer {text}") == 401


def test_a_token_ends_with_its_users_membership_and_account(api: Any, bob: Person) -> None:
    call = api(bob)
    bob.member.delete()
    assert call.get("me").status_code == 401
    Membership.objects.create(user=bob.user, workspace=bob.workspace, role=Role.VIEWER)
    assert call.get("me").json()["role"] == "viewer"
    bob.user.is_active = False
    bob.user.save()
    assert call.get("me").status_code == 401


def test_a_token_has_the_role_of_now_not_that_of_its_making(api: Any, bob: Person) -> None:
    call = api(bob)
    bob.member.role = Role.VIEWER
    bob.member.save()
    assert call.post("messages", {}).status_code == 403


def test_only_its_hash_is_stored(alice: Person) -> None:
    text = alice.token()
    row = ApiToken.objects.get()
    assert text not in str(vars(row))
    assert row.hash != text


def test_the_last_use_is_kept_to_the_minute(api: Any, alice: Person) -> None:
    call = api(alice)
    call.get("me")
    first = ApiToken.objects.get().last_used_at
    call.get("me")
    assert ApiToken.objects.get().last_used_at == first
    with clock.moved(timedelta(minutes=2)):
        call.get("me")
        assert ApiToken.objects.get().last_used_at > first


def test_no_other_kind_of_token_of_ours_opens_the_api(alice: Person) -> None:
    """The matrix of all kinds of token against this use; the other uses test theirs."""
    browser = alice.client()
    browser.get("/api/v1/me")
    others = [
        reset.token(alice.user),
        links.confirm(1, 1, 0),
        *vars_of(links.for_person(1, 1)),
        browser.session.session_key,
        str(browser.cookies.get("csrftoken")),
        ApiToken.objects.create(
            user=alice.user, workspace=alice.workspace, name="x", hash="0" * 64, prefix="ma_"
        ).hash,
    ]
    for other in others:
        assert me(f"Bearer {other}") == 401
        assert me(f"Bearer ma_{other}") == 401


def vars_of(found: links.Links) -> list[str]:
    return [found.unsubscribe, found.preferences, found.click, found.open]


def test_an_api_token_opens_no_page(alice: Person) -> None:
    browser = Client(headers={"Authorization": f"Bearer {alice.token()}"})
    assert browser.get("/lists").status_code in {302, 401, 403, 404}


def test_a_signed_in_browser_reads_without_and_writes_only_with_the_csrf_token(
    alice: Person,
) -> None:
    browser = alice.client(enforce_csrf_checks=True)
    assert browser.get("/api/v1/me").json()["role"] == "owner"

    def post(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return browser.post(
            "/api/v1/lists", {"name": "x"}, content_type="application/json", headers=named
        ).status_code

    assert post() == 403
    assert post(X_CSRFToken="a" * 32) == 403
    browser.cookies["csrftoken"] = "a" * 32
    assert post(X_CSRFToken="b" * 32) == 403
    assert not MailingList.objects.exists()
    assert post(X_CSRFToken="a" * 32) == 201
    assert post(X_CSRFToken="a" * 32, Origin="https://evil.example") == 403
    assert MailingList.objects.count() == 1


def test_a_form_of_another_site_cannot_be_a_json_body(alice: Person) -> None:
    browser = alice.client(enforce_csrf_checks=True)
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ):
        answer = browser.generic("POST", "/api/v1/lists", b'{"name": "x"}', kind)
        assert answer.status_code in {403, 415}
    assert not MailingList.objects.exists()


def test_a_token_needs_no_csrf_and_no_cookie(api: Any, alice: Person) -> None:
    call = api(alice)
    call.client.handler.enforce_csrf_checks = True
    answer = call.post("lists", {"name": "x"})
    assert answer.status_code == 201
    assert not answer.cookies


def test_a_browser_is_in_the_workspace_that_it_shows(alice: Person, charlie: Person) -> None:
    Membership.objects.create(user=alice.user, workspace=charlie.workspace, role=Role.VIEWER)
    browser = alice.client()
    assert browser.get("/api/v1/me").json()["workspace"]["id"] == alice.workspace.public_id
    session = browser.session
    session["workspace"] = charlie.workspace.pk
    session.save()
    shown = browser.get("/api/v1/me").json()
    assert (shown["workspace"]["id"], shown["role"]) == (charlie.workspace.public_id, "viewer")
    session["workspace"] = 10**6
    session.save()
    assert browser.get("/api/v1/me").json()["workspace"]["id"] == alice.workspace.public_id


def test_who_is_in_no_workspace_is_told_so(alice: Person) -> None:
    browser = alice.client()
    alice.member.delete()
    answer = browser.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


def test_the_log_holds_no_token_and_no_whole_address(
    api: Any, alice: Person, a_list: MailingList, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call, token = api(alice), alice.token()
    call.post(f"lists/{a_list.public_id}/subscribers", {"email": "eve.adams@example.org"})
    Client(headers={"Authorization": f"Bearer {token}x"}).get("/api/v1/me")
    Client().get(f"/api/v1/me?q={token}")
    # The formatter is what every handler writes with; DEBUG lines of others pass it too.
    written = "\n".join(cleaned(record.getMessage()) for record in caplog.records)
    assert token not in written
    assert "eve.adams@" not in written


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", ""])
def test_a_body_of_another_kind_breaks_nothing_behind_the_csrf_check(
    alice: Person, kind: str
) -> None:
    """Looking for the CSRF token in a form uses its stream up."""
    browser = alice.client(enforce_csrf_checks=True)
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\ny\r\n--x--\r\n'
    assert browser.generic("POST", "/api/v1/lists", body, kind).status_code == 403
