"""The pages of keys that sign: a workspace's domains, and the instance's for its administrator."""

from __future__ import annotations

import pytest
from django.urls import reverse

from mailape.senders import dkim
from mailape.senders.models import DkimKey, DkimState
from tests.house.people import Person

pytestmark = pytest.mark.django_db

HERE = {"id": "example.org"}


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def page(person: Person) -> str:
    return text(person.client().get(reverse("web:signing", kwargs=HERE)))


def act(person: Person, key: DkimKey, deed: str):
    url = reverse("web:signing-key", kwargs={"id": key.public_id})
    return person.client().post(url, {"deed": deed}, follow=True)


def test_the_senders_page_leads_to_each_domain(alice):
    shown = text(alice.client().get(reverse("web:senders")))
    assert reverse("web:signing", kwargs=HERE) in shown
    assert "not signed here" in shown
    dkim.switch_on(dkim.make(alice.workspace, "example.org", "ed25519"))
    assert "not signed here" not in text(alice.client().get(reverse("web:senders")))


def test_without_a_key_the_page_says_what_to_do(alice):
    assert "No key yet" in page(alice)


def test_a_key_is_made_published_and_switched_on(alice):
    url = reverse("web:signing-make", kwargs=HERE)
    alice.client().post(url, {"algorithm": "rsa-2048"})
    key = DkimKey.objects.get()
    shown = page(alice)
    assert dkim.record_name(key) in shown
    assert dkim.record(key) in shown
    assert "&quot;v=DKIM1" in shown
    assert "No key signs yet" in shown
    assert b"PRIVATE" not in shown.encode()
    assert "The DNS is being asked" in act(alice, key, "look").content.decode()
    assert "signs from now on" in act(alice, key, "on").content.decode()
    key.refresh_from_db()
    assert key.state == DkimState.SIGNS


def test_a_second_click_changes_nothing(alice):
    key = dkim.make(alice.workspace, "example.org", "ed25519")
    for _ in range(2):
        assert act(alice, key, "on").status_code == 200
    for _ in range(2):
        assert act(alice, key, "retire").status_code == 200
    shown = page(alice)
    assert "Leave each record in the DNS for a week" in shown
    assert key.selector in shown


def test_what_is_no_kind_of_key_is_refused_with_a_sentence(alice):
    url = reverse("web:signing-make", kwargs=HERE)
    for algorithm in ("", "rsa-512", "<script>"):
        shown = text(alice.client().post(url, {"algorithm": algorithm}, follow=True))
        assert "Choose one of the kinds of key." in shown
    assert not DkimKey.objects.exists()


def test_a_key_that_cannot_be_read_says_so(alice, settings):
    dkim.switch_on(dkim.make(alice.workspace, "example.org", "ed25519"))
    client = alice.client()
    assert "cannot be read" not in text(client.get(reverse("web:signing", kwargs=HERE)))
    key = DkimKey.objects.get()
    DkimKey.objects.update(private_key=b"\x01" + bytes(60))
    assert "cannot be read any more" in text(client.get(reverse("web:signing", kwargs=HERE)))
    assert key.selector in text(client.get(reverse("web:signing", kwargs=HERE)))


def test_a_domain_of_nobody_here_is_not_found(alice):
    url = reverse("web:signing", kwargs={"id": "gmail.com"})
    assert alice.client().get(url).status_code == 404


def test_the_instances_keys_are_made_by_the_administrator(admin, settings):
    settings.DEFAULT_FROM = "Post <post@mailape.example>"
    client = admin.client()
    assert "No key yet" in text(client.get(reverse("web:system-signing")))
    client.post(reverse("web:system-signing-make"), {"algorithm": "ed25519"})
    key = DkimKey.objects.get()
    assert (key.workspace, key.domain) == (None, "mailape.example")
    url = reverse("web:system-signing-key")
    client.post(url, {"key": key.public_id, "deed": "on"})
    assert dkim.record_name(key) in text(client.get(reverse("web:system-signing")))
    key.refresh_from_db()
    assert key.state == DkimState.SIGNS
    assert "no such key" in text(client.post(url, {"key": "x", "deed": "on"}, follow=True))


def test_the_administrator_cannot_touch_a_workspaces_key_there(admin):
    key = dkim.make(admin.workspace, "example.org", "ed25519")
    admin.client().post(reverse("web:system-signing-key"), {"key": key.public_id, "deed": "retire"})
    key.refresh_from_db()
    assert key.state == DkimState.WAITING
