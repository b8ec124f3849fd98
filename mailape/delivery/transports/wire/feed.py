"""One caller's mails on their way through a pool: where they come from, what is asked about them,
and who is told what became of them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable

from mailape.delivery.transports.base import ROUTE_FATES, Fate, Letter, Mail, Outcome
from mailape.delivery.transports.wire.connect import RouteFault

# A mail at whose recipient or content the line dropped this often is tried later: perhaps it is
# the mail that the server cannot bear, and it must not hold up the others.
MOST_DROPS = 2


class Feed:
    """Mails of one caller.

    They are put in with `extend`, or `source` gives the next one that can go now, or None; after
    None it is asked again when the pool is woken. `before_dot` is called right before the bytes
    that end a mail are handed over (a journal writes its line there) and says whether the mail may
    go out; `Mail.may_go` is asked before it and when the mail begins. `on_outcome` is told of every
    mail, in the order of the answers. All of them run in the pool's loop and must not wait.

    What any of them raises stops the feed: no mail begins and none ends any more, those whose last
    byte is out still get their outcome, and `Pool.run` raises it.
    """

    def __init__(
        self,
        on_outcome: Callable[[Outcome], None],
        *,
        source: Callable[[], Mail | None] | None = None,
        before_dot: Callable[[Mail], bool] | None = None,
    ) -> None:
        self.fault: Exception | None = None
        self.under_way = 0
        self.finished = asyncio.Event()
        self._source = source
        self._on_outcome = on_outcome
        self._before_dot = before_dot
        self._back: deque[Letter] = deque()
        self._drops: Counter[int] = Counter()
        self._closed = False
        self._stopped = False
        self._stopped_by: RouteFault | None = None

    # --- what the caller does ---

    def close(self) -> None:
        """No mail will come any more; the feed is finished when all have their outcome."""
        self._closed = True
        self._look_finished()

    def extend(self, mails: Iterable[Letter]) -> None:
        """More mails, each made when it begins; wake the pool after it. A feed that was stopped
        gives them back at once."""
        self._back.extend(mails)
        if self._stopped:
            self._give_back()

    def stop(self, fault: RouteFault | None = None) -> None:
        """No mail begins any more. Those that were taken and did not begin get the route's fate,
        or were not begun."""
        if not self._stopped:
            self._stopped = self._closed = True
            self._stopped_by = fault
        self._give_back()
        self._look_finished()

    def fail(self, fault: Exception) -> None:
        """Something of the caller's went wrong: the feed stops, and the first fault is raised."""
        if self.fault is None:
            self.fault = fault
            self.stop()

    def _give_back(self) -> None:
        fault = self._stopped_by
        while self._back:
            key = self._back.popleft().delivery_id
            self._tell(fault.outcome(key) if fault else Outcome(key, Fate.NOT_BEGUN))

    # --- what the pool does ---

    def peek(self) -> bool:
        """Whether a mail can go now; it is taken out of the source and waits here."""
        if self._back:
            return True
        mail = self._from_source()
        if mail is None:
            return False
        self._back.append(mail)
        return True

    def next_mail(self) -> Mail | None:
        """The next mail; it counts as under way until `done` or `untouched` is called."""
        while True:
            letter = self._back.popleft() if self._back else self._from_source()
            if letter is None:
                self._look_finished()
                return None
            mail = self._made(letter)
            if isinstance(mail, Outcome):
                self._tell(mail)
            elif self._may_go(mail):
                self.under_way += 1
                return mail
            else:
                self._tell(Outcome(mail.delivery_id, Fate.NOT_BEGUN))

    def may_finish(self, mail: Mail) -> bool:
        """Whether the bytes that end this mail may go out now."""
        if self.fault is not None or not self._may_go(mail):
            return False
        if self._before_dot is None:
            return True
        try:
            return self._before_dot(mail)
        except Exception as fault:
            self.fail(fault)
            return False

    def done(self, outcome: Outcome) -> None:
        """A mail that was under way has its outcome."""
        self.under_way -= 1
        self._tell(outcome)
        if outcome.fate is not Fate.SENT and outcome.fate in ROUTE_FATES:
            self.stop(RouteFault(outcome.fate, outcome.text, outcome.code))
        if not self.under_way:
            self._look_finished()

    def untouched(self, mail: Mail, *, suspect: bool) -> None:
        """A mail that was under way certainly did not go out: it is put to another connection."""
        self._drops[mail.delivery_id] += suspect
        if self._stopped:
            self.under_way -= 1
            self._back.append(mail)
            self._give_back()
            self._look_finished()
        elif self._drops[mail.delivery_id] >= MOST_DROPS:
            text = "The line dropped at this mail, before it was out, and then again"
            self.done(Outcome(mail.delivery_id, Fate.TRY_LATER, text=text))
        else:
            self.under_way -= 1
            self._back.append(mail)

    def _from_source(self) -> Mail | None:
        if self._stopped or self._source is None:
            return None
        try:
            return self._source()
        except Exception as fault:
            self.fail(fault)
            return None

    def _made(self, letter: Letter) -> Mail | Outcome:
        try:
            return letter.made()
        except Exception as fault:
            self.fail(fault)
            return Outcome(letter.delivery_id, Fate.NOT_BEGUN)

    def _may_go(self, mail: Mail) -> bool:
        try:
            return mail.may_go()
        except Exception as fault:
            self.fail(fault)
            return False

    def _tell(self, outcome: Outcome) -> None:
        try:
            self._on_outcome(outcome)
        except Exception as fault:
            self.fail(fault)

    def _look_finished(self) -> None:
        if self._closed and not self.under_way and not self._back:
            self.finished.set()
