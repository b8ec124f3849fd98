"""The mail server of a rig: the tests' one, which besides writes down every attempt, offers BDAT,
breaks its answers into pieces and can name the process at the other end of a connection."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from chaos.evidence import Attempt
from tests.house import smtp as house
from tests.house.certificate import make_certificate
from tests.house.ledger import Letter
from tests.house.smtp import Rule, SmtpServer, Stage

_KEY = re.compile(rb"^message-id:\s*<([^@>\s]+)", re.IGNORECASE | re.MULTILINE)
_DATE = re.compile(rb"^date:\s*([^\r\n]*)\r\n", re.IGNORECASE | re.MULTILINE)
_SUBJECT = re.compile(rb"^subject:\s*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
# With BDAT so many mails may be on their way before the first answer is read.
WINDOW = 16
LOOK = 0.05  # seconds between two looks at the clock


class Session(house._Session):
    """One connection, with a list of what was attempted on it."""

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(sink, loop)
        self.sink = sink
        self.number = sink.connections + 1
        self.attempts: list[Attempt] = []
        self.said_goodbye = False
        self._fed = 0
        self._arrivals: deque[tuple[int, float, float]] = deque()

    # --- when bytes arrived, which may be long before they are read ---

    def data_received(self, data: bytes) -> None:
        self._fed += len(data)
        now = time.time()
        self._arrivals.append((self._fed, now, now - self.sink.looked))
        super().data_received(data)

    def _arrived(self) -> tuple[float, float]:
        """When the last byte that was read had arrived, and how much earlier it may have been."""
        read = self._fed - len(self._reader._buffer)  # type: ignore[attr-defined]
        while len(self._arrivals) > 1 and self._arrivals[0][0] < read:
            self._arrivals.popleft()
        return self._arrivals[0][1:] if self._arrivals else (time.time(), 0.0)

    # --- attempts ---

    async def stage(self, stage: Stage, who: str = "") -> Rule:
        self._note(stage, who)
        happens = await super().stage(stage, who)
        if stage is Stage.DOT:
            self.sink.current = self.attempts[-1]  # until `take`, which follows at once
        if happens.answer and self.attempts and stage in _STAGES:
            self.attempts[-1].answer = happens.answer
        return happens

    def _note(self, stage: Stage, who: str) -> None:
        if stage is Stage.MAIL:
            clear = self.session is None or self.session.ssl is None
            begun, unseen = self._arrived()
            attempt = Attempt(self.number, begun, who, clear=clear, unseen=unseen)
            attempt.offered = self.offered
            self.attempts.append(attempt)
            self.sink.attempts.append(self.attempts[-1])
        elif stage in _STAGES and self.attempts:
            attempt = self.attempts[-1]
            attempt.stage = stage.value
            if stage is Stage.RCPT:
                attempt.to = who
            if stage is Stage.DOT:
                assert self.envelope is not None
                self._read(attempt, self.envelope.original_content or b"")

    def _read(self, attempt: Attempt, content: bytes) -> None:
        head = content.partition(b"\r\n\r\n")[0]
        key, subject = _KEY.search(head), _SUBJECT.search(head)
        attempt.key = key.group(1).decode("ascii", "replace") if key else ""
        attempt.subject = subject.group(1).decode("ascii", "replace") if subject else ""
        date = _DATE.search(head)
        attempt.date = date.group(1).decode("ascii", "replace") if date else ""
        attempt.digest = hashlib.sha256(
            content.replace(date.group(), b"") if date else content
        ).hexdigest()
        self._heard(before=len(self.attempts) - 1)

    def _heard(self, before: int) -> None:
        """Content comes only after 354 was read, and so every answer before it."""
        unsure = WINDOW if "CHUNKING" in self.sink.extensions else 0
        for attempt in self.attempts[: max(0, before - unsure)]:
            attempt.heard = True

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's names
        self._heard(before=len(self.attempts) + WINDOW)
        self.said_goodbye = True
        await super().smtp_QUIT(arg)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        if self.sink.speaks_helo_only:
            await self.push("502 5.5.1 What is EHLO?")
        else:
            await super().smtp_EHLO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        if self.sink.tls_refusal:
            await self.push(self.sink.tls_refusal)
            return
        if self.sink.before_tls:
            self._writer.write(self.sink.before_tls)
        await super().smtp_STARTTLS(arg)

    # --- what aiosmtpd does not know ---

    async def smtp_BDAT(self, arg: str) -> None:  # noqa: N802
        """A mail in one chunk (RFC 3030): BDAT 1234 LAST, and the bytes right behind it."""
        size, _, last = (arg or "").partition(" ")
        content = await self._reader.readexactly(int(size))
        assert self.envelope is not None
        if not self.envelope.rcpt_tos or last.upper() != "LAST":
            await self.push("503 5.5.1 RCPT first, and everything in one chunk")
            return
        who = self.envelope.rcpt_tos[0]
        happens = await self.stage(Stage.DATA, who)
        if happens.drop:
            self.cut_here()
        self.envelope.original_content = self.envelope.content = content
        answer = happens.answer or await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(answer)
        await self.stage(Stage.DONE, who)

    async def push(self, status: str | bytes) -> None:
        length = self.sink.bytes_at_once
        if not length:
            await super().push(status)
            return
        line = (status.encode() if isinstance(status, str) else status) + b"\r\n"
        for start in range(0, len(line), length):
            self._writer.write(line[start : start + length])
            await asyncio.sleep(self.sink.pause)
        if line.startswith(b"421"):
            self.cut_gently()

    @property
    def peer_port(self) -> int:
        """The port at the other end."""
        return int(self.session.peer[1]) if self.session and self.session.peer else 0


_STAGES = {Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT}


class Sink(SmtpServer):
    """The server. `attempts` holds every mail transaction, `current` the one at its dot."""

    session_type = Session

    def __init__(self, ledger: Path, **options: Any) -> None:
        options.setdefault("extensions", ("PIPELINING",))
        super().__init__(**options)
        self.attempts: list[Attempt] = []
        self.current: Attempt | None = None
        self.bytes_at_once = 0  # answers go out in pieces so long; 0: whole
        self.pause = 0.0
        self.sizes = {self.size}  # every SIZE that it ever offered
        self.looked = time.time()  # when its thread last had a turn
        self.lines_lost = 0  # connections that ended without QUIT
        self.tls_refusal = ""  # the answer to STARTTLS, if it is not taken
        self.before_tls = b""  # what somebody on the line slips in before the encryption begins
        self.speaks_helo_only = False
        self.on_letter: list[Callable[[Letter], None]] = []
        self._own = self._context
        self._lines = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @property
    def listens(self) -> bool:
        """Whether it is there: not before its start, and not after a stop."""
        return self._loop is not None

    def start(self) -> Self:
        """Listens, and notes when it looked last."""
        super().start()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._look, self._loop)
        return self

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        # What arrives while this thread gets no turn is read before this is called again.
        self.looked = time.time()
        loop.call_later(LOOK, self._look, loop)

    def take(self, letter: Letter) -> None:
        """Writes the line of the ledger, then keeps the letter. Comes before the answer 250."""
        attempt = self.current
        assert attempt is not None
        line = {
            "to": letter.to, "message_id": attempt.key, "content": attempt.digest,
            "at": letter.at, "connection": attempt.connection,
        }  # fmt: skip
        os.write(self._lines, (json.dumps(line) + "\n").encode())
        attempt.taken = letter.at
        attempt.unfit = unfit(letter, attempt.offered)
        super().take(letter)
        for told in self.on_letter:
            told(letter)

    def closed(self, session: house._Session) -> None:
        if isinstance(session, Session) and session in self._open and not session.said_goodbye:
            self.lines_lost += 1
        super().closed(session)

    def cut_all(self) -> None:
        """Cuts every connection, so that what new ones are offered is noticed."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cut_open)

    def _cut_open(self) -> None:
        for session in list(self._open):
            session.cut()

    def certified_for(self, name: str) -> None:
        """From now on it shows a certificate for this name, or its own again with ""."""
        self._own = self._own or self._context
        self._context = make_certificate([name])[1] if name else self._own


def unfit(letter: Letter, offered: frozenset[str]) -> str:
    """What of a letter's envelope and content this server had not offered to take; "" if nothing.

    RFC 6152: octets above 127 only with BODY=8BITMIME. RFC 6531: addresses beyond ASCII only with
    SMTPUTF8. RFC 5321 4.1.1.11: parameters only of extensions that were offered.
    """
    said = {option.partition("=")[0] for option in letter.options}
    needed = {"BODY": "8BITMIME"}
    if missing := sorted({needed.get(one, one) for one in said} - offered):
        return f"{', '.join(missing)} was not offered"
    if "BODY=8BITMIME" not in letter.options and not letter.content.isascii():
        return "octets above 127 without BODY=8BITMIME"
    if "SMTPUTF8" not in said and not (letter.sender + letter.to).isascii():
        return "an address beyond ASCII without SMTPUTF8"
    return ""
