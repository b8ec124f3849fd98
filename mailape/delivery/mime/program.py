"""The program of a message: compiled once, run once for each recipient.

    program = compile_program(front)             # once, when the message is compiled
    stored = program.to_json()                   # kept in MessageRevision.compiled
    program = Program.from_json(stored)          # once per process
    content = program.render(values, stamp)      # per recipient: a few microseconds

A program is a row of pieces: the header fields, then the body. Most are bytes that are the same in
every mail. The others are holes; each different one is filled once per mail, however often it
stands there, and then all is joined. `render` asks nobody anything: the same values and stamp give
the same bytes, in any process and on every attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from liquid.stringify import to_liquid_string

from mailape.delivery import headers, merge
from mailape.delivery.dkim import Seal, Signer
from mailape.delivery.mime import fields, quoted, slots
from mailape.delivery.mime.fields import Stamp, Writer
from mailape.delivery.mime.filler import Hole, Token
from mailape.delivery.mime.holes import Region
from mailape.delivery.mime.slots import Slot, Values
from mailape.delivery.mime.stored import Item, Stored, from_json, to_json

# What the holes of one mail may hold together, in octets: Liquid's own limit for one template.
LONGEST = 2_000_000
_MOST_LOADED = 16
_REMEMBERED = 512  # short values per hole
_TOO_LONG = "The merge tags make this mail too long."
_SUBJECT = "mail.subject"
_Extra = Callable[[Values, Stamp], Any]
_Join = Callable[[Sequence[bytes]], bytes]
# The programs of this process by their digest, oldest first. What is in here never changes.
_loaded: dict[str, Program] = {}


class Program:
    """A compiled message, ready to be filled in."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        lines = [field.writer() for field in stored.fields]
        changing: list[Writer] = [line for line in lines if not isinstance(line, bytes)]
        self._subject = fields.sentence(fields.subject_of(stored.fields).template)
        self._writers = [*changing, *map(self._hole_writer, stored.holes)]
        self._changing = len(changing)
        self._head = _numbered(lines)
        head = [*self._head, b"\r\n"]
        body = [i if isinstance(i, bytes) else i + len(changing) for i in stored.body]
        self._join, self._join_head, self._join_body = map(_joiner, ([*head, *body], head, body))
        self._longest = LONGEST + sum(len(i) for i in (*head, *body) if isinstance(i, bytes))
        self._known, self._extras = self._asked_for()
        self._is_tame = all(map(slots.is_tame, _slots(stored)))

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Program:
        """The program that was stored, loaded once per process. Raises BadTemplate."""
        found = _loaded.get(kept["digest"])
        if found is None:
            found = cls(from_json(kept))
            if len(_loaded) >= _MOST_LOADED:
                _loaded.pop(next(iter(_loaded)))
            _loaded[kept["digest"]] = found
        return found

    def to_json(self) -> dict[str, Any]:
        """As it is kept in `MessageRevision.compiled`."""
        return to_json(self.stored)

    @property
    def link_key(self) -> int:
        """The key that the links of all its mails are made with, whatever keys came later."""
        return self.stored.link_key

    def render(self, values: Values, stamp: Stamp) -> bytes:
        """One person's mail, ready for the wire. Raises BadTemplate, BadAddress."""
        return self._checked(self._join(self._written(values, stamp)))

    def render_sealed(self, values: Values, stamp: Stamp, seal: Seal) -> bytes:
        """The same with its DKIM signatures, made at the mail's own date. Raises as `render`."""
        written = self._written(values, stamp)
        body = self._checked(self._join_body(written))
        at = int(stamp.date.timestamp())
        signatures = seal.sign(written[: self._changing], body, at)
        return b"".join((signatures, self._join_head(written), body))

    def seal(self, signers: Iterable[Signer]) -> Seal:
        """What `render_sealed` needs of the signers: made once."""
        lines = zip(self._head, self.stored.fields, strict=True)
        return Seal(signers, [f.name if isinstance(item, int) else item for item, f in lines])

    def subject(self, values: Values) -> str:
        """The subject as this person reads it. Raises BadTemplate."""
        said = self._subject
        return fields.subject(said if isinstance(said, str) else said(values))

    def _hole_writer(self, hole: Hole) -> Writer:
        if isinstance(hole, Token):
            return fields.finder(hole.name)
        if isinstance(hole, Region):
            return _region_writer(hole)
        find = self.subject if slots.path(hole) == _SUBJECT else slots.finder(hole)
        return _slot_writer(find, html=hole.html)

    def _written(self, values: Values, stamp: Stamp) -> list[bytes]:
        try:
            seen = self._seen(values, stamp) if self._extras or self._known else values
            if self._is_tame:
                return [write(seen, stamp) for write in self._writers]
            return _bounded(write(seen, stamp) for write in self._writers)
        except (merge.BadTemplate, headers.BadAddress):
            raise
        except Exception as wrong:  # Liquid's, or of a filter that met a value it did not expect
            said = getattr(wrong, "message", "") or type(wrong).__name__
            raise merge.BadTemplate(f"A merge tag cannot be worked out: {said}.") from wrong

    def _checked(self, mail: bytes) -> bytes:
        if len(mail) > self._longest:
            raise merge.BadTemplate(_TOO_LONG)
        return mail

    def _seen(self, values: Values, stamp: Stamp) -> Values:
        """The values with what only some templates ask for."""
        extras = {name: make(values, stamp) for name, make in self._extras.items()}
        return {**self._known, **extras, **values}

    def _asked_for(self) -> tuple[Values, Mapping[str, _Extra]]:
        """Of constants, our addresses and the time, what is asked for when mails are written."""
        found = [slot for slot in _slots(self.stored) if slots.path(slot) != _SUBJECT]
        asked = {name for slot in found for name in slots.asked(slot)}
        roots = {name.partition(".")[0] for name in asked}
        known = {name: value for name, value in self.stored.constants.items() if name in roots}
        addresses = self.stored.addresses
        extras = {name: _extra_address(*addresses[name]) for name in roots & addresses.keys()}
        if _SUBJECT in asked and not isinstance(self._subject, str):
            mail = self.stored.constants.get("mail", {})
            extras["mail"] = lambda values, stamp: {**mail, "subject": self.subject(values)}
        if "now" in roots:
            extras["now"] = lambda values, stamp: self._now(stamp)
        if "today" in roots:
            extras["today"] = lambda values, stamp: self._now(stamp).date()
        return known, extras

    def _now(self, stamp: Stamp) -> datetime:
        return local(self.stored.moment or stamp.date)


