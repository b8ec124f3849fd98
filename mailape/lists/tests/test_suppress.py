"""The suppression list: addresses, domains, and the hash of one who was erased."""

import pytest

from mailape.core import address
from mailape.core.errors import Conflict, Invalid
from mailape.lists import subscribe, suppress
from mailape.lists.models import Subscriber, Subscription, Suppression
from mailape.lists.tests.conftest import FORM, OWNER
from mailape.privacy.erase import erase


def test_the_first_reason_is_kept(letter):
    first, new = suppress.suppress(letter.workspace, "ann@example.org", reason="bounce")
    again, second = suppress.suppress(letter.workspace, "ANN@example.org", reason="owner")
    assert (new, second, again.pk, again.reason) == (True, False, first.pk, "bounce")


@pytest.mark.parametrize("text", ["example.org", "@example.org", " EXAMPLE.org "])
def test_a_domain_may_be_written_in_several_ways(letter, text):
    row, _ = suppress.suppress(letter.workspace, text)
    assert (row.kind, row.value) == ("domain", "example.org")


@pytest.mark.parametrize("text", ["", "@", "a b", "not a domain!", "ann@@example.org"])
def test_what_is_neither_is_refused(letter, text):
    with pytest.raises(Invalid):
        suppress.suppress(letter.workspace, text)


def test_a_domain_does_not_cover_its_neighbours(letter):
    suppress.suppress(letter.workspace, "example.org")
    assert suppress.find(letter.workspace, address.parse("a@mail.example.org")) is None
    assert suppress.find(letter.workspace, address.parse("a@notexample.org")) is None


def test_an_erased_person_leaves_no_address_and_is_not_taken_in_by_the_owner(letter):
    subscribe.add(letter, "ann@example.org", "Ann", OWNER, confirmed=True)
    erase(Subscriber.objects.get())
    assert not Subscriber.objects.exists()
    assert "ann" not in Suppression.objects.get().value
    with pytest.raises(Conflict):
        subscribe.add(letter, "Ann@example.org", "", OWNER, confirmed=True)


def test_an_erased_person_may_sign_up_again_herself(letter):
    subscribe.add(letter, "ann@example.org", "Ann", OWNER, confirmed=True)
    erase(Subscriber.objects.get())
    subscribe.sign_up(letter, "ann@example.org", "", FORM)
    assert Subscription.objects.get().confirmation_no == 1
    assert not Suppression.objects.exists()
