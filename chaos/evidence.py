"""What is known when a run is over, as plain data: `invariants` judges it and asks nothing else.

All times are seconds since 1970 by this machine's clock, whatever the instance believed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

NEVER = float("inf")


@dataclass(slots=True)
class Attempt:
    """One mail transaction as the mail server saw it, from MAIL to its end."""

    connection: int
    begun: float  # when the bytes of MAIL were seen
    sender: str
    to: str = ""
    stage: str = "MAIL"  # the last one reached: MAIL, RCPT, DATA, DOT
    answer: str = ""  # the last refusal; empty where none was given
    key: str = ""  # of the Message-ID, before the at sign; known from the dot on
    digest: str = ""  # of everything but the Date
    date: str = ""
    subject: str = ""
    taken: float = 0.0  # when the ledger's line was written; 0 where it was not taken
    heard: bool = False  # the client surely read the answer to the dot
    clear: bool = True  # without TLS
    unseen: float = 0.0  # seconds for which they may have lain there: the server had no turn
    offered: frozenset[str] = frozenset()  # the extensions that the server had named by then
    unfit: str = ""  # what of it the server had not offered to take

    @property
    def surely_begun(self) -> float:
        """The earliest time at which the bytes of MAIL may have arrived."""
        return self.begun - self.unseen

    def __str__(self) -> str:
        who = self.to or f"somebody ({self.sender})"
        return f"{who} on line {self.connection}, up to {self.stage} {self.answer}".rstrip()

    @property
    def refused_for_good(self) -> bool:
        return self.answer.startswith("5") and self.stage != "MAIL"

    @property
    def in_doubt(self) -> bool:
        """Whether its sender may not know what became of it: its end was out, and no answer read,
        whatever that said. A refusal instead of 354 comes before the end."""
        refused = self.answer[:1] in {"4", "5"} and self.answer[:3].isdigit()
        return not self.heard and (self.stage == "DOT" or (self.stage == "DATA" and not refused))


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery as the database has it."""

    id: int
    kind: str
    message: int
    to: str
    state: str
    reason: str = ""
    occasion: int = 0
    key: str = ""  # what its Message-ID must begin with


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did, or what was done to her: it began, and it was answered, or nobody knows.

    `kind`: joined (confirmed), left, suppressed. `lists` is empty where it concerns all of them.
    """

    kind: str
    began: float
    ended: float | None
    lists: frozenset[int] = frozenset()

    def concerns(self, lists: Iterable[int]) -> bool:
        return not self.lists or not self.lists.isdisjoint(lists)


@dataclass(slots=True)
class Person:
    """Somebody whom the run knows, by her address in lower case."""

    address: str
    workspace: int
    acts: list[Act] = field(default_factory=list)

    def standing(self, one: int) -> str:
        """How she stands with a list by her last act; empty where that is not known for sure."""
        mine = [act for act in self.acts if act.concerns([one]) and act.kind != "suppressed"]
        if not any(act.kind == "joined" for act in mine):
            return ""
        last = max(mine, key=lambda act: act.ended or NEVER)
        alone = all(act.ended and act.ended < last.began for act in mine if act is not last)
        if last.ended is None or not alone:
            return ""
        return "confirmed" if last.kind == "joined" else "unsubscribed"

    def surely_in(self, lists: frozenset[int], since: float) -> bool:
        """Whether she was on one of these lists from `since` on, whatever nobody knows."""
        if any(act.kind == "suppressed" for act in self.acts):
            return False
        return any(self._on(one, since) for one in lists)

    def _on(self, one: int, since: float) -> bool:
        mine = [act for act in self.acts if act.concerns([one])]
        joined = [a for a in mine if a.kind == "joined" and a.ended is not None and a.ended < since]
        left = [act for act in mine if act.kind == "left"]
        return bool(joined) and not any(act.began >= joined[0].began for act in left)

    def off_since(self, lists: frozenset[int], at: float) -> float:
        """Since when, at that time, she had surely been on none of these lists, or suppressed.

        0 where she never was on any, NEVER where she may still be on one.
        """
        held = [act.ended for act in self.acts if act.kind == "suppressed" and _known(act, at)]
        return min([max(self._off(one, at) for one in lists), *(end or NEVER for end in held)])

    def _off(self, one: int, at: float) -> float:
        mine = [act for act in self.acts if act.concerns([one]) and act.began <= at]
        joined = max((act.began for act in mine if act.kind == "joined"), default=None)
        if joined is None:
            return 0.0
        left = [act.ended for act in mine if act.kind == "left" and _known(act, at)]
        return min((end for end in left if end and end > joined), default=NEVER)


def _known(act: Act, at: float) -> bool:
    return act.ended is not None and act.ended <= at


@dataclass(frozen=True, slots=True)
class Stop:
    """A pause or a cancel that was answered, and when the message was allowed to go on."""

    kind: str
    at: float
    until: float = NEVER


@dataclass(slots=True)
class Sent:
    """A newsletter of the run."""

    message: int
    workspace: int
    subject: str
    sender: str  # of the envelope: each message has its own, so that a refused MAIL tells it too
    lists: frozenset[int]
    began: float  # when its sending was asked for
    public: str = ""  # its id in the API
    stops: list[Stop] = field(default_factory=list)
    status: str = ""
    over_in_time: bool = True


@dataclass(frozen=True, slots=True)
class Count:
    """A number that somebody is shown: on a page, in the API, in a CSV."""

    where: str
    message: int
    state: str
    number: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long it took from the end of a fault to the next mail, while there was one to send."""

    fault: str
    seconds: float
    limit: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A process of ours, looked at: how old it was, its memory, its open files."""

    pid: int
    role: str
    age: float
    megabytes: float
    files: int


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate that somebody set: at most `mails` in `seconds`."""

    mails: int
    seconds: float


