"""From templates to a program: what is the same in every mail is written here, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from mailape.delivery import headers
from mailape.delivery.mime import fields, filler, holes, quoted, slots, tracking
from mailape.delivery.mime.fields import Field, Fixed
from mailape.delivery.mime.filler import Address, Piece
from mailape.delivery.mime.program import Program, local
from mailape.delivery.mime.slots import Constants
from mailape.delivery.mime.stored import Stored
from mailape.delivery.mime.tracking import Tracked

_PIXEL = '<img src="{{ open_url }}" width="1" height="1" alt="">'


@dataclass(frozen=True)
class Front:
    """What a program is compiled from: templates and all that is the same in every mail.

    `fields` stand in their order, Subject among them, those of MIME not. `addresses` are the tags
    that stand for our own pages (`click_url` and `open_url` among them), `constants` the values
    that are the same for everyone. `moment` is what `now` means in the templates; a message that is
    sent for months goes without, and there it means the date of each mail.
    """

    html: str
    text: str
    fields: Sequence[Field]
    addresses: Mapping[str, Address]
    constants: Mapping[str, Any]
    link_key: int
    moment: datetime | None = None


def compile_program(front: Front, *, track: bool = True, pixel: bool = False) -> Program:
    """The program of a message. Raises BadTemplate.

    With `track` its links lead through us. With `pixel` it ends with an image that tells us when it
    is opened, which is off unless someone asks for it.
    """
    tracked = _tracked(front, track=track, pixel=pixel)
    constants = _constants(front)
    known = _with_times(constants, front.moment)
    text = slots.cut(tracked.text, html=False, marks=front.addresses, constants=known)
    html = slots.cut(tracked.html, html=True, marks=front.addresses, constants=known)
    body = _body(
        filler.fill(holes.set_apart(text), front.addresses, html=False),
        filler.fill(html, front.addresses, html=True),
        boundary := _boundary(front, tracked),
    )
    found = dict.fromkeys(piece for piece in body if not isinstance(piece, bytes))
    numbers = {hole: number for number, hole in enumerate(found)}
    stored = Stored(
        link_key=front.link_key,
        moment=front.moment,
        fields=[*front.fields, *_mime_fields(boundary)],
        body=[piece if isinstance(piece, bytes) else numbers[piece] for piece in body],
        holes=list(found),
        addresses=dict(front.addresses),
        constants=dict(constants.values),
        targets=tracked.targets,
    )
    return Program(stored)


def _tracked(front: Front, *, track: bool, pixel: bool) -> Tracked:
    html, text = quoted.clean(front.html), quoted.clean(front.text)
    found = tracking.through_us(html, text) if track else Tracked(html, text, [])
    if not pixel:
        return found
    before, end, after = found.html.rpartition("</body>")
    html = f"{before}{_PIXEL}{end}{after}" if end else found.html + _PIXEL
    return Tracked(html, found.text, found.targets)


def _constants(front: Front) -> Constants:
    """What the templates may take for known: also the subject, unless it has merge tags itself."""
    said = fields.sentence(fields.subject_of(front.fields).template)
    mail = dict(front.constants.get("mail", {}))
    if isinstance(said, str):
        mail["subject"] = fields.subject(said)
    changing = frozenset[str]() if isinstance(said, str) else frozenset({"mail.subject"})
    return Constants({**front.constants, "mail": mail}, changing)


def _with_times(constants: Constants, moment: datetime | None) -> Constants:
    if moment is None:
        return constants
    now = local(moment)
    return Constants({**constants.values, "now": now, "today": now.date()}, constants.changing)


def _boundary(front: Front, tracked: Tracked) -> bytes:
    """The same for the same message. "=_" cannot occur in quoted-printable text."""
    said = "\0".join([tracked.html, tracked.text, *map(repr, front.fields)])
    digest = hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=12)
    return b"=_" + digest.hexdigest().encode()


def _mime_fields(boundary: bytes) -> list[Field]:
    kind = f'multipart/alternative; boundary="{boundary.decode()}"'
    return [
        Fixed("MIME-Version", headers.token("MIME-Version", "1.0")),
        Fixed("Content-Type", headers.token("Content-Type", kind)),
    ]


def _body(text: list[Piece], html: list[Piece], boundary: bytes) -> list[Piece]:
    # The CRLF in front of a boundary belongs to it (RFC 2046, 5.1.1), not to the part.
    pieces = [
        _part_head(b"--", boundary, b"plain"),
        *text,
        _part_head(b"\r\n--", boundary, b"html"),
        *html,
        b"\r\n--%b--\r\n" % boundary,
    ]
    return list(_joined(pieces))


def _part_head(dashes: bytes, boundary: bytes, kind: bytes) -> bytes:
    return (
        b"%b%b\r\nContent-Type: text/%b; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" % (dashes, boundary, kind)
    )


def _joined(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """The same pieces, with bytes that lie side by side as one."""
    for is_static, run in groupby(pieces, key=lambda piece: isinstance(piece, bytes)):
        found = list(run)
        if is_static:
            yield b"".join(piece for piece in found if isinstance(piece, bytes))
        else:
            yield from found
