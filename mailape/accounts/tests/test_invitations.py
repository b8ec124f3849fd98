"""Invitations: a place kept for an address, for seven days; the link is good once and for it."""

from datetime import timedelta

import pytest

from mailape.accounts import invitations
from mailape.accounts.models import Invitation, Membership, Role, User
from mailape.core import clock, limits
from mailape.core.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany
from tests.house import people
from tests.house.people import Person

PASSWORD = "gravenstein 1669"


def invited(by: Person, email: str = "nora@example.org", role: str = "editor") -> str:
    return invitations.invite(by.member, email, role)[1].rpartition("/")[2]


def test_a_stranger_makes_an_account_and_joins(alice: Person):
    member = invitations.accept_as_new(invited(alice), "Nora", PASSWORD)
    assert (member.workspace, member.role) == (alice.workspace, Role.EDITOR)
    assert member.user.check_password(PASSWORD)
    assert not member.user.is_admin
    assert Membership.objects.filter(user=member.user).count() == 1


def test_a_user_joins_with_the_account_she_has(alice: Person, charlie: Person):
    member = invitations.accept(invited(alice, "CHARLIE@example.org"), charlie.user)
    assert (member.user, member.workspace) == (charlie.user, alice.workspace)


def test_the_link_is_good_once(alice: Person, charlie: Person):
    token = invited(alice, charlie.email)
    invitations.accept(token, charlie.user)
    Membership.objects.filter(user=charlie.user, workspace=alice.workspace).delete()
    with pytest.raises(NotFound, match="accepted or withdrawn"):
        invitations.accept(token, charlie.user)


def test_the_link_is_for_the_address_that_was_invited(alice: Person, charlie: Person):
    with pytest.raises(NotAllowed, match=r"nora@example\.org"):
        invitations.accept(invited(alice), charlie.user)


def test_an_account_that_exists_is_not_taken_over(alice: Person, charlie: Person):
    with pytest.raises(Conflict):
        invitations.accept_as_new(invited(alice, charlie.email), "Eve", PASSWORD)
    charlie.user.refresh_from_db()
    assert not charlie.user.check_password(PASSWORD)


def test_it_expires_after_seven_days_and_can_be_sent_again(alice: Person):
    old = invited(alice)
    with clock.moved(timedelta(days=7, seconds=1)):
        with pytest.raises(NotFound, match="expired"):
            invitations.by_token(old)
        (one,) = invitations.listed(alice.workspace)
        assert one.state == "expired"
        new = invitations.again(alice.member, one).rpartition("/")[2]
        assert invitations.by_token(new).pk == one.pk
        with pytest.raises(NotFound):
            invitations.by_token(old)


def test_withdrawing_ends_the_link(alice: Person):
    token = invited(alice)
    one = invitations.by_token(token)
    for _ in range(2):
        invitations.withdraw(alice.member, one)
        one.refresh_from_db()
    with pytest.raises(NotFound):
        invitations.accept_as_new(token, "Nora", PASSWORD)
    with pytest.raises(Conflict):
        invitations.again(alice.member, one)
    assert not User.objects.filter(email="nora@example.org").exists()


def test_inviting_a_member_says_so(alice: Person, bob: Person):
    with pytest.raises(Conflict, match="member of this workspace already"):
        invited(alice, "BOB@example.org")


def test_inviting_twice_is_one_invitation_with_the_newer_role(alice: Person):
    first, second = invited(alice), invited(alice, role="viewer")
    assert Invitation.objects.get().role == "viewer"
    assert invitations.by_token(second)
    with pytest.raises(NotFound):
        invitations.by_token(first)


def test_nobody_invites_above_her_own_role(alice: Person):
    dora = people.join(alice, "dora", Role.ADMIN)
    with pytest.raises(NotAllowed):
        invited(dora, role="owner")
    eve = people.join(alice, "eve", Role.EDITOR)
    with pytest.raises(NotAllowed):
        invited(eve, role="viewer")
    with pytest.raises(Invalid):
        invited(alice, role="emperor")


def test_an_invitation_to_a_higher_role_is_not_sent_again_by_a_lower_one(alice: Person):
    one = invitations.by_token(invited(alice, role="owner"))
    dora = people.join(alice, "dora", Role.ADMIN)
    with pytest.raises(NotAllowed):
        invitations.again(dora.member, one)


def test_one_address_is_not_written_to_without_end(alice: Person, charlie: Person):
    for by in (alice, charlie):
        for _ in range(2):
            invited(by)
    invited(alice)
    with pytest.raises(TooMany):
        invited(charlie)


def test_a_workspace_does_not_mail_strangers_without_end(
    alice: Person, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(invitations, "PER_WORKSPACE", limits.Rate(2, 86_400))
    for number in range(2):
        invited(alice, f"n{number}@example.org")
    with pytest.raises(TooMany):
        invited(alice, "n9@example.org")


def test_another_workspaces_invitation_is_not_found(alice: Person, charlie: Person):
    one = invitations.by_token(invited(alice))
    with pytest.raises(NotFound):
        invitations.one(charlie.workspace, one.public_id)


def test_only_a_hash_of_the_link_is_kept(alice: Person):
    token = invited(alice)
    assert token not in Invitation.objects.get().hash
