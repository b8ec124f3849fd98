"""A strict SMTP server without a socket, and a driver that sets the core against it.

The server holds what RFC 5321 holds: a second MAIL without RSET is an error, and it writes down
every mail that it took, whether or not its answer ever arrives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

from mailape.delivery.transports.base import Fate, Mail, Outcome
from mailape.delivery.transports.wire.core import Core, End, Stage
from mailape.delivery.transports.wire.envelope import Offer

BODY = b"Subject: Hello\r\n\r\nThis is for reader %d.\r\n"
PIPELINED = Offer(pipelining=True, sized=True)
CHUNKED = Offer(pipelining=True, chunking=True)
CHUNKED_ONE_BY_ONE = Offer(chunking=True)
PLAIN = Offer()
OFFERS = [PIPELINED, CHUNKED, CHUNKED_ONE_BY_ONE, PLAIN]


def letters(count: int) -> list[Mail]:
    """Mails 1 to `count`, each with its number in it."""
    return [
        Mail(n, "news@example.org", f"reader{n}@example.org", BODY % n) for n in range(1, count + 1)
    ]


@dataclass
class Does:
    """What the server does at a command, instead of consenting.

    `answer` in its place; `takes` the mail all the same (it means something at CONTENT only); then
    `closes` the line, or is `mute` from then on.
    """

    answer: bytes = b""
    takes: bool = False
    closes: bool = False
    mute: bool = False


CONSENTS = Does()
_CONSENT = {
    Stage.RSET: b"250 2.0.0 Ok\r\n",
    Stage.MAIL: b"250 2.1.0 Ok\r\n",
    Stage.RCPT: b"250 2.1.5 Ok\r\n",
    Stage.DATA: b"354 Go on\r\n",
    Stage.CONTENT: b"250 2.0.0 Ok: queued\r\n",
    Stage.QUIT: b"221 2.0.0 Bye\r\n",
}


@dataclass
class StrictServer:
    """One connection. `script` says what is done at the next command that it could consent to."""

    script: Callable[[Stage, str], Does] = lambda stage, recipient: CONSENTS
    lone_dots: bool = False  # answers 354 to DATA though no recipient is left
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    closed: bool = False
    commands: list[bytes] = field(default_factory=list)
    _rest: bytes = b""
    _sender: bytes | None = None
    _recipients: list[str] = field(default_factory=list)
    _in_data: bool = False
    _mute: bool = False
    _chunk: int | None = None

    def receive(self, data: bytes) -> bytes:
        """The answers to what the client sent."""
        self._rest += data
        answers = b""
        while not self.closed and (step := self._step()) is not None:
            answers += b"" if self._mute else step
        return answers

    def _step(self) -> bytes | None:
        if self._in_data:
            return self._dot()
        if self._chunk is not None:
            return self._bdat(self._chunk)
        line, end, rest = self._rest.partition(b"\r\n")
        if not end:
            return None
        self._rest = rest
        self.commands.append(line)
        return self._command(line)

    def _dot(self) -> bytes | None:
        if self._rest.startswith(b".\r\n"):
            content, self._rest = b"", self._rest[3:]
        else:
            head, end, rest = self._rest.partition(b"\r\n.\r\n")
            if not end:
                return None
            content, self._rest = head + b"\r\n", rest
        self._in_data = False
        return self._content(re.sub(rb"(?m)^\.", b"", content))

    def _bdat(self, size: int) -> bytes | None:
        if len(self._rest) < size:
            return None
        content, self._rest = self._rest[:size], self._rest[size:]
        self._chunk = None
        return self._content(content)

    def _content(self, content: bytes) -> bytes:
        recipients, self._recipients, self._sender = self._recipients, [], None
        if not recipients:
            return b"554 5.5.1 No valid recipients\r\n"
        does = self.script(Stage.CONTENT, recipients[0])
        if does.takes or not (does.answer or does.closes or does.mute):
            self.taken += [(recipient, content) for recipient in recipients]
        return self._say(Stage.CONTENT, does)

    def _say(self, stage: Stage, does: Does) -> bytes:
        self.closed, self._mute = does.closes, self._mute or does.mute
        return does.answer or (b"" if does.closes else _CONSENT[stage])

    def _command(self, line: bytes) -> bytes:
        verb = line.split(b" ")[0]
        if verb == b"MAIL":
            return self._mail(line)
        if verb == b"RCPT":
            return self._rcpt(line)
        if verb == b"DATA":
            return self._data()
        if verb == b"BDAT":
            self._chunk = int(line.split()[1])
            return b""
        if verb in (b"RSET", b"QUIT"):
            self._sender, self._recipients = None, []
            stage = Stage.RSET if verb == b"RSET" else Stage.QUIT
            does = self.script(stage, "")
            answer = self._say(stage, does)
            self.closed = self.closed or stage is Stage.QUIT
            return answer
        self.faults.append(f"unknown: {line!r}")
        return b"500 5.5.2 What?\r\n"

    def _mail(self, line: bytes) -> bytes:
        if self._sender is not None:
            self.faults.append("MAIL within a transaction")
            return b"503 5.5.1 Nested MAIL\r\n"
        does = self.script(Stage.MAIL, "")
        if not does.answer and not does.closes:
            self._sender = line
        return self._say(Stage.MAIL, does)

    def _rcpt(self, line: bytes) -> bytes:
        if self._sender is None:
            return b"503 5.5.1 MAIL first\r\n"
        found = re.match(rb"RCPT TO:<(.*?)>", line)
        assert found is not None
        recipient = found.group(1).decode()
        does = self.script(Stage.RCPT, recipient)
        if not does.answer:
            self._recipients.append(recipient)
        return self._say(Stage.RCPT, does)

    def _data(self) -> bytes:
        if not self._recipients and not (self._sender and self.lone_dots):
            return b"503 5.5.1 RCPT first\r\n"
        does = self.script(Stage.DATA, self._recipients[0]) if self._recipients else CONSENTS
        answer = self._say(Stage.DATA, does)
        self._in_data = answer.startswith(b"354")
        return answer


def by_recipient(**rules: Does) -> Callable[[Stage, str], Does]:
    """A script: `RCPT_2=Does(…)` at RCPT of reader 2; `MAIL_1=…` at the first MAIL."""
    mails = 0

    def script(stage: Stage, recipient: str) -> Does:
        nonlocal mails
        mails += stage is Stage.MAIL
        number = "".join(filter(str.isdigit, recipient)) or str(mails)
        return rules.get(f"{stage.name}_{number}", CONSENTS)

    return script


class Caller:
    """What the core asks: gives the mails and writes down what it is told."""

    def __init__(self, mails: list[Mail]) -> None:
        self.mails = iter(mails)
        self.outcomes: dict[int, Outcome] = {}
        self.returned: list[int] = []
        self.suspects: list[int] = []
        self.told: list[int] = []
        self.begun: list[int] = []
        self.dots: list[int] = []
        self.withhold: set[int] = set()

    def next_mail(self) -> Mail | None:
        mail = next(self.mails, None)
        if mail is not None:
            self.begun.append(mail.delivery_id)
        return mail

    def may_finish(self, mail: Mail) -> bool:
        self.dots.append(mail.delivery_id)
        return mail.delivery_id not in self.withhold

    def done(self, outcome: Outcome) -> None:
        assert outcome.delivery_id not in self.outcomes, "two outcomes for one mail"
        assert outcome.delivery_id not in self.returned, "an outcome for a mail that was returned"
        self.outcomes[outcome.delivery_id] = outcome
        self.told.append(outcome.delivery_id)

    def untouched(self, mail: Mail, *, suspect: bool) -> None:
        assert mail.delivery_id not in self.outcomes, "a mail with an outcome was returned"
        self.returned.append(mail.delivery_id)
        if suspect:
            self.suspects.append(mail.delivery_id)

    def fates(self) -> dict[int, Fate]:
        """By mail: what became of it."""
        return {key: outcome.fate for key, outcome in self.outcomes.items()}

    def having(self, fate: Fate) -> list[int]:
        """The mails that this became of."""
        return [key for key, outcome in self.outcomes.items() if outcome.fate is fate]


def converse(
    core: Core, server: StrictServer, cuts: list[int] | None = None, lose: int = 0
) -> list[bytes]:
    """Lets the two talk until nothing moves any more; returns what the client wrote, by write.

    `cuts` are lengths at which bytes are cut, both ways, over and over; when the server has closed,
    the last `lose` octets of its answers never arrive.
    """
    lengths: Iterator[int] = chain.from_iterable(repeat(cuts)) if cuts else repeat(1 << 20)
    writes: list[bytes] = []
    core.fill()
    while core.ended is None:
        out = core.take()
        if not out:
            break
        writes.append(out)
        answers = b"".join(server.receive(piece) for piece in cut(out, lengths))
        if server.closed and lose:
            answers = answers[: max(len(answers) - lose, 0)]
        for piece in cut(answers, lengths):
            if core.ended is None:
                core.receive(piece)
        if server.closed and core.ended is None:
            core.break_off(End.LOST, "The line dropped")
    return writes


def cut(data: bytes, lengths: Iterator[int]) -> Iterator[bytes]:
    """The data in pieces of these lengths."""
    at = 0
    while at < len(data):
        length = max(next(lengths), 1)
        yield data[at : at + length]
        at += length