def local(moment: datetime) -> datetime:
    """A moment as Liquid's own `now` would give it: in the instance's time zone, without saying."""
    return moment.astimezone().replace(tzinfo=None)


def _extra_address(before: str, token: str) -> _Extra:
    find = fields.finder(token)
    return lambda values, stamp: before + find(values, stamp).decode()


def _slots(stored: Stored) -> Iterable[Slot]:
    """Every slot there is, in fields and in holes."""
    for hole in stored.holes:
        parts = hole.parts if isinstance(hole, Region) else [hole]
        yield from (part for part in parts if isinstance(part, Slot))
    for field in stored.fields:
        template = getattr(field, "template", "") or getattr(field, "display", "")
        if template:
            yield Slot(template, html=False)


# Holes


def _slot_writer(find: slots.Find, *, html: bool) -> Writer:
    """Writes what `find` finds, and remembers how text is encoded: many people share a name."""
    encode = quoted.html_value if html else quoted.value
    known: dict[str, bytes] = {}

    def write(values: Values, stamp: Stamp) -> bytes:
        found = find(values)
        if type(found) is not str:
            return quoted.value(to_liquid_string(found, html))
        encoded = known.get(found)
        if encoded is None:
            encoded = encode(found)
            if len(known) < _REMEMBERED and len(found) <= quoted.COLUMNS:
                known[found] = encoded
        return encoded

    return write


def _region_writer(region: Region) -> Writer:
    parts = [slots.writer(p) if isinstance(p, Slot) else p for p in region.parts]

    def write(values: Values, stamp: Stamp) -> bytes:
        filled = "".join([p if isinstance(p, str) else p(values) for p in parts])
        return quoted.value(region.tidied(quoted.clean(filled)))

    return write


def _bounded(written: Iterable[bytes]) -> list[bytes]:
    """What is written, as long as it is not too much: many slots, each within its limit, may be."""
    done, length = [], 0
    for piece in written:
        length += len(piece)
        if length > LONGEST:
            raise merge.BadTemplate(_TOO_LONG)
        done.append(piece)
    return done


# Rows of items


def _numbered(lines: Iterable[bytes | Writer]) -> list[Item]:
    """Lines as items: those that change have numbers, in their order."""
    items: list[Item] = []
    number = 0
    for line in lines:
        items.append(line if isinstance(line, bytes) else number)
        number += not isinstance(line, bytes)
    return items


def _joiner(items: Iterable[Item]) -> _Join:
    """The function that joins a row of items, given what was written for the numbers."""
    row = list(items)
    numbers = [item for item in row if not isinstance(item, bytes)]
    frame = b"".join(i.replace(b"%", b"%%") if isinstance(i, bytes) else b"%b" for i in row)
    pick = itemgetter(*numbers) if numbers else lambda written: ()
    return lambda written: frame % pick(written)
