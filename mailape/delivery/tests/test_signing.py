"""Mails that came over the wire are signed, and verifiers that we did not write take them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailape.delivery import claim, letters, notices, signing, status, tally, tasks, transports
from mailape.delivery.dkim import Signer
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.delivery.tests.verifiers import by_dkimpy, by_opendkim
from mailape.lists import subscribe
from mailape.lists.models import Method
from mailape.senders import dkim
from mailape.senders.models import DkimKey, Sender, TransportAccount

pytestmark = pytest.mark.django_db(transaction=True)


def key(workspace, domain: str = "example.org", algorithm: str = "rsa-2048") -> DkimKey:
    made = dkim.make(workspace, domain, algorithm)
    dkim.switch_on(made)
    return made


def as_signers(*keys: DkimKey) -> list[Signer]:
    return [Signer.from_pem(one.domain, one.selector, dkim.private_key(one)) for one in keys]


def received(smtp) -> list[bytes]:
    return [letter.content for letter in smtp.letters]


@pytest.fixture
def over(smtp, smtp_url):
    smtp_url(smtp.url)
    return smtp


@pytest.mark.parametrize("algorithms", [["rsa-2048"], ["ed25519"], ["rsa-2048", "ed25519"]])
def test_newsletters_are_signed_and_both_verifiers_take_them(
    alice, sent_off, over, tmp_path: Path, algorithms
):
    keys = [key(alice.workspace, algorithm=one) for one in algorithms]
    message = sent_off(40)
    tasks.send()
    mails = received(over)
    assert len(mails) == 40
    signers = as_signers(*keys)
    assert all(by_dkimpy(mail, signers) for mail in mails)
    assert by_opendkim(mails[0], signers, tmp_path)
    assert tally.counts(message)["sent"] == 40


def test_a_signature_only_stands_in_front_of_the_mail(alice, sent_off, over):
    message = sent_off(1)
    lease = claim.batch()
    made = letters.Letters(lease.open.values(), signing.Ring())
    (row,) = lease.open.values()
    plain = made.mail(row, lambda: True).content
    status.give_back(lease)
    key(alice.workspace)
    tasks.send()
    assert received(over)[0].endswith(plain)
    assert tally.counts(message)["sent"] == 1


def test_confirmations_and_account_mail_are_signed_by_their_own_keys(
    alice, a_list, over, settings, tmp_path: Path
):
    settings.DEFAULT_FROM = "MailApe <post@mailape.example>"
    hers, ours = key(alice.workspace), key(None, "mailape.example")
    subscribe.sign_up(a_list, "eve@example.net", "", subscribe.Origin(Method.FORM))
    notices.send_test("bob@example.net")
    tasks.wake()
    by_recipient = {letter.to: letter.content for letter in over.letters}
    assert by_dkimpy(by_recipient["eve@example.net"], as_signers(hers))
    assert by_opendkim(by_recipient["eve@example.net"], as_signers(hers), tmp_path)
    assert by_dkimpy(by_recipient["bob@example.net"], as_signers(ours))


def test_one_workspace_never_signs_with_the_key_of_another(alice, charlie, sent_off, over):
    key(charlie.workspace)
    key(None)
    sent_off(2)
    tasks.send()
    assert len(over.letters) == 2
    assert not any(b"DKIM-Signature" in mail for mail in received(over))


def test_the_instances_key_signs_what_comes_from_its_own_address(alice, sent_off, over, settings):
    settings.DEFAULT_FROM = "News <alice@example.org>"
    ours = key(None)
    sent_off(1)
    tasks.send()
    assert by_dkimpy(received(over)[0], as_signers(ours))


@pytest.mark.parametrize("state", ["waiting", "retired"])
def test_a_key_that_waits_or_is_retired_signs_nothing(alice, sent_off, over, state):
    made = dkim.make(alice.workspace, "example.org", "ed25519")
    if state == "retired":
        dkim.retire(made)
    sent_off(1)
    tasks.send()
    assert b"DKIM-Signature" not in received(over)[0]


def test_nothing_is_signed_where_the_mail_server_signs(alice, sent_off, over):
    key(alice.workspace)
    transports.current()
    TransportAccount.objects.update(relay_signs=True)
    sent_off(1)
    tasks.send()
    assert b"DKIM-Signature" not in received(over)[0]


def test_another_domain_is_not_signed_for(alice, sent_off, over):
    key(alice.workspace)
    Sender.objects.update(email="alice@other.example")
    sent_off(1)
    tasks.send()
    assert b"DKIM-Signature" not in received(over)[0]


def test_a_key_that_cannot_be_read_pauses_the_message_at_once_and_blames_nobody(
    alice, sent_off, over, settings
):
    made = key(alice.workspace)
    message = sent_off(5)
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another one"
    tasks.send()
    message.refresh_from_db()
    assert not over.letters
    assert message.status == "paused"
    assert made.selector in message.reason
    assert tally.counts(message)["queued"] == 5
    assert DeliveryBatch.objects.get().fence == 1  # it was claimed once
    settings.SECRET_KEY = before


def test_a_confirmation_that_cannot_be_signed_waits(alice, a_list, over, settings):
    key(alice.workspace)
    settings.SECRET_KEY = "another one"
    subscribe.sign_up(a_list, "eve@example.net", "", subscribe.Origin(Method.FORM))
    tasks.wake()
    (delivery,) = SubscriberMessage.objects.all()
    assert not over.letters
    assert (delivery.state, delivery.attempts) == ("deferred", 0)
    assert "cannot be read" in delivery.reason


def test_mails_are_made_some_lots_ahead_and_in_their_order():
    numbers = list(range(signing.LOT * 8))
    made = []
    found = signing.ahead(numbers, lambda number: made.append(number) or number)
    first = next(found)[1]()
    assert first == 0
    assert len(made) <= signing.LOT * (signing.AHEAD + 1)
    assert [first, *(make() for _, make in found)] == numbers


def test_what_one_mail_raises_is_raised_where_it_is_asked_for():
    def make(number: int):
        if number == 1:
            raise ValueError("one")
        return number

    found = dict(signing.ahead([0, 1, 2], make))
    assert (found[0](), found[2]()) == (0, 2)
    with pytest.raises(ValueError, match="one"):
        found[1]()
