"""The set-up link: the first user claims the instance, a stranger cannot, and it works once."""

import threading

import pytest
from django.db import connection

from mailape.accounts import setup, users
from mailape.accounts.models import User
from mailape.core.errors import Invalid, MailApeError, NotFound
from mailape.senders.models import Sender
from mailape.senders.open_account import claim_instance

GOOD = "correct horse battery"


def token() -> str:
    link = setup.new_link()
    assert link is not None
    return link.rpartition("/")[2]


@pytest.mark.django_db
def test_the_first_user_is_the_administrator_with_workspace_and_sender():
    member = claim_instance(token(), "Alice@example.org", GOOD, name="Alice", workspace_name="Farm")
    assert (member.user.is_admin, member.role, member.workspace.name) == (True, "owner", "Farm")
    sender = Sender.objects.get(workspace=member.workspace)
    assert (sender.email, sender.is_default) == ("Alice@example.org", True)


@pytest.mark.django_db
@pytest.mark.parametrize("guess", ["", "x", "A" * 43])
def test_a_stranger_without_the_link_cannot_claim(guess):
    token()
    with pytest.raises(NotFound):
        claim_instance(guess, "eve@example.org", GOOD)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_newer_link_ends_the_one_before():
    first, second = token(), token()
    with pytest.raises(NotFound):
        setup.check(first)
    setup.check(second)


@pytest.mark.django_db
def test_a_bad_password_leaves_the_link_good():
    link = token()
    with pytest.raises(Invalid):
        claim_instance(link, "alice@example.org", "short")
    setup.check(link)


@pytest.mark.django_db
def test_a_claimed_instance_makes_no_link_and_takes_none():
    link = token()
    users.add("alice@example.org", GOOD)
    assert setup.new_link() is None
    with pytest.raises(NotFound):
        setup.check(link)


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_hold_the_link_one_becomes_the_first_user():
    link, refused = token(), []

    def claim(number: int) -> None:
        try:
            claim_instance(link, f"user{number}@example.org", GOOD)
        except MailApeError as fault:
            refused.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (User.objects.count(), len(refused)) == (1, 9)
