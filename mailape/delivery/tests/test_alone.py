"""One that a death more would quarantine is sent alone, so that no other mail is to blame for it.

A run of `chaos` found it (row `poison`): the mails of several leases are on the wire at once, and
beside a mail on which senders die its neighbours were quarantined, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest

from mailape.core import clock
from mailape.delivery import claim, journal, send, status
from mailape.delivery.journal import Claim
from mailape.delivery.leases import DEATHS, NEWSLETTER
from mailape.delivery.models import SubscriberMessage
from mailape.delivery.tests.conftest import counted, deferred
from mailape.delivery.tests.ways import Way
from mailape.delivery.transports.base import Fate, Letter, Mail, Outcome, Witness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def last(sent_off) -> int:
    """Of three mails that are due singly the one on which two senders died."""
    sent_off(3)
    lease = claim.batch()
    assert lease is not None
    status.write(lease, [deferred(pk) for pk in lease.open])
    return with_deaths(min(all_of()), DEATHS - 1)


def all_of() -> list[int]:
    return list(SubscriberMessage.objects.order_by("pk").values_list("pk", flat=True))


def with_deaths(pk: int, deaths: int) -> int:
    SubscriberMessage.objects.filter(pk=pk).update(deaths=deaths)
    return pk


def test_it_waits_until_its_process_holds_nothing_else(last):
    _, touched, other = all_of()
    with_deaths(touched, 1)
    held = journal.mine().claim([Claim("batch", 7, 1)])
    assert [list(claim.singles(NEWSLETTER).open) for _ in range(2)] == [[touched], [other]]
    assert claim.singles(NEWSLETTER) is None
    assert claim.anything(NEWSLETTER)
    journal.mine().written(held)
    lease = claim.singles(NEWSLETTER)
    assert (list(lease.open), lease.alone) == ([last], True)


class Late(Way):
    """A way out that answers when it is told that no mail may go now."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[list[int]] = []  # what was on the wire at the same time

    def send(self, mails: Iterable[Letter | None], witness: Witness) -> Iterator[Outcome | None]:
        going: list[int] = []
        for letter in itertools.chain(mails, [None]):
            mail = letter.made() if letter else None
            if isinstance(mail, Mail) and witness.before_dot(mail):
                going.append(mail.delivery_id)
            elif going:
                self.together.append(going)
                yield from [Outcome(pk, Fate.SENT, 250) for pk in going]
                going = []


def test_nothing_is_on_the_wire_besides_it(last):
    others = [pk for pk in all_of() if pk != last]
    way = Late()
    claims = iter(lambda: claim.singles(NEWSLETTER), None)
    assert send.run(claims, way, clock.monotonic() + 60) is True
    assert way.together == [[last], others]
    assert counted(SubscriberMessage.objects.get(pk=last).message) == {"sent": 3}
