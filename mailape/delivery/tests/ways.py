"""Ways out that say what a test wants, and tell it what they took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mailape.core import clock
from mailape.delivery import claim, send
from mailape.delivery.journal import JournalBroken
from mailape.delivery.transports.base import Fate, Letter, Mail, Outcome, Witness, begun
from mailape.delivery.turns import Work

TAKEN = Outcome(0, Fate.SENT, 250)
UNSIGNED = Outcome(0, Fate.ROUTE_BROKEN, text="The key of example.org cannot be read")


class Way:
    """A way out that takes one mail after the other and tells somebody each time.

    Each gets the fate, the code and the words of `says`.
    """

    def __init__(
        self,
        told: Callable[[int], None] = lambda _: None,
        says: Outcome = TAKEN,
        account_id: int = 1,
    ) -> None:
        self.taken: list[Mail] = []
        self._told, self._says, self.account_id = told, says, account_id

    def send(self, mails: Iterable[Letter | None], witness: Witness) -> Iterator[Outcome | None]:
        for mail in begun(mails):
            if not isinstance(mail, Mail):
                yield mail
                continue
            self.taken.append(mail)
            self._told(len(self.taken))
            broken = None
            try:
                goes = witness.before_dot(mail)
            except JournalBroken as fault:  # which is raised when all have their outcome
                goes, broken = False, fault
            outcome = self._says if goes else Outcome(0, Fate.NOT_BEGUN)
            outcome = outcome._replace(delivery_id=mail.delivery_id)
            if broken is None:
                witness.answered(outcome)
                witness.told()
            yield outcome
            if broken is not None:
                raise broken

    def close(self) -> None:
        """Nothing is open."""


class Wide(Way):
    """A way out that answers only when all it was given is on the wire."""

    def __init__(self, answers: int = 1000) -> None:
        super().__init__()
        self._answers = answers  # after so many it breaks down

    def send(self, mails: Iterable[Letter | None], witness: Witness) -> Iterator[Outcome | None]:
        for letter in mails:
            mail = letter.made() if letter else None
            if isinstance(mail, Mail) and witness.before_dot(mail):
                self.taken.append(mail)
        for number, mail in enumerate(self.taken):
            if number == self._answers:
                raise ZeroDivisionError
            outcome = Outcome(mail.delivery_id, Fate.SENT, 250)
            witness.answered(outcome)
            witness.told()
            yield outcome


def at(number: int, deed: Callable[[], object]) -> Callable[[int], None]:
    return lambda count: deed() if count == number else None


def go(way: Way, seconds: float = 60) -> bool:
    return send.run([claim.batch()], way, clock.monotonic() + seconds)


def in_hand(way: Way | None = None) -> tuple[send._Sending, Work]:
    """A batch that is taken up, and the sending that has it, at no mail yet."""
    sending = send._Sending(iter([]), way or Way(), clock.monotonic() + 60)
    lease = claim.batch()
    assert lease is not None
    return sending, sending._take_up(lease)
