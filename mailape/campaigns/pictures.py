"""Pictures for messages: taken in, described, found again, removed.

What is stored was written anew by `core.images`: at most 1,200 pixels wide, twice the width of a
mail, without metadata. Its address holds 128 random bits and never changes what it shows.
"""

from __future__ import annotations

import re
from secrets import token_hex

from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from mailape.accounts.models import User, Workspace
from mailape.campaigns.models import Image, ImageContent, Kind, Message
from mailape.core import images
from mailape.core.errors import Invalid, NotFound

WIDEST = 1_200  # pixels
MOST_OCTETS = 500_000_000  # of all pictures of a workspace, as they are stored
MOST = 5_000  # pictures of a workspace
_LONGEST_NAME, _LONGEST_ALT = 120, 300
_ADDRESS = re.compile(r"/i/([0-9a-f]{32})\.[a-z]+")


def add(workspace: Workspace, author: User | None, data: bytes, name: str = "") -> Image:
    """Stores a picture; the same one again is the one that is there.

    Raises Invalid for what is no picture, too large, or beyond the workspace's share.
    """
    picture = images.read(data, widest=WIDEST)
    there = Image.objects.filter(workspace=workspace, digest=picture.digest)
    known = there.first()
    if known is not None:
        return known
    _must_fit(workspace, len(picture.content))
    image = Image(
        workspace=workspace,
        author=author,
        token=token_hex(16),
        digest=picture.digest,
        name=_one_line(name, _LONGEST_NAME),
        content_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        size=len(picture.content),
    )
    try:
        with transaction.atomic():
            image.save()
            ImageContent.objects.create(image=image, content=picture.content)
    except IntegrityError:  # the same picture, twice in this moment
        return there.get()
    return image


def describe(image: Image, alt: str) -> Image:
    """Says what the picture shows, for whoever does not see it."""
    image.alt = _one_line(alt, _LONGEST_ALT)
    image.save(update_fields=["alt"])
    return image


def uses(image: Image) -> QuerySet[Message]:
    """The newsletters that show the picture, newest first; removed ones, which may come back, too.

    It looks through all texts of the workspace: for the page that asks before removing.
    """
    found = Message.objects.filter(
        workspace=image.workspace_id, kind=Kind.NEWSLETTER, body__contains=image.token
    )
    return found.defer("body").order_by("-pk")


def remove(image: Image) -> None:
    """Removes the picture for good: mails and pages that show it have a hole then."""
    image.delete()


def of(workspace: Workspace) -> QuerySet[Image]:
    """The workspace's pictures, newest first."""
    return Image.objects.filter(workspace=workspace).order_by("-pk")


def one(workspace: Workspace, token: str) -> Image:
    """The workspace's picture with this token. Raises NotFound."""
    found = of(workspace).filter(token=token).first() if "\x00" not in token else None
    if found is None:
        raise NotFound(_("There is no such image."))
    return found


def public(name: str) -> Image:
    """The picture that is served under this name, `token.extension`. Raises NotFound."""
    token, _dot, extension = name.partition(".")
    found = Image.objects.filter(token=token).first() if token.isalnum() else None
    if found is None or found.extension != f".{extension}":
        raise NotFound(_("There is no such image."))
    return found


def sizes(workspace: Workspace, text: str) -> dict[str, tuple[int, int]]:
    """Width and height in pixels, by token, of the workspace's pictures that a text points to."""
    tokens = sorted(set(_ADDRESS.findall(text)))
    if not tokens:
        return {}
    rows = of(workspace).filter(token__in=tokens).values_list("token", "width", "height")
    return {token: (width, height) for token, width, height in rows}


def content(image: Image) -> bytes:
    """The picture's octets. Raises NotFound where it was removed in this moment."""
    stored = ImageContent.objects.filter(image=image).first()
    if stored is None:
        raise NotFound(_("There is no such image."))
    return bytes(stored.content)


def _must_fit(workspace: Workspace, size: int) -> None:
    kept = Image.objects.filter(workspace=workspace)
    taken = kept.aggregate(taken=Sum("size"))["taken"] or 0
    if taken + size > MOST_OCTETS or kept.count() >= MOST:
        raise Invalid(
            _(
                "There is no room for more images here (500 MB, 5,000 images). "
                "Remove some that no message shows."
            ),
            "image",
        )


def _one_line(text: str, longest: int) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]
