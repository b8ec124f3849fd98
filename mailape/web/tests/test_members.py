"""Members and invitations as pages: who sees which button, and what comes of it."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client

from mailape.accounts.models import Invitation, Membership, Role, User
from mailape.core import clock
from mailape.delivery.models import SubscriberMessage
from tests.house import people
from tests.house.people import PASSWORD, Person

NORA = "nora@example.org"


def invite(by: Person, email: str = NORA, role: str = "editor") -> str:
    """Invites by the page; returns the path of the link in the mail."""
    answer = by.client().post("/settings/members/invite", {"email": email, "role": role})
    assert answer["Location"] == "/settings/members"
    mail = SubscriberMessage.objects.filter(to_address=email).latest("pk")
    assert mail.message.name == "invitation"
    return urlsplit(mail.context["url"]).path


def role_of(person: Person) -> str:
    return Membership.objects.get(pk=person.member.pk).role


def test_a_stranger_accepts_by_making_an_account(alice: Person):
    link, browser = invite(alice), Client()
    page = browser.get(link).content.decode()
    assert "Alice invites nora@example.org" in page
    assert "Make an account and accept" in page
    given = {"name": "Nora", "password": "gravenstein 1669"}
    assert browser.post(link, given)["Location"] == "/"
    assert "Welcome to “Alice’s workspace”" in browser.get("/").content.decode()
    assert Membership.objects.get(user__email=NORA).role == Role.EDITOR
    spent = Client().get(link)
    assert spent.status_code == 404
    assert "accepted or withdrawn" in spent.content.decode()


def test_the_link_lies_in_no_outbox_that_members_read(alice: Person):
    """A viewer would take an admin's invitation out of it and join with a new account."""
    invite(alice, role="admin")
    assert SubscriberMessage.objects.get().workspace_id is None


def test_looking_at_an_invitation_accepts_nothing(alice: Person):
    link = invite(alice)
    for call in (Client().get, Client().head):
        call(link)
    assert Invitation.objects.get().accepted_at is None


def test_who_has_an_account_signs_in_and_accepts_with_one_button(alice: Person, charlie: Person):
    link, browser = invite(alice, charlie.email), Client()
    page = browser.get(link).content.decode()
    assert "Sign in to accept it" in page
    assert "password" not in page
    given = {"email": charlie.email, "password": PASSWORD, "next": link}
    assert browser.post("/sign-in", given)["Location"] == link
    assert browser.post(link)["Location"] == "/"
    assert "Alice’s workspace" in browser.get("/settings").content.decode()


def test_another_persons_account_does_not_accept(alice: Person, charlie: Person):
    link = invite(alice)
    assert "this invitation is for nora@example.org" in charlie.client().get(link).content.decode()
    assert charlie.client().post(link).status_code == 400
    assert not Membership.objects.filter(user=charlie.user, workspace=alice.workspace).exists()


def test_a_password_that_will_not_do_keeps_the_name_and_the_link(alice: Person):
    link = invite(alice)
    refused = Client().post(link, {"name": "Nora", "password": "short"})
    assert refused.status_code == 400
    assert 'id="password-fault"' in refused.content.decode()
    assert 'value="Nora"' in refused.content.decode()
    assert not User.objects.filter(email=NORA).exists()
    assert Client().post(link, {"name": "Nora", "password": "gravenstein 1669"}).status_code == 302


def test_inviting_a_member_says_so_and_keeps_what_was_typed(alice: Person, bob: Person):
    given = {"email": bob.email, "role": "viewer"}
    refused = alice.client().post("/settings/members/invite", given)
    assert refused.status_code == 400
    assert "is a member of this workspace already" in refused.content.decode()
    assert f'value="{bob.email}"' in refused.content.decode()
    assert not SubscriberMessage.objects.exists()


def test_invitations_are_listed_with_their_state_sent_again_and_withdrawn(alice: Person):
    first = invite(alice)
    one, browser = Invitation.objects.get(), alice.client()
    assert "Open" in browser.get("/settings/members").content.decode()
    with clock.moved(timedelta(days=8)):
        assert "Expired" in browser.get("/settings/members").content.decode()
    browser.post(f"/settings/invitations/{one.public_id}/again")
    assert SubscriberMessage.objects.count() == 2
    assert Client().get(first).status_code == 404
    browser.post(f"/settings/invitations/{one.public_id}/withdraw")
    assert "Withdrawn" in browser.get("/settings/members").content.decode()


def test_an_editor_sees_the_team_and_no_invitations(alice: Person, bob: Person):
    invite(alice)
    html = bob.client().get("/settings/members").content.decode()
    assert alice.email in html
    assert NORA not in html
    assert "Invite somebody" not in html


def test_an_admin_is_offered_no_owners_role_and_no_owners_page(alice: Person):
    dora = people.join(alice, "dora", Role.ADMIN)
    form = dora.client().get("/settings/members/invite").content.decode()
    assert 'value="admin"' in form
    assert 'value="owner"' not in form
    page = dora.client().get(f"/settings/members/{alice.member.public_id}").content.decode()
    assert "Only an owner can change or remove an owner." in page


def test_a_role_is_changed_and_a_member_removed(alice: Person, bob: Person):
    url, browser = f"/settings/members/{bob.member.public_id}", alice.client()
    browser.post(url, {"role": "admin"})
    assert role_of(bob) == Role.ADMIN
    assert browser.post(url, {"role": "emperor"}).status_code == 400
    assert browser.post(f"{url}/remove")["Location"] == "/settings/members"
    assert bob.client().get("/lists").status_code == 403


def test_the_workspace_is_handed_over_and_left(alice: Person, bob: Person):
    browser = alice.client()
    assert "only owner" in browser.get("/settings/members/leave").content.decode()
    assert browser.post("/settings/members/leave").status_code == 409
    browser.post(f"/settings/members/{bob.member.public_id}/owner")
    assert (role_of(alice), role_of(bob)) == (Role.ADMIN, Role.OWNER)
    assert browser.post("/settings/members/leave")["Location"] == "/"
    assert not Membership.objects.filter(pk=alice.member.pk).exists()


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_an_editor_cannot_raise_herself(alice: Person, bob: Person, role: str):
    url = f"/settings/members/{bob.member.public_id}"
    assert bob.client().post(url, {"role": role}).status_code == 403
    assert role_of(bob) == Role.EDITOR
