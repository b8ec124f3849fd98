"""Users, roles, tokens and resets: who may do what, and for how long."""

from datetime import timedelta

import pytest
from django.test import RequestFactory

from mailape.accounts import access, reset, signin, tokens, users
from mailape.accounts.models import Membership, Role
from mailape.core import clock
from mailape.core.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany

GOOD = "correct horse battery"
pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Membership:
    return users.add("alice@example.org", GOOD, name="Alice")


def request():
    return RequestFactory().post("/sign-in")


def test_a_second_user_with_the_same_address_in_other_letters_is_refused(alice):
    with pytest.raises(Conflict):
        users.add("ALICE@EXAMPLE.ORG", GOOD)


def test_only_the_first_user_becomes_administrator_unasked(alice):
    assert alice.user.is_admin
    assert not users.add("bob@example.org", GOOD).user.is_admin


@pytest.mark.parametrize("weak", ["", "short", "1234567890", "password123", "alice@example.org"])
def test_a_weak_password_is_refused(weak):
    with pytest.raises(Invalid):
        users.add("alice@example.org", weak)


def test_signing_in_works_in_any_letter_case(alice):
    assert signin.check(request(), "ALICE@example.org", GOOD, "192.0.2.1") == alice.user


@pytest.mark.parametrize(
    ("email", "password"),
    [("alice@example.org", "wrong"), ("eve@example.org", GOOD), ("nonsense", GOOD), ("", "")],
)
def test_anything_else_does_not_sign_in(alice, email, password):
    assert signin.check(request(), email, password, "192.0.2.1") is None


def test_an_inactive_user_does_not_sign_in(alice):
    alice.user.is_active = False
    alice.user.save()
    assert signin.check(request(), "alice@example.org", GOOD, "192.0.2.1") is None


def test_guessing_is_stopped_even_with_the_right_password(alice):
    for _ in range(10):
        signin.check(request(), "alice@example.org", "wrong", "192.0.2.1")
    with pytest.raises(TooMany):
        signin.check(request(), "Alice@example.org", GOOD, "198.51.100.1")


def test_a_role_may_do_what_the_lower_ones_may(alice):
    alice.role = Role.EDITOR
    access.require(alice, Role.VIEWER)
    access.require(alice, Role.EDITOR)
    with pytest.raises(NotAllowed):
        access.require(alice, Role.ADMIN)


def test_a_workspace_that_is_not_mine_does_not_exist_for_me(alice):
    charlie = users.add("charlie@example.org", GOOD)
    with pytest.raises(NotFound):
        access.workspace_of(charlie.user, alice.workspace.public_id)


def test_a_token_is_found_by_its_text_and_kept_as_a_hash(alice):
    made, text = tokens.add(alice, "script")
    assert tokens.find(text) == made
    assert text not in str(vars(made))


@pytest.mark.parametrize("wrong", ["", "ma_", "ma_" + "x" * 43, "x" * 500])
def test_a_wrong_token_is_nothing(alice, wrong):
    tokens.add(alice, "script")
    assert tokens.find(wrong) is None


def test_a_token_dies_when_revoked_expired_or_its_user_leaves(alice):
    made, text = tokens.add(alice, "script")
    tokens.revoke(made)
    assert tokens.find(text) is None
    _, short = tokens.add(alice, "short", expires_at=clock.now() + timedelta(hours=1))
    assert tokens.find(short) is not None
    with clock.moved(timedelta(hours=2)):
        assert tokens.find(short) is None
    _, third = tokens.add(alice, "third")
    alice.user.is_active = False
    alice.user.save()
    assert tokens.find(third) is None


def test_a_reset_link_works_once_and_for_an_hour(alice):
    link = reset.token(alice.user)
    reset.set_password(link, "another long one")
    alice.user.refresh_from_db()
    assert alice.user.check_password("another long one")
    with pytest.raises(NotFound):
        reset.set_password(link, "and one more long")


@pytest.mark.parametrize("wrong", ["", ".", "x.y", "abc"])
def test_an_altered_reset_link_is_not_found(alice, wrong):
    with pytest.raises(NotFound):
        reset.user_of(wrong)


def test_a_reset_link_of_one_is_none_of_another(alice):
    bob = users.add("bob@example.org", GOOD)
    mixed = f"{bob.user.public_id}.{reset.token(alice.user).partition('.')[2]}"
    with pytest.raises(NotFound):
        reset.user_of(mixed)
