"""Pictures for messages: the same one once, at most so many, and who shows them."""

from __future__ import annotations

import io

import pytest
from PIL import Image as Pillow

from mailape.campaigns import pictures, write
from mailape.campaigns.models import Image, ImageContent
from mailape.core.errors import Invalid, NotFound
from tests.house.people import Person


def png(colour: str = "red", width: int = 8) -> bytes:
    written = io.BytesIO()
    Pillow.new("RGB", (width, 4), colour).save(written, "PNG")
    return written.getvalue()


def test_the_same_picture_is_stored_once_for_a_workspace(alice: Person, charlie: Person):
    first = pictures.add(alice.workspace, alice.user, png(), "a.png")
    assert pictures.add(alice.workspace, alice.user, png(), "b.png") == first
    theirs = pictures.add(charlie.workspace, charlie.user, png())
    assert theirs.token != first.token
    assert ImageContent.objects.count() == 2


def test_what_is_wider_than_a_mail_needs_is_made_smaller(alice: Person):
    image = pictures.add(alice.workspace, alice.user, png(width=3000))
    assert image.width == pictures.WIDEST


def test_a_workspace_has_a_share_and_no_more(alice: Person, monkeypatch):
    pictures.add(alice.workspace, alice.user, png())
    monkeypatch.setattr(pictures, "MOST", 1)
    with pytest.raises(Invalid, match="no room"):
        pictures.add(alice.workspace, alice.user, png("blue"))
    assert pictures.add(alice.workspace, alice.user, png()) is not None
    monkeypatch.setattr(pictures, "MOST", 9)
    monkeypatch.setattr(pictures, "MOST_OCTETS", 100)
    with pytest.raises(Invalid, match="no room"):
        pictures.add(alice.workspace, alice.user, png("blue"))


def test_it_is_known_which_messages_show_a_picture(alice: Person):
    image = pictures.add(alice.workspace, alice.user, png())
    body = f"![x](http://127.0.0.1/i/{image.token}.png)"
    shows = write.create(alice.workspace, alice.user, write.Draft(subject="S", body=body))
    write.create(alice.workspace, alice.user, write.Draft(subject="T", body="none"))
    assert list(pictures.uses(image)) == [shows]


def test_a_removed_picture_is_gone_with_its_octets(alice: Person):
    image = pictures.add(alice.workspace, alice.user, png())
    kept = Image.objects.get(pk=image.pk)
    pictures.remove(image)
    assert not ImageContent.objects.exists()
    for look in (lambda: pictures.public(f"{kept.token}.png"), lambda: pictures.content(kept)):
        with pytest.raises(NotFound):
            look()


def test_a_description_is_one_line(alice: Person):
    image = pictures.add(alice.workspace, alice.user, png())
    assert pictures.describe(image, " an\n apple " + "x" * 400).alt.startswith("an apple xx")
    assert len(image.alt) == 300
