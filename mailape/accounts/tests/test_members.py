"""Roles given and taken: never above one's own, and a workspace is never without an owner."""

import pytest

from mailape.accounts import members, tokens
from mailape.accounts.models import Membership, Role
from mailape.core.errors import Conflict, Invalid, NotAllowed, NotFound
from tests.house import people
from tests.house.people import Person


def role_of(person: Person) -> str:
    return Membership.objects.get(pk=person.member.pk).role


def test_an_owner_gives_any_role(alice: Person, bob: Person):
    for role in Role.values:
        members.change_role(alice.member, bob.member, role)
        assert role_of(bob) == role


def test_an_admin_gives_roles_up_to_her_own_and_leaves_owners_alone(alice: Person, bob: Person):
    dora = people.join(alice, "dora", Role.ADMIN)
    members.change_role(dora.member, bob.member, Role.ADMIN)
    for other, role in ((bob, Role.OWNER), (alice, Role.VIEWER)):
        with pytest.raises(NotAllowed):
            members.change_role(dora.member, other.member, role)
    with pytest.raises(NotAllowed):
        members.remove(dora.member, alice.member)
    assert (role_of(alice), role_of(bob)) == (Role.OWNER, Role.ADMIN)


@pytest.mark.parametrize("role", [Role.EDITOR, Role.VIEWER])
def test_who_is_no_admin_changes_nobody(alice: Person, bob: Person, role: Role):
    low = people.join(alice, "low", role)
    with pytest.raises(NotAllowed):
        members.change_role(low.member, bob.member, Role.VIEWER)
    with pytest.raises(NotAllowed):
        members.remove(low.member, bob.member)


def test_a_role_that_was_taken_meanwhile_does_not_count(alice: Person, bob: Person):
    """The deed looks at the roles as they are now, not as the page showed them."""
    dora = people.join(alice, "dora", Role.ADMIN)
    members.change_role(alice.member, dora.member, Role.VIEWER)
    with pytest.raises(NotAllowed):
        members.remove(dora.member, bob.member)


def test_the_last_owner_stays(alice: Person, bob: Person):
    for deed in (
        lambda: members.leave(alice.member),
        lambda: members.remove(alice.member, alice.member),
        lambda: members.change_role(alice.member, alice.member, Role.ADMIN),
    ):
        with pytest.raises(Conflict, match="needs an owner"):
            deed()
    members.change_role(alice.member, bob.member, Role.OWNER)
    members.leave(alice.member)
    assert not Membership.objects.filter(pk=alice.member.pk).exists()


def test_handing_over_changes_both_at_once(alice: Person, bob: Person):
    members.hand_over(alice.member, bob.member)
    assert (role_of(alice), role_of(bob)) == (Role.ADMIN, Role.OWNER)
    with pytest.raises(NotAllowed):
        members.hand_over(alice.member, bob.member)
    with pytest.raises(Conflict):
        members.hand_over(bob.member, bob.member)


def test_who_is_removed_keeps_no_key(alice: Person, bob: Person):
    text = bob.token()
    members.remove(alice.member, bob.member)
    assert tokens.find(text) is None
    with pytest.raises(NotFound):
        members.remove(alice.member, bob.member)


def test_what_is_no_role_is_refused(alice: Person, bob: Person):
    with pytest.raises(Invalid):
        members.change_role(alice.member, bob.member, "emperor")


def test_another_workspaces_member_is_not_found(alice: Person, charlie: Person):
    with pytest.raises(NotFound):
        members.one(alice.workspace, charlie.member.public_id)


# --- tokens ---------------------------------------------------------------------------------------


def test_a_token_may_do_less_than_its_user_and_never_more(alice: Person, bob: Person):
    low, text = tokens.add(alice.member, "reads", role=Role.VIEWER)
    assert tokens.rights(low).role == Role.VIEWER
    with pytest.raises(Invalid):
        tokens.add(bob.member, "too much", role=Role.OWNER)
    high, _text = tokens.add(bob.member, "edits", role=Role.EDITOR)
    members.change_role(alice.member, bob.member, Role.VIEWER)
    assert tokens.rights(high).role == Role.VIEWER
    assert tokens.find(text) is not None
