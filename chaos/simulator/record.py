"""What really happened, as seen at the seams: what servers took, which dots went out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chaos.simulator.machine import Machine, Process
from mailape.delivery.transports.base import Fate, Letter, Mail, Outcome, Witness


@dataclass(slots=True, eq=False)
class Attempt:
    """A mail's last dot was allowed to go out."""

    delivery: int
    process: Process
    at: float
    outcome: Outcome | None = None
    noted: bool = False  # the witness has taken the outcome
    noted_at: float = 1e12
    died: bool = False  # before that
    void: bool = False  # its line ended before the server came to it
    unsynced: bool = False  # a power cut took its lines

    @property
    def is_doubtful(self) -> bool:
        """Whether nobody said what became of it."""
        return self.died or (self.outcome is not None and self.outcome.fate is Fate.IN_DOUBT)


@dataclass
class Record:
    """One schedule's record."""

    machine: Machine
    poison: tuple[int, str] = (0, "")  # a delivery, and where its process dies each time
    contents: dict[int, bytes] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    ledger: list[tuple[float, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    deaths: Counter[int] = field(default_factory=Counter)  # by delivery: while it was held
    strangers: set[int] = field(default_factory=set)  # deliveries settled as a stranger's
    synced_at: dict[int, float] = field(default_factory=dict)  # by process
    left: dict[int, float] = field(default_factory=dict)  # by subscriber: since when
    halted: dict[int, list[list[float]]] = field(default_factory=dict)  # by message: from, to
    sent_again: Counter[int] = field(default_factory=Counter)  # by delivery: by a person
    refused: set[int] = field(default_factory=set)  # deliveries that a server would not have
    newsletter: frozenset[int] = frozenset()  # deliveries of newsletters
    slow: bool = False  # whether a look may have been late
    _by_content: dict[bytes, int] = field(default_factory=dict)

    def wrong(self, text: str) -> None:
        """Something that must not be."""
        self.machine.say(f"WRONG: {text}")
        self.faults.append(text)

    def may_be_twice(self, delivery: int) -> bool:
        """Whether a sender that is stopped may have it under way while another sends it: a person
        had it sent again meanwhile, or it is machine mail of a host that nobody heard of."""
        machine = delivery not in self.newsletter
        return bool(self.sent_again[delivery]) or (machine and delivery in self.strangers)

    # --- servers ---

    def took(self, recipient: str, content: bytes) -> None:
        """A server has this mail."""
        delivery = self._by_content.get(content)
        if delivery is None:
            return self.wrong(f"I2 a mail to {recipient} that nobody made")
        self.ledger.append((self.machine.now, delivery))
        return self.machine.say(f"server takes {delivery}")

    @property
    def copies(self) -> Counter[int]:
        return Counter(delivery for _, delivery in self.ledger)

    # --- processes ---

    def mail_made(self, mail: Mail) -> None:
        """I4: each time it is made it is the same."""
        known = self.contents.setdefault(mail.delivery_id, mail.content)
        self._by_content[mail.content] = mail.delivery_id
        if known != mail.content:
            self.wrong(f"I4 delivery {mail.delivery_id} has two contents")
        _perhaps_dies(self, mail.delivery_id, "mail")

    def process_died(self, process: Process) -> None:
        """Its open attempts are in doubt: no more than its lines allow."""
        open_ones = self.open_of(process)
        for one in open_ones:
            one.died = True
        self.machine.say(f"unanswered: {[one.delivery for one in open_ones]}")

    def open_of(self, process: Process) -> list[Attempt]:
        """Dots that are out, whose answer is not noted."""
        return [
            one
            for one in self.attempts
            if one.process is process and one.outcome is None and not one.void
        ]

    def power_cut(self, process: Process) -> None:
        """What was written since the last sync is lost."""
        for one in self.attempts:
            since = self.synced_at.get(process.number, -1.0)
            if one.process is process and one.noted_at >= since:
                one.unsynced = True

    def doubts(self, delivery: int) -> int:
        """How often it was truly open whether this delivery had arrived."""
        return sum(
            one.died or not one.noted or one.is_doubtful
            for one in self.attempts
            if one.delivery == delivery and not one.void
        )


class Watched:
    """The real transport, with a witness that writes down what passes."""

    def __init__(self, inner: Any, record: Record) -> None:
        self.account_id = inner.account_id
        self.inner, self._record = inner, record

    def send(self, mails: Iterable[Letter | None], witness: Witness) -> Iterator[Outcome | None]:
        yield from self.inner.send(self._passing(mails), _Witness(witness, self._record))

    def close(self) -> None:
        self.inner.close()

    def _passing(self, letters: Iterable[Letter | None]) -> Iterator[Letter | None]:
        for letter in letters:
            yield None if letter is None else _WatchedLetter(letter, self._record)


class _WatchedLetter:
    """A letter whose content is written down when it is made."""

    def __init__(self, inner: Letter, record: Record) -> None:
        self.delivery_id = inner.delivery_id
        self._inner, self._record = inner, record

    def made(self) -> Mail | Outcome:
        made = self._inner.made()
        if isinstance(made, Mail):
            self._record.mail_made(made)
        return made


class _Witness:
    def __init__(self, inner: Witness, record: Record) -> None:
        self._inner, self._record = inner, record
        self._told: list[Attempt] = []  # whose outcomes the witness may not have kept yet

    def before_dot(self, mail: Mail) -> bool:
        record = self._record
        process = record.machine.current
        assert process is not None
        process.check()
        _perhaps_dies(record, mail.delivery_id, "before-dot")
        attempt = Attempt(mail.delivery_id, process, record.machine.now)
        before = list(record.attempts)
        record.attempts.append(attempt)  # it may die in there, with the line written
        try:
            goes = self._inner.before_dot(mail)
        except Exception:
            record.attempts.remove(attempt)
            self._told = []  # their lines were to go with it, and are lost
            raise
        if not goes:
            record.attempts.remove(attempt)
            return False
        told, self._told = self._told, []
        self._note(told)
        for one in before:
            if one.delivery != mail.delivery_id or one.outcome is not None or one.void:
                continue
            if one.process is process:
                one.void = True  # the server closed before it came to it: 421
            elif one.process.alive and not record.may_be_twice(mail.delivery_id):
                record.wrong(f"I3 delivery {mail.delivery_id} goes out twice at once")
        record.machine.say(f"dot of {mail.delivery_id}")
        _perhaps_dies(record, mail.delivery_id, "after-dot")
        return True

    def answered(self, outcome: Outcome) -> None:
        process = self._record.machine.current
        assert process is not None
        process.check()
        mine = [
            one
            for one in self._record.attempts
            if one.delivery == outcome.delivery_id and one.process is process and not one.outcome
        ]
        self._record.machine.say(f"{outcome.delivery_id} is {outcome.fate.name} {outcome.answer}")
        if not mine and outcome.fate in (Fate.SENT, Fate.IN_DOUBT):
            broken = "I1" if outcome.fate is Fate.SENT else "I3"
            self._record.wrong(
                f"{broken} {outcome.fate.name} for {outcome.delivery_id} without a dot"
            )
        if outcome.fate is Fate.REFUSED:
            self._record.refused.add(outcome.delivery_id)
        for one in mine:
            one.outcome = outcome
        self._inner.answered(outcome)
        self._told += mine

    def told(self) -> None:
        told, self._told = self._told, []
        self._inner.told()  # where it raises, these lines are lost, and nothing writes them again
        self._note(told)

    def _note(self, told: list[Attempt]) -> None:
        """What was answered is kept by now."""
        for one in told:
            one.noted, one.noted_at = True, self._record.machine.now


def _perhaps_dies(record: Record, delivery: int, place: str) -> None:
    from chaos.simulator.machine import Died

    process = record.machine.current
    if record.poison == (delivery, place) and process is not None:
        record.machine.kill(process, f"of delivery {delivery}, {place}")
        raise Died
