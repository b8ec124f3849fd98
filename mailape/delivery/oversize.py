"""Mails that are larger than the mail server takes (RFC 1870): a fault of the message, or of one.

Merge tags make the mails of a message differ in size. Where others of it go out, one that is too
large has failed by itself, and can be tried again once the server takes more. Where none does, or
none any more because the server takes less than before, the message pauses with the server's words
and its owners are told. The way out stays open for everything else.

Machine mail is tried later, as after any refusal for now: `retry`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mailape.delivery import tally
from mailape.delivery.halt import halt
from mailape.delivery.leases import Row
from mailape.delivery.models import State
from mailape.delivery.retry import Result
from mailape.delivery.transports.base import Fate, Outcome

# So many mails of a message that are too large, and none that went out between them, pause it.
ENOUGH = 10


class Oversize:
    """What one sender has seen of mails that are too large. `seen`: by message, since one of its
    mails went out."""

    def __init__(self) -> None:
        self.seen: Counter[int] = Counter()

    def fitted(self, message_id: int) -> None:
        """A mail of this message went out."""
        self.seen.pop(message_id, None)

    def judged(
        self, row: Row, outcome: Outcome, written_soon: Iterable[Result], *, last: bool
    ) -> Outcome:
        """What it means for this mail: refused, or not begun, so that it stays as it was.

        `written_soon`: results of the same message that are not in the database yet; `last`:
        nothing else of its lease is ahead or on its way. Pauses the message where that is due.
        """
        if not row.counted:
            return outcome
        self.seen[row.message_id] += 1
        many = self.seen[row.message_id] >= ENOUGH
        went_out = any(one.state is State.SENT for one in written_soon)
        if not many and (went_out or tally.has_sent(row.message_id)):
            return outcome._replace(fate=Fate.REFUSED)
        if many or last:
            reason = f"The mail server takes no mail as large as this one: {outcome.answer}"
            halt(row.message_id, reason, reason)
        return outcome._replace(fate=Fate.NOT_BEGUN)