@dataclass
class Evidence:
    """Everything."""

    attempts: list[Attempt]
    rows: list[Row]
    people: dict[str, Person]
    sent: list[Sent]
    counts: list[Count] = field(default_factory=list)
    # Who signed up and was answered; what the database holds of (address, list), and as suppressed.
    asked: set[str] = field(default_factory=set)
    standing: dict[tuple[str, int], str] = field(default_factory=dict)
    suppressed: set[str] = field(default_factory=set)
    pasted: set[str] = field(default_factory=set)  # among many lines that were answered
    holes: list[str] = field(default_factory=list)  # pictures that were taken in and are not there
    recoveries: list[Recovery] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # exceptions that nobody caught
    limit: Limit | None = None
    tls: bool = False  # demanded
    sizes: frozenset[int] = frozenset()  # of the largest mail that the server took, at any time
    utf8_withheld: bool = False  # the server did not always take addresses beyond ASCII
    # How many mails may be on their way on one connection, and how many connections were lost.
    window: int = 1
    lines_lost: int = 0
    kills: int = 0
    # The local parts of those on whose mails senders die; None where senders die by chance, too.
    poisoned: set[str] | None = None
    # Whether the engine keeps a journal. Without one, what a killed worker had not saved is sent
    # again, and that is counted by itself.
    journal: bool = True
    # How far the instance's clock was set on or back, in seconds.
    clock_moved: float = 0.0
    # Delivery ids that a dead worker's journal had listed as in doubt.
    listed: set[int] | None = None

    @cached_property
    def letters(self) -> list[Attempt]:
        """What the server took, in the order in which it did."""
        return sorted((a for a in self.attempts if a.taken), key=lambda a: a.taken)

    @cached_property
    def row_of(self) -> dict[str, Row]:
        return {row.key: row for row in self.rows}

    @cached_property
    def copies(self) -> dict[str, list[Attempt]]:
        """The letters of each delivery, by the key of its Message-ID."""
        found: dict[str, list[Attempt]] = defaultdict(list)
        for letter in self.letters:
            found[letter.key].append(letter)
        return dict(found)

    @cached_property
    def tries(self) -> dict[tuple[str, str], list[Attempt]]:
        """All attempts by sender and recipient, in lower case."""
        found: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
        for attempt in self.attempts:
            found[attempt.sender.lower(), attempt.to.lower()].append(attempt)
        return dict(found)

    @cached_property
    def message_of(self) -> dict[str, Sent]:
        return {sent.sender.lower(): sent for sent in self.sent}

    @cached_property
    def newsletters(self) -> dict[int, Sent]:
        return {sent.message: sent for sent in self.sent}
