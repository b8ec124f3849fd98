"""One's own account: address, password, sessions, closing it."""

from datetime import timedelta

import pytest
from django.test import Client

from mailape.accounts import profile, reset, sessions, users, workspaces
from mailape.accounts.models import Membership, Role, SignedIn, User
from mailape.core import clock
from mailape.core.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany
from mailape.core.models import InstanceSetting
from tests.house import people
from tests.house.people import PASSWORD, Person

NEW = "gravenstein 1669"


def asked(person: Person, email: str) -> str:
    token = profile.ask_new_address(person.user, email, PASSWORD)
    assert token
    return token


def test_a_new_address_is_confirmed_by_the_mail_to_it(alice: Person):
    token = asked(alice, "Alice@New.example")
    alice.user.refresh_from_db()
    assert alice.user.email == "alice@example.org"
    user, before = profile.confirm_address(token)
    assert (user.email, user.email_key, before) == (
        "Alice@new.example", "alice@new.example", "alice@example.org",
    )  # fmt: skip
    with pytest.raises(NotFound):
        profile.confirm_address(token)


def test_only_the_newest_wish_counts_and_it_can_be_taken_back(alice: Person):
    first = asked(alice, "one@example.org")
    second = asked(alice, "two@example.org")
    with pytest.raises(NotFound):
        profile.confirm_address(first)
    profile.forget_new_address(alice.user)
    with pytest.raises(NotFound):
        profile.confirm_address(second)


def test_the_link_ends_after_an_hour_and_with_the_password(alice: Person, settings):
    token = asked(alice, "new@example.org")
    users.set_password(alice.user, NEW)
    with pytest.raises(NotFound):
        profile.confirm_address(token)


def test_a_reset_link_is_no_link_for_an_address(alice: Person):
    asked(alice, "new@example.org")
    with pytest.raises(NotFound):
        profile.confirm_address(reset.token(alice.user))
    with pytest.raises(NotFound):
        reset.user_of(asked(alice, "new@example.org"))


def test_another_users_address_gives_no_link_and_no_error(alice: Person, charlie: Person):
    assert profile.ask_new_address(alice.user, charlie.email, PASSWORD) is None


def test_an_address_taken_meanwhile_is_not_taken_twice(alice: Person):
    token = asked(alice, "new@example.org")
    users.add("new@example.org", NEW)
    with pytest.raises(Conflict):
        profile.confirm_address(token)


def test_without_the_password_nothing_is_asked(alice: Person):
    with pytest.raises(Invalid) as refused:
        profile.ask_new_address(alice.user, "new@example.org", "wrong")
    assert refused.value.field == "email_password"


def test_guessing_the_password_here_is_slow_too(alice: Person):
    for _ in range(10):
        with pytest.raises(Invalid):
            profile.change_password(alice.user, "wrong", NEW)
    with pytest.raises(TooMany):
        profile.change_password(alice.user, PASSWORD, NEW)


@pytest.mark.parametrize(
    ("field", "value"), [("language", "xx"), ("time_zone", "Mars/Base"), ("theme", "pink")]
)
def test_what_is_not_offered_is_refused(alice: Person, field: str, value: str):
    given = {"name": "A", "language": "", "time_zone": "", "theme": "", field: value}
    with pytest.raises(Invalid) as refused:
        profile.change(alice.user, **given)
    assert refused.value.field == field


# --- sessions -------------------------------------------------------------------------------------


def signed_in(person: Person) -> Client:
    browser = Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
    given = {"email": person.email, "password": PASSWORD}
    assert browser.post("/sign-in", given).status_code == 302
    return browser


def test_each_browser_is_listed_and_ended_alone(alice: Person):
    one, other = signed_in(alice), signed_in(alice)
    assert len(sessions.listed(alice.user)) == 2
    sessions.end(SignedIn.objects.get(session_key=one.session.session_key))
    assert one.get("/lists").status_code == 302
    assert other.get("/lists").status_code == 200


