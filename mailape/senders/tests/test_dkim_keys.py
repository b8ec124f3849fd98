"""Keys that sign: made, looked for in the DNS, switched on, replaced and retired."""

from __future__ import annotations

import re

import pytest

from mailape.core import vault
from mailape.core.errors import Conflict, Invalid, NotFound
from mailape.senders import access, dkim, names, tasks
from mailape.senders.models import DkimFound, DkimKey, DkimState
from mailape.senders.tests.nameserver import running

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(monkeypatch):
    with running() as made:
        monkeypatch.setattr(names, "resolver", made.resolver)
        yield made


@pytest.fixture
def key(alice) -> DkimKey:
    return dkim.make(alice.workspace, "example.org", "rsa-2048")


def state(key: DkimKey) -> str:
    key.refresh_from_db()
    return key.state


def look(key: DkimKey) -> str:
    dkim.ask(key)
    tasks.look_up()
    key.refresh_from_db()
    return key.found


def test_a_new_key_waits_and_keeps_its_private_half_sealed(key):
    assert key.state == DkimState.WAITING
    assert b"PRIVATE" not in bytes(key.private_key)
    assert b"PRIVATE KEY" in dkim.private_key(key)


def test_the_record_is_split_as_zone_files_want_it(key):
    strings = re.findall(r'"([^"]*)"', dkim.record_split(key))
    assert "".join(strings) == dkim.record(key)
    assert len(strings) == 2
    assert max(map(len, strings)) <= 255
    assert dkim.record_name(key) == f"{key.selector}._domainkey.example.org"


@pytest.mark.parametrize("algorithm", ["rsa-2048", "ed25519"])
def test_a_key_signs_once_its_record_is_there(alice, server, algorithm):
    key = dkim.make(alice.workspace, "example.org", algorithm)
    assert look(key) == DkimFound.MISSING
    assert state(key) == DkimState.WAITING
    server.records[dkim.record_name(key)] = dkim.record_split(key)
    assert look(key) == DkimFound.RIGHT
    assert state(key) == DkimState.SIGNS
    assert not key.by_word


def test_who_asks_anew_while_the_dns_is_asked_gets_another_look(key, server, monkeypatch):
    """Her second click, made when the record was there, was lost with the first one's answer."""
    right, looks = names.look_up, []

    def she_publishes_it_meanwhile(asked):
        found = right(asked)
        if not looks:
            server.records[dkim.record_name(key)] = dkim.record_split(key)
            dkim.ask(key)
        looks.append(found)
        return found

    monkeypatch.setattr(names, "look_up", she_publishes_it_meanwhile)
    assert look(key) == DkimFound.RIGHT
    assert looks == [DkimFound.MISSING, DkimFound.RIGHT]
    assert not dkim.to_look_up().exists()


def test_another_record_does_not_do(key, server):
    server.records[dkim.record_name(key)] = '"v=DKIM1; k=rsa; p=QUJD"'
    assert look(key) == DkimFound.OTHER
    assert state(key) == DkimState.WAITING


def test_a_record_with_blanks_and_without_a_kind_does(key):
    text = f"v=DKIM1;p={key.public_key[:40]} {key.public_key[40:]};"
    assert dkim.publishes(text, key)
    assert not dkim.publishes("v=DKIM1; p=", key)
    assert not dkim.publishes(f"k=ed25519; p={key.public_key}", key)


def test_a_dns_that_is_silent_changes_nothing(key, server, monkeypatch):
    monkeypatch.setattr(names, "PATIENCE", 0.3)
    server.silent = True
    assert look(key) == DkimFound.NO_ANSWER
    assert state(key) == DkimState.WAITING
    assert not dkim.to_look_up().exists()


def test_the_owners_word_is_enough(key):
    assert dkim.switch_on(key)
    assert not dkim.switch_on(key)
    assert state(key) == DkimState.SIGNS
    assert key.by_word


def test_a_key_that_signs_stays_so_when_its_record_is_gone(key, server):
    dkim.switch_on(key)
    assert look(key) == DkimFound.MISSING
    assert state(key) == DkimState.SIGNS


def test_a_newer_key_replaces_the_one_of_its_kind_only(alice, key):
    other = dkim.make(alice.workspace, "example.org", "ed25519")
    for one in (key, other):
        dkim.switch_on(one)
    newer = dkim.make(alice.workspace, "example.org", "rsa-2048")
    assert state(key) == DkimState.SIGNS
    dkim.switch_on(newer)
    assert (state(key), state(other), state(newer)) == ("retired", "signs", "signs")


def test_a_retired_key_has_no_private_half_and_does_not_come_back(key):
    dkim.switch_on(key)
    assert dkim.retire(key)
    assert not dkim.retire(key)
    assert not dkim.switch_on(key)
    assert state(key) == DkimState.RETIRED
    assert bytes(key.private_key) == b""
    with pytest.raises(vault.Unreadable):
        dkim.private_key(key)


def test_a_changed_secret_key_makes_it_unreadable(key, settings):
    assert dkim.is_readable(key)
    settings.SECRET_KEY = "another one"
    assert not dkim.is_readable(key)


def test_the_keys_of_another_workspace_are_not_there(alice, charlie, key):
    assert access.dkim_key(alice.workspace, key.public_id) == key
    for workspace in (charlie.workspace, None):
        with pytest.raises(NotFound):
            access.dkim_key(workspace, key.public_id)


def test_the_domains_are_those_of_senders_and_keys(alice):
    dkim.make(alice.workspace, "elsewhere.example", "ed25519")
    assert access.domains(alice.workspace) == ["elsewhere.example", "example.org"]


@pytest.mark.parametrize("domain", ["", "exa mple.org", "a\r\nb", "münchen.de", "x;y"])
def test_what_is_no_domain_gets_no_key(alice, domain):
    with pytest.raises(Invalid):
        dkim.make(alice.workspace, domain, "rsa-2048")


def test_there_are_not_too_many(alice):
    for _ in range(dkim.MOST):
        dkim.make(alice.workspace, "example.org", "ed25519")
    with pytest.raises(Conflict):
        dkim.make(alice.workspace, "example.org", "ed25519")


def test_a_bell_is_rung_for_each_question(key, server, monkeypatch):
    from mailape.core import bell

    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    dkim.ask(key)
    assert rung == [bell.LOOK_UP]
