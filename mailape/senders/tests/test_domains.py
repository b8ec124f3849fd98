"""What the DNS says of a sender's domain, and what it means."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailape.core import clock
from mailape.senders import access, dkim, domains, names, tasks
from mailape.senders.models import DkimFound, DkimState, DomainLook, Sender, TransportAccount
from mailape.senders.tests.nameserver import NameServer, running

pytestmark = pytest.mark.django_db(transaction=True)
SPF, DMARC = '"v=spf1 mx -all"', '"v=DMARC1; p=reject; rua=mailto:d@example.org"'


@pytest.fixture
def server(monkeypatch):
    with running() as made:
        monkeypatch.setattr(names, "resolver", made.resolver)
        yield made


@pytest.fixture
def good(server: NameServer) -> NameServer:
    server.records |= {"example.org": SPF, "_dmarc.example.org": DMARC}
    server.rows[("example.org", "MX")] = "10 mail.example.org."
    return server


def look(domain: str) -> DomainLook:
    domains.ask(domain)
    tasks.look_up()
    seen = domains.look(domain)
    assert seen is not None
    assert seen.wanted_at is None
    return seen


def said(alice, domain: str = "example.org") -> list[tuple[bool, str]]:
    return [(one.warns, one.text) for one in domains.judge(alice.workspace, domain, look(domain))]


def signs(alice, **fields: object) -> None:
    key = dkim.make(alice.workspace, "example.org", "ed25519")
    type(key).objects.filter(pk=key.pk).update(state=DkimState.SIGNS, **fields)


def test_a_domain_that_says_all_it_should_is_fine_once_something_signs(alice, good):
    signs(alice, found=DkimFound.RIGHT)
    assert [warns for warns, _ in said(alice)] == [False, False, False]


def test_a_strict_domain_without_a_signature_is_the_worst(alice, good):
    warns, text = said(alice)[0]
    assert warns
    assert "much of it may not arrive" in text


def test_where_the_server_signs_nothing_is_missing_here(alice, good):
    TransportAccount.objects.create(kind="smtp", name="relay", server="r:25", relay_signs=True)
    assert not [text for warns, text in said(alice) if warns]


def test_a_key_whose_record_is_gone_is_minded(alice, good):
    signs(alice, found=DkimFound.MISSING)
    assert any("is missing or another one" in text for warns, text in said(alice) if warns)


def test_a_domain_without_any_record_is_minded_for_each(alice, server):
    server.rows[("example.org", "A")] = "192.0.2.1"
    texts = " ".join(text for warns, text in said(alice) if warns)
    for word in ("no DMARC record", "DKIM", "SPF"):
        assert word in texts
    assert "takes no mail" not in texts


@pytest.mark.parametrize("mx", ["0 ."])
def test_a_domain_that_takes_no_mail_is_minded(alice, good, mx):
    good.rows[("example.org", "MX")] = mx
    assert any("takes no mail" in text for _, text in said(alice))


def test_everybody_may_send_is_no_rule(alice, good):
    good.records["example.org"] = '"v=spf1 +all"'
    assert any("as good as nothing" in text for warns, text in said(alice) if warns)


def test_the_policy_of_the_domain_above_counts(server):
    server.records["_dmarc.example.org"] = DMARC
    seen = look("news.mail.example.org")
    assert (domains.policy(seen.dmarc), seen.dmarc_at) == ("reject", "example.org")


@pytest.mark.parametrize(
    ("record", "policy"),
    [("v=DMARC1; p=none", "none"), ("v=DMARC1;P=Reject", "reject"), ("p=none; v=x", ""), ("", ""),
     ("v=DMARC1", "none")],
)  # fmt: skip
def test_policies_are_read_as_they_come(record, policy):
    assert domains.policy(record) == policy


def test_without_a_dns_it_could_not_be_checked(alice, server, monkeypatch):
    monkeypatch.setattr(names, "PATIENCE", 0.3)
    server.silent = True
    assert said(alice) == [(True, "example.org could not be checked: the DNS does not answer.")]


def test_who_asks_anew_while_the_dns_is_asked_gets_another_look(good, monkeypatch):
    right, looks = names.look_at, []

    def she_asks_meanwhile(domain):
        if not looks:
            domains.ask(domain)
        looks.append(domain)
        return right(domain)

    monkeypatch.setattr(names, "look_at", she_asks_meanwhile)
    look("example.org")
    assert looks == ["example.org", "example.org"]


def test_old_looks_are_wanted_anew_and_young_ones_are_not(alice, good):
    Sender.objects.filter(workspace=alice.workspace).update(email="news@example.org")
    assert domains.ask_for_old(access.all_domains()) == 1
    assert domains.ask_for_old(access.all_domains()) == 0
    tasks.look_up()
    assert domains.ask_for_old(access.all_domains()) == 0
    with clock.moved(timedelta(hours=25)):
        assert domains.ask_for_old(access.all_domains()) == 1