def test_signing_out_takes_it_off_the_list(alice: Person):
    signed_in(alice).post("/sign-out")
    assert sessions.listed(alice.user) == []


def test_all_others_end_and_this_one_stays(alice: Person):
    here, there = signed_in(alice), signed_in(alice)
    assert sessions.end_all(alice.user, but=here.session.session_key) == 1
    assert here.get("/lists").status_code == 200
    assert there.get("/lists").status_code == 302


def test_a_network_address_is_kept_only_by_setting(alice: Person):
    signed_in(alice)
    assert SignedIn.objects.get().network_address is None
    InstanceSetting.objects.create(name=sessions.KEEPS_ADDRESS, value=True)
    signed_in(alice)
    assert SignedIn.objects.exclude(network_address=None).get().network_address == "127.0.0.1"


def test_when_it_was_seen_is_noted_every_ten_minutes_at_most(alice: Person):
    browser = signed_in(alice)
    began = SignedIn.objects.get().seen_at
    browser.get("/lists")
    assert SignedIn.objects.get().seen_at == began
    with clock.moved(timedelta(minutes=11)):
        browser.get("/lists")
    assert SignedIn.objects.get().seen_at > began


def test_sessions_that_ran_out_are_forgotten(alice: Person):
    signed_in(alice)
    with clock.moved(timedelta(days=31)):
        assert sessions.listed(alice.user) == []
        signed_in(alice)
    assert SignedIn.objects.count() == 1


def test_anothers_session_is_not_found(alice: Person, charlie: Person):
    signed_in(charlie)
    with pytest.raises(NotFound):
        sessions.one(alice.user, SignedIn.objects.get().public_id)


# --- closing the account --------------------------------------------------------------------------


def test_closing_leaves_no_name_no_address_and_no_way_in(alice: Person, bob: Person):
    token, browser = bob.token(), signed_in(bob)
    profile.close(bob.user, PASSWORD)
    closed = User.objects.get(pk=bob.user.pk)
    assert (closed.email, closed.name, closed.is_active) == ("", "", False)
    assert browser.get("/lists").status_code == 302
    headers = {"Authorization": f"Bearer {token}"}
    assert Client().get("/api/v1/me", headers=headers).status_code == 401
    assert not Membership.objects.filter(user=bob.user).exists()
    users.add("bob@example.org", NEW)  # the address is free again


def test_the_only_owner_hands_over_before_closing(alice: Person):
    with pytest.raises(Conflict, match="only owner"):
        profile.close(alice.user, PASSWORD)


def test_the_only_administrator_stays(alice: Person, bob: Person):
    bob.user.is_admin = True
    bob.user.save()
    with pytest.raises(Conflict, match="only administrator"):
        profile.close(bob.user, PASSWORD)


# --- another workspace ----------------------------------------------------------------------------


def test_who_was_only_invited_makes_no_workspace_on_a_closed_instance(alice: Person, bob: Person):
    with pytest.raises(NotAllowed):
        workspaces.open_another(bob.user, "Spam")
    made = workspaces.open_another(alice.user, "Second")
    assert (made.role, made.workspace.name) == (Role.OWNER, "Second")


def test_on_an_open_instance_everybody_may(bob: Person, settings):
    settings.SIGNUP_OPEN = True
    assert workspaces.open_another(bob.user, "Bob’s").role == Role.OWNER


def test_a_colour_is_six_digits_or_none(alice: Person):
    workspaces.set_accent(alice.workspace, "#AA3300")
    assert alice.workspace.accent == "#aa3300"
    for wrong in ("red", "#fff", "#gggggg", "#aa3300; }", "url(x)"):
        with pytest.raises(Invalid):
            workspaces.set_accent(alice.workspace, wrong)


def test_nobody_else_is_touched_by_closing(alice: Person):
    vera = people.join(alice, "vera", Role.OWNER)
    profile.close(vera.user, PASSWORD)
    assert alice.client().get("/lists").status_code == 200
