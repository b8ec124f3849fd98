"""One SMTP connection as a pure state machine: bytes in, bytes and outcomes out.

It begins after EHLO, STARTTLS and AUTH. It knows no socket and no clock, so a simulator drives it
as well as a session does. What it needs it asks of whoever drives it (`Asks`).

Three manners, by what the server offers:

  pipelined (RFC 2920)    C: MAIL RCPT DATA                 one write
                          S: 250 250 354
                          C: content . MAIL RCPT DATA       the next group rides behind the dot
                          S: 250 250 250 354                one mail for each round trip
  chunked (RFC 3030)      C: MAIL RCPT BDAT content         up to `window` of them without waiting,
                             RSET MAIL RCPT BDAT content    each after a RSET, see `_steps`
  one by one              C: MAIL    S: 250    C: RCPT    S: 250    C: DATA …

Answers come in the order of the commands, and a mail is over only when its last answer is here. So
every answer belongs to the oldest open mail, `_open[0]`, and `_due` names the command it answers.

What an answer means, by what happens next:

  at MAIL         concerns the way, and no recipient: 4xx route down, 5xx route broken; but 552
                  to the SIZE that we said concerns this mail: too large (RFC 1870 6.1)
  at RCPT, DATA   concerns this recipient: 4xx try later, 5xx refused. Then RSET before the next
  at the end      2xx sent, 4xx try later, 5xx refused
  421 anywhere    the server closes: at MAIL the mail was not tried, after it it is tried later
  no answer       the line dropped, or what came was no SMTP: in doubt is a mail whose last byte was
                  handed over, and no other. The rest may be put to another connection
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Protocol

from mailape.delivery.transports.base import Fate, Mail, Outcome, enhanced
from mailape.delivery.transports.wire.answers import AnswerReader, words
from mailape.delivery.transports.wire.envelope import Offer, Unsendable, ended, for_data

# With a window: no more than this many octets unanswered, unless a single mail is larger.
MOST_IN_WINDOW = 1 << 20


class Stage(IntEnum):
    """What an answer is due for."""

    RSET = 0
    MAIL = 1
    RCPT = 2
    DATA = 3
    CONTENT = 4  # the dot, or the last BDAT
    QUIT = 5


class End(Enum):
    """Why a connection is over."""

    QUIT = auto()  # we said goodbye
    CLOSING = auto()  # the server said 421
    WITHHELD = auto()  # after 354 a mail must not go out any more; only a cut keeps it back
    LOST = auto()  # the line dropped
    SLOW = auto()  # no answer in time
    GARBAGE = auto()  # what came was no answer, or none to what was asked


class Asks(Protocol):
    """What the core asks while it works. Nothing of it may raise, or call the core."""

    def next_mail(self) -> Mail | None:
        """The next mail, when one can go now."""
        ...

    def may_finish(self, mail: Mail) -> bool:
        """Asked right before the bytes that end the mail: whether it may go out."""
        ...

    def done(self, outcome: Outcome) -> None:
        """What became of a mail."""
        ...

    def untouched(self, mail: Mail, *, suspect: bool) -> None:
        """The connection is over and this mail certainly did not go out: it may be tried again.

        `suspect`: it was at this mail's recipient or content that the line dropped.
        """
        ...


@dataclass(slots=True)
class _Job:
    mail: Mail
    settled: bool = False  # its outcome is out; answers may still be due
    gone: bool = False  # its last byte was handed over
    named: bool = False  # its sender was accepted, so that its recipient was looked at
    refused_sender: bool = False
    octets: int = 0  # counted in the window
    rest: tuple[tuple[Stage, bytes], ...] = ()  # one by one: what is still to be said


# Looking up a member of an enumeration costs as much as ten of these names (Python 3.11).
_RSET, _MAIL, _RCPT, _DATA, _CONTENT, _QUIT = Stage
# What says at MAIL that it is the size: these (RFC 3463), or no more than the code.
_SIZES = ("5.3.4", "5.2.3", "")
_SENT, _TRY_LATER, _REFUSED = Fate.SENT, Fate.TRY_LATER, Fate.REFUSED
_GROUP = (_MAIL, _RCPT, _DATA)
_GROUP_AFTER_RSET = (_RSET, *_GROUP)
_CHUNK = (_MAIL, _RCPT, _CONTENT)
_CHUNK_AFTER_RSET = (_RSET, *_CHUNK)


class Core:
    """The state of one connection. `ended` and `why` say when it is over, and how: at CLOSING `why`
    is what the server said behind its 421."""

    def __init__(self, offer: Offer, *, window: int = 16, most_mails: int | None = None) -> None:
        self.asks: Asks | None = None  # whom to ask; to be changed only while `idle`
        self.hold = False  # for the driver: no mail begins as long as this is set
        self.ended: End | None = None
        self.why = ""
        self.interrupted = False  # mails were open when it ended
        self.welcome = False  # the server took a sender of ours: the route works
        self.finished = 0  # mails that have an outcome
        self.answers = 0  # whole answers so far: what a time limit looks at
        self.pipelined = offer.pipelining
        self._offer = offer
        self._window = window if offer.chunking and offer.pipelining else 1
        self._left = most_mails
        self._reader = AnswerReader()
        self._out: list[bytes] = []
        self._open: deque[_Job] = deque()
        self._due: deque[Stage] = deque()
        self._octets = 0  # of the mails in the window
        self._enveloped = False  # pipelined: a group waits for its 354
        self._reset = False  # the next group begins with RSET
        self._closing = False

    # --- what the driver does ---

    @property
    def depth(self) -> int:
        """How many mails can be under way at once."""
        return max(self._window, 2) if self.pipelined else 1

    @property
    def awaiting(self) -> Stage | None:
        """The command whose answer is due next; None while nothing is under way."""
        return self._due[0] if self._due else None

    def fill(self) -> None:
        """Takes new mails as far as there is room; to be called when there may be one."""
        while not self._enveloped and self._room():
            if self._closing or self._left == 0:
                return self._say_quit()
            mail = self.asks.next_mail() if self.asks and not self.hold else None
            if mail is None:
                return None
            self._begin(mail)
        return None

    def receive(self, data: bytes) -> None:
        """Takes bytes from the server."""
        for code, line in self._reader.feed(data):
            if self.ended is None:
                self.answers += 1
                self._take(code, line)
        if self._reader.fault and self.ended is None:
            self.break_off(End.GARBAGE, f"The server sent {self._reader.fault}")

    def take(self) -> bytes:
        """The bytes to hand over now."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def quit(self) -> None:
        """Takes no new mail; says goodbye as soon as that can be said."""
        self._closing = True
        self.fill()

    def break_off(self, end: End, why: str, *, unsent: bool = False) -> None:
        """The connection is over: gives every open mail its outcome, or back.

        `unsent`: the end of what was handed over last certainly did not leave this machine.
        """
        self.ended, self.why = end, why
        self.interrupted = bool(self._open)
        self._due.clear()
        self._out.clear()
        doubtful = [job for job in self._open if job.gone and not job.settled]
        if unsent and doubtful:
            doubtful.pop().gone = False
        while self._open:
            job = self._open.popleft()
            if job.settled:
                continue
            if job.gone:
                self._done(Outcome(job.mail.delivery_id, Fate.IN_DOUBT, text=why))
            elif self.asks:
                self.asks.untouched(job.mail, suspect=job.named and end is not End.CLOSING)

    # --- mails out ---

    def _room(self) -> bool:
        if self.ended is not None:
            return False
        if self._window > 1:
            few = len(self._open) < self._window and self._octets < MOST_IN_WINDOW
            return few or not self._open
        return self.pipelined or not self._due

    def _say_quit(self) -> None:
        self._closing = self._enveloped = True
        self._out.append(b"QUIT\r\n")
        self._due.append(_QUIT)

    def _begin(self, mail: Mail) -> None:
        try:
            envelope = self._offer.envelope(mail)
        except Unsendable as fault:
            return self._done(fault.outcome)
        if self._left is not None:
            self._left -= 1
        job = _Job(mail)
        if not self.pipelined:
            return self._begin_one_by_one(job, envelope)
        if self._window > 1:
            return self._begin_chunk(job, envelope)
        self._open.append(job)
        self._enveloped = True
        self._out.append(self._with_reset(envelope + b"DATA\r\n"))
        self._due.extend(_GROUP_AFTER_RSET if self._reset else _GROUP)
        self._reset = False
        return None

    def _begin_chunk(self, job: _Job, envelope: bytes) -> None:
        """The whole mail at once, with a RSET before all but the first.

        By the time a refusal is here the next mails are on their way, and what a second MAIL means
        then is the server's guess: it might add the next recipient to the refused mail.
        """
        if not self._may_finish(job):
            return
        content = ended(job.mail.content)
        job.octets = len(content)
        self._octets += job.octets
        self._open.append(job)
        self._out += (self._with_reset(envelope), b"BDAT %d LAST\r\n" % job.octets, content)
        self._due.extend(_CHUNK_AFTER_RSET if self._reset else _CHUNK)
        self._reset = True

    def _with_reset(self, group: bytes) -> bytes:
        return b"RSET\r\n" + group if self._reset else group

    def _begin_one_by_one(self, job: _Job, envelope: bytes) -> None:
        sender, recipient = envelope.splitlines(keepends=True)
        last = (_DATA, b"DATA\r\n")
        if self._offer.chunking:
            last = (_CONTENT, b"BDAT %d LAST\r\n" % len(ended(job.mail.content)))
        job.rest = ((_MAIL, sender), (_RCPT, recipient), last)
        if self._reset:
            self._reset = False
            job.rest = ((_RSET, b"RSET\r\n"), *job.rest)
        self._open.append(job)
        self._onward(job)

    def _onward(self, job: _Job) -> None:
        """The next step of a mail that goes one by one; the others have said it all before."""
        if not job.rest:
            return None
        (stage, line), *rest = job.rest
        job.rest = tuple(rest)
        if stage is _CONTENT and not self._may_finish(job):
            self._reset = True
            return self._finish()
        self._due.append(stage)
        self._out.append(line)
        if stage is _CONTENT:
            self._out.append(ended(job.mail.content))
        return None

    def _go_ahead(self, job: _Job) -> None:
        """After 354: the content and its dot, if the mail may still go out, and the next group."""
        if job.settled:  # no recipient is left: a lone dot ends a mail to nobody
            self._out.append(b".\r\n")
        elif self._may_finish(job):
            content = job.mail.content
            self._out += (content if job.mail.dotless else for_data(content), b".\r\n")
        else:
            return self.break_off(End.WITHHELD, "The mail was kept back")
        self._due.append(_CONTENT)
        self._enveloped = False
        return self.fill()

    def _may_finish(self, job: _Job) -> bool:
        """Asks once more, right before the last byte; from a yes on the mail counts as gone."""
        if self.asks and self.asks.may_finish(job.mail):
            job.gone = True
            return True
        job.settled = True
        self._done(Outcome(job.mail.delivery_id, Fate.NOT_BEGUN))
        return False

    # --- answers in ---

    def _take(self, code: int, line: bytes) -> None:
        if not self._due:
            if code == 421:
                return self.break_off(End.CLOSING, words(line))
            return self.break_off(End.GARBAGE, f"Nobody asked for {code} {words(line)}")
        stage = self._due.popleft()
        if stage is _QUIT:
            return self.break_off(End.QUIT, words(line))
        job = self._open[0]
        if code >= 400:
            return self._on_refusal(stage, job, code, line)
        if code != 354 if stage is _DATA else code >= 300:
            return self._out_of_step(stage, code, line)
        return self._on_consent(stage, job, code, line)

    def _on_consent(self, stage: Stage, job: _Job, code: int, line: bytes) -> None:
        if stage is _CONTENT:
            if not job.settled:
                self._settle(job, _SENT, code, line)
            self._finish()
        elif stage is _DATA:
            self._go_ahead(job)
        elif job.refused_sender and stage is _RCPT:
            self._out_of_step(stage, code, line)  # a recipient of whose mail?
        else:
            if stage is _MAIL:
                job.named = self.welcome = True
            self._onward(job)

    def _on_refusal(self, stage: Stage, job: _Job, code: int, line: bytes) -> None:
        """The first refusal counts; what the server says to the rest of a group follows from it."""
        if code == 421:
            return self._on_421(stage, job, code, line)
        if stage is _RSET:
            return self._out_of_step(stage, code, line)
        if not job.settled:
            job.refused_sender = stage is _MAIL
            self._settle(job, self._fate(stage, code, line), code, line)
        # Some servers keep a transaction open after a refusal; after the dot none does.
        self._reset = self._reset or stage is not _CONTENT
        if stage is _DATA:
            self._enveloped = False
        if stage in (_DATA, _CONTENT) or not self.pipelined:
            self._finish()
        return None

    def _fate(self, stage: Stage, code: int, line: bytes) -> Fate:
        if stage is not _MAIL:
            return _TRY_LATER if code < 500 else _REFUSED
        if code == 552 and self._offer.sized and enhanced(words(line)) in _SIZES:
            return Fate.TOO_LARGE
        return Fate.ROUTE_DOWN if code < 500 else Fate.ROUTE_BROKEN

    def _on_421(self, stage: Stage, job: _Job, code: int, line: bytes) -> None:
        """The server closes. What it did not come to is untouched, whatever was on its way."""
        if not job.settled and stage not in (_RSET, _MAIL):
            self._settle(job, _TRY_LATER, code, line)
        for other in self._open:
            other.gone = False
        self.break_off(End.CLOSING, words(line))

    def _out_of_step(self, stage: Stage, code: int, line: bytes) -> None:
        """An answer that cannot be one to this command: which is whose cannot be told any more."""
        self.break_off(End.GARBAGE, f"Out of step at {stage.name}: {code} {words(line)}")

    # --- a mail's end ---

    def _settle(self, job: _Job, fate: Fate, code: int, line: bytes) -> None:
        job.settled = True
        text = words(line)
        status = "2.0.0" if text.startswith("2.0.0 ") else enhanced(text)
        self._done(Outcome(job.mail.delivery_id, fate, code, status, text))

    def _done(self, outcome: Outcome) -> None:
        self.finished += 1
        if self.asks:
            self.asks.done(outcome)

    def _finish(self) -> None:
        self._octets -= self._open.popleft().octets
        self.fill()
