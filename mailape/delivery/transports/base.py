"""The contract of every way out: mails go in lazily, outcomes come out, named by what to do next.

Fate
├── SENT           the server took the mail
├── TRY_LATER      not now: this recipient again after a while
├── REFUSED        never: this recipient, with the server's words
├── TOO_LARGE      the server takes no mail as large as this: way and recipient are fine
├── IN_DOUBT       the last dot went out and no answer came back
├── ROUTE_DOWN     the server is not there now: nobody is blamed, the mail was not tried
├── ROUTE_BROKEN   the server will not have us until a person mends it: nobody is blamed
├── NOT_BEGUN      the sender's look at lease and pause had grown too old: the mail was not tried
└── NOT_MADE       no mail could be made of it, and none will be
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple, Protocol

PAUSE = 0.01  # seconds, where no mail may go now
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")


class Fate(Enum):
    """What became of a mail, named by what happens next."""

    SENT = auto()
    TRY_LATER = auto()
    REFUSED = auto()
    TOO_LARGE = auto()
    IN_DOUBT = auto()
    ROUTE_DOWN = auto()
    ROUTE_BROKEN = auto()
    NOT_BEGUN = auto()
    NOT_MADE = auto()


ROUTE_FATES = frozenset({Fate.ROUTE_DOWN, Fate.ROUTE_BROKEN})


class Mail(NamedTuple):
    """One mail to one person, ready for the wire.

    `content` has CRLF line ends and no dot-stuffing; `dotless` promises that no line of it begins
    with a dot, so that nobody has to look for one, and that it ends with CRLF. `may_go` is asked
    before the envelope and before the last dot: where it says no, the mail must not go out.
    """

    delivery_id: int
    sender: str
    recipient: str
    content: bytes
    subject: str = ""
    workspace_id: int | None = None
    needs_utf8: bool = False
    may_go: Callable[[], bool] = lambda: True
    dotless: bool = False

    def made(self) -> Mail:
        """Itself: see `Letter`."""
        return self


class Outcome(NamedTuple):
    """What became of one mail: the fate, and the server's code, enhanced status and words."""

    delivery_id: int
    fate: Fate
    code: int = 0
    enhanced: str = ""
    text: str = ""
    service_id: str = ""

    @property
    def answer(self) -> str:
        """The server's answer on one line, at most 500 characters."""
        words = f"{self.code} {self.text}" if self.code else self.text
        return one_line(words)[:500]

    @property
    def answer_text(self) -> str:
        """The same without its code."""
        return one_line(self.text)[:490]


class Letter(Protocol):
    """What becomes a mail when it is asked for: a `Mail` itself, or the means to make it.

    Mails of 14 KB that were made long before they go out have left the processor's cache by then.
    """

    @property
    def delivery_id(self) -> int:
        """Whose mail it is."""
        ...

    def made(self) -> Mail | Outcome:
        """The mail, or why there is none. Called once, right before the mail begins, in any
        thread; it must ask no database and wait for nothing."""
        ...


def begun(letters: Iterable[Letter | None]) -> Iterator[Mail | Outcome | None]:
    """For ways out that take one mail after the other: each mail, or why there is none; None, after
    a moment, where none may go now."""
    for letter in letters:
        if letter is None:
            time.sleep(PAUSE)
            yield None
        else:
            yield letter.made()


class Witness(Protocol):
    """Who is told of what cannot be taken back, when it happens and in the thread where it does.

    The engine's witness writes the journal. What it raises ends the sending: no mail begins and
    none ends any more, those whose last dot is out still get their outcome, and `send` raises it.
    """

    def before_dot(self, mail: Mail) -> bool:
        """The bytes that hold the mail's last dot go out now, if this says so."""
        ...

    def answered(self, outcome: Outcome) -> None:
        """A mail has its outcome. It may be kept until `told` or the next `before_dot`."""
        ...

    def told(self) -> None:
        """That was all for this moment: called before anybody acts on those outcomes, and before
        the thread waits for anything."""
        ...


class NoWitness:
    """Nobody is told: for a way out that can be asked afterwards, and for trying one out."""

    def before_dot(self, mail: Mail) -> bool:
        return mail.may_go()

    def answered(self, outcome: Outcome) -> None:
        pass

    def told(self) -> None:
        pass


NOBODY = NoWitness()


class Transport(Protocol):
    """A way out. One per process and account; its connections are kept between tasks."""

    account_id: int

    def send(
        self, mails: Iterable[Letter | None], witness: Witness = NOBODY
    ) -> Iterator[Outcome | None]:
        """Sends, taking each mail only when it can go soon, and yields outcomes as they come.

        A None among the mails says that none may go now: the next is asked for a moment later.
        Yields None at least once a second while it waits, so that the caller can renew its lease.
        After a route's fate it takes no more mails; those under way still get their outcome.
        `mails` is only ever advanced in the caller's thread.
        """
        ...

    def close(self) -> None:
        """Ends all connections."""
        ...


def one_line(text: str) -> str:
    """Text from outside as one printable line."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def enhanced(text: str) -> str:
    """The enhanced status code (RFC 3463) that an answer begins with, or nothing."""
    found = _ENHANCED.match(text)
    return found.group(1) if found else ""
