"""The letters of one lease: what its rows need to become mails, fetched for all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mailape.campaigns.models import MessageRevision
from mailape.core import clock
from mailape.delivery import render
from mailape.delivery.leases import Row
from mailape.delivery.render import CannotRender, Person
from mailape.delivery.transports.base import Mail
from mailape.lists.models import Subscriber


class Letters:
    """Readers and compiled messages of these rows."""

    def __init__(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        self._people = _people(rows)
        self._compiled = _compiled(rows)

    def mail(self, row: Row, may_go: Callable[[], bool]) -> Mail:
        """The row as a mail. Raises CannotRender."""
        compiled = self._compiled.get(row.revision_id)
        if compiled is None:
            raise CannotRender("Nothing was compiled for it")
        person = self._people.get(row.subscriber_id or 0, Person())
        return render.mail(row, person, compiled, clock.now(), may_go)


def _people(rows: list[Row]) -> dict[int, Person]:
    keys = {row.subscriber_id for row in rows if row.subscriber_id}
    found = Subscriber.objects.filter(pk__in=keys).values_list(
        "pk", "name", "first_name", "email", "fields"
    )
    return {pk: Person(*values) for pk, *values in found}


def _compiled(rows: list[Row]) -> dict[int, dict[str, Any]]:
    keys = {row.revision_id for row in rows}
    return dict(MessageRevision.objects.filter(pk__in=keys).values_list("pk", "compiled"))
