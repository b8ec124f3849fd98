"""A program as it is kept: plain JSON inside `MessageRevision.compiled`, with its version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailape.delivery import merge
from mailape.delivery.mime import fields
from mailape.delivery.mime.fields import Field
from mailape.delivery.mime.filler import Address, Hole, Token
from mailape.delivery.mime.holes import Region
from mailape.delivery.mime.slots import Slot

# Goes up when the meaning of what is stored changes; `from_json` then reads the older ones too.
COMPILER = "mime-1"
Item = bytes | int  # the same in every mail, or the number of what is written for each


@dataclass(frozen=True)
class Stored:
    """Everything that a program is. In `body` stand static text and the numbers of holes.

    `moment` is what `now` means in the templates; without it, the mail's own date. `targets` are
    the URLs that the tracked links lead to, by their number.
    """

    link_key: int
    moment: datetime | None
    fields: Sequence[Field]
    body: Sequence[Item]
    holes: Sequence[Hole]
    addresses: Mapping[str, Address]
    constants: Mapping[str, Any]
    targets: Sequence[str]


def to_json(stored: Stored) -> dict[str, Any]:
    """As JSON, with a digest by which a process knows a program that it has loaded already."""
    made: dict[str, Any] = {
        "compiler": COMPILER,
        "link_key": stored.link_key,
        "moment": stored.moment.isoformat() if stored.moment else None,
        "fields": [fields.to_json(field) for field in stored.fields],
        "body": [i.decode("ascii") if isinstance(i, bytes) else i for i in stored.body],
        "holes": [_hole_to_json(hole) for hole in stored.holes],
        "addresses": {name: list(address) for name, address in stored.addresses.items()},
        "constants": dict(stored.constants),
        "targets": list(stored.targets),
    }
    return {"digest": _digest(made), **made}


def from_json(kept: Mapping[str, Any]) -> Stored:
    """What `to_json` made. Raises BadTemplate for what another version made."""
    if kept.get("compiler") != COMPILER:
        raise merge.BadTemplate("This message was compiled by a version that is not known here.")
    return Stored(
        link_key=kept["link_key"],
        moment=datetime.fromisoformat(kept["moment"]) if kept["moment"] else None,
        fields=[fields.from_json(field) for field in kept["fields"]],
        body=[i.encode("ascii") if isinstance(i, str) else i for i in kept["body"]],
        holes=[_hole_from_json(hole) for hole in kept["holes"]],
        addresses={name: Address(*address) for name, address in kept["addresses"].items()},
        constants=kept["constants"],
        targets=kept["targets"],
    )


def _digest(made: Mapping[str, Any]) -> str:
    text = json.dumps(made, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _hole_to_json(hole: Hole) -> dict[str, Any]:
    if isinstance(hole, Token):
        return {"token": hole.name}
    if isinstance(hole, Slot):
        return {"html" if hole.html else "text": hole.source}
    parts = [part if isinstance(part, str) else _hole_to_json(part) for part in hole.parts]
    return {"region": parts, "first": hole.first, "last": hole.last}


def _hole_from_json(kept: Mapping[str, Any]) -> Hole:
    if "token" in kept:
        return Token(kept["token"])
    if "region" not in kept:
        return _slot_from_json(kept)
    parts = [part if isinstance(part, str) else _slot_from_json(part) for part in kept["region"]]
    return Region(tuple(parts), kept["first"], kept["last"])


def _slot_from_json(kept: Mapping[str, Any]) -> Slot:
    ((kind, source),) = kept.items()
    return Slot(source, html=kind == "html")
