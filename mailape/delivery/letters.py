"""The letters of one lease: what its rows need to become mails, fetched for all of them at once.

A newsletter has a program, which makes a reader's bytes in a few microseconds; her links and her
Message-ID are made for all readers of the lease together. All else is rendered in the plain way.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from mailape.campaigns.models import MessageRevision
from mailape.core import among, keys, links, wholesale
from mailape.core.links import Links
from mailape.core.models import LinkKey
from mailape.delivery import dkim, headers, merge, render, signing
from mailape.delivery.dkim import Seal
from mailape.delivery.leases import Row
from mailape.delivery.mime.fields import Stamp
from mailape.delivery.mime.program import Program
from mailape.delivery.render import CannotRender, Person
from mailape.delivery.signing import CannotSign, Ring, Signers, Signing
from mailape.delivery.transports.base import Fate, Letter, Mail, Outcome

log = logging.getLogger(__name__)

_NOBODY = Person()
_NO_KEY = "The key of this message’s links is missing in the database."


class CannotRead(Exception):
    """What was compiled cannot be used here: another version made it, or its key is missing. The
    whole message is meant, and nobody whom it goes to."""


class _Newsletter(NamedTuple):
    """A letter that becomes a mail when it begins."""

    delivery_id: int
    row: Row
    make: Callable[[Row], Mail]

    def made(self) -> Mail | Outcome:
        return made(self.row, partial(self.make, self.row))


def made(row: Row, make: Callable[[], Mail]) -> Mail | Outcome:
    """The row's mail, or what keeps it from being one. Raises nothing: a fault of ours in one mail
    must not hold up the others."""
    try:
        return make()
    except (CannotSign, CannotRead) as wrong:
        return Outcome(row.id, Fate.ROUTE_BROKEN, text=str(wrong))
    except CannotRender as wrong:
        log.warning("delivery %s cannot be rendered: %s", row.id, wrong)
        return Outcome(row.id, Fate.NOT_MADE, text=str(wrong))
    except Exception as wrong:
        log.exception("delivery %s could not be rendered", row.id)
        reason = f"It could not be rendered ({type(wrong).__name__})"
        return Outcome(row.id, Fate.NOT_MADE, text=reason)


class Letters:
    """Readers and compiled messages of these rows, and who of the ring signs them."""

    def __init__(self, rows: Iterable[Row], ring: Ring) -> None:
        rows = list(rows)
        self._people = _people(rows)
        self._compiled = _compiled(rows)
        self._unread: dict[int, str] = {}  # by revision: why it cannot be used
        self._programs = self._loaded()
        self._own = self._made_for_all(rows)
        self._are_newsletters = len(self._own) == len(rows)
        self._signing = Signing(self._compiled, ring)
        self._signed = bool(self._signing)
        self._seals: dict[tuple[int, Signers], Seal] = {}

    def ahead(
        self, rows: Iterable[Row], may_go: Callable[[], bool]
    ) -> Iterator[tuple[Row, Letter | Outcome]]:
        """Each row with its letter, or with why there is none.

        A newsletter is made when it begins, in the wire's thread, while it is warm. Those that are
        signed are made in threads, some ahead of what is asked for. All else is made here.
        """

        def make(row: Row) -> Mail:
            return self.mail(row, may_go)

        if not self._are_newsletters:
            return ((row, self.letter(row, may_go)) for row in rows)
        if self._signed:
            return ((row, made(row, taken)) for row, taken in signing.ahead(rows, make))
        return ((row, _Newsletter(row.id, row, make)) for row in rows)

    def letter(self, row: Row, may_go: Callable[[], bool]) -> Letter | Outcome:
        """One row's letter, made here and now."""
        return made(row, partial(self.mail, row, may_go))

    def mail(self, row: Row, may_go: Callable[[], bool]) -> Mail:
        """The row as a mail, signed where its domain signs. Raises CannotRender, CannotSign and
        CannotRead."""
        if why := self._unread.get(row.revision_id):
            raise CannotRead(why)
        compiled = self._compiled.get(row.revision_id)
        if compiled is None:
            raise CannotRender("Nothing was compiled for it")
        person = self._people.get(row.subscriber_id or 0, _NOBODY)
        program = self._programs.get(row.revision_id)
        if program is None:
            mail = render.mail(row, person, compiled, may_go)
            signers = self._signing.of(row)
            at = int(render.stamp(row.created_at).timestamp())
            signatures = dkim.sign(mail.content, signers, at) if signers else b""
            return mail._replace(content=signatures + mail.content)
        return self._by_program(program, compiled, row, person, may_go)

    def _by_program(
        self,
        program: Program,
        compiled: dict[str, Any],
        row: Row,
        person: Person,
        may_go: Callable[[], bool],
    ) -> Mail:
        to = render.wire_address(row.to_address)
        own, key = self._own[row.id]
        on = str(row.list_id)
        values = {
            "subscriber": person.values,
            "list": {"name": compiled["lists"].get(on, {}).get("name", "")},
        }
        stamp = Stamp(to, key, render.stamp(row.created_at), own, on)
        try:
            if self._signed and (signers := self._signing.of(row)):
                content = program.render_sealed(values, stamp, self._seal(row, program, signers))
            else:
                content = program.render(values, stamp)
        except (merge.BadTemplate, headers.BadAddress) as wrong:
            raise CannotRender(str(wrong)) from wrong
        return Mail(
            delivery_id=row.id,
            sender=compiled["from"]["email"],
            recipient=to,
            content=content,
            workspace_id=row.workspace_id,
            needs_utf8=not to.isascii(),
            dotless=True,
            may_go=may_go,
        )

    def _seal(self, row: Row, program: Program, signers: Signers) -> Seal:
        place = row.revision_id, signers
        if place not in self._seals:
            self._seals[place] = program.seal(signers)
        return self._seals[place]

    def _loaded(self) -> dict[int, Program]:
        """The programs by revision, but for those that cannot be used: such a message must not hold
        up the others, as it would if every worker stumbled over its first lease."""
        found: dict[int, Program] = {}
        for pk, compiled in self._compiled.items():
            if "program" in compiled:
                try:
                    program = Program.from_json(compiled["program"])
                    keys.by_id(program.link_key)
                    found[pk] = program
                except merge.BadTemplate as wrong:
                    self._unread[pk] = str(wrong)
                except LinkKey.DoesNotExist:
                    self._unread[pk] = _NO_KEY
        return found

    def _made_for_all(self, rows: list[Row]) -> dict[int, tuple[Links, str]]:
        """Links and Message-ID of each row that has a program."""
        groups: defaultdict[tuple[int, int, int], list[Row]] = defaultdict(list)
        for row in rows:
            if row.revision_id in self._programs:
                groups[row.message_id, row.occasion, row.revision_id].append(row)
        made: dict[int, tuple[Links, str]] = {}
        for (message_id, occasion, revision_id), group in groups.items():
            people = [row.subscriber_id or 0 for row in group]
            key_id = self._programs[revision_id].link_key
            own = links.for_people(message_id, people, occasion, key_id)
            keys = links.message_keys(message_id, people, occasion)
            made.update(
                (row.id, pair) for row, pair in zip(group, zip(own, keys, strict=True), strict=True)
            )
        return made


def _people(rows: list[Row]) -> dict[int, Person]:
    table, given = among.these({row.subscriber_id for row in rows if row.subscriber_id})
    columns = ("id", *Person._fields)
    statement = _PEOPLE.format(table=table, each=among.each("lists_subscriber", "p"))
    return {
        pk: Person(name, first, email, {} if fields == "{}" else json.loads(fields))
        for pk, name, first, email, fields in wholesale.fetch(statement, columns, [given])
    }


# The fields as text: most people have none, and the decoder would cost more than all the rest.
_PEOPLE = (
    "SELECT p.id, p.name, p.first_name, p.email, CAST(p.fields AS TEXT) AS fields"
    " FROM {table} {each}"
)


def _compiled(rows: list[Row]) -> dict[int, dict[str, Any]]:
    """The compiled messages, read once per process: a revision never changes."""
    keys = {row.revision_id for row in rows}
    if not keys <= _read.keys():
        if len(_read) > _MOST_READ:
            _read.clear()
        found = MessageRevision.objects.filter(pk__in=keys).values_list("pk", "compiled")
        _read.update(found)
    return {key: _read[key] for key in keys if key in _read}


_MOST_READ = 32
_read: dict[int, dict[str, Any]] = {}
