"""The way out that leads nowhere: with no SMTP server set, mail stays here to be read in a browser.

A delivery is kept once: a worker that died between keeping it and saying so finds it kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.parser import BytesHeaderParser
from email.policy import SMTP

from mailape.delivery.models import OutboxMail
from mailape.delivery.transports.base import NOBODY, Fate, Letter, Mail, Outcome, Witness, begun

KEPT = 1_000
_TRIM_EVERY = 500


class Outbox:
    """Writes each mail as a row; the last 1,000 are kept."""

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id
        self._since_trim = 0

    def send(
        self, mails: Iterable[Letter | None], witness: Witness = NOBODY
    ) -> Iterator[Outcome | None]:
        """Keeps each mail. Never refuses one, and is never in doubt: it tells no witness."""
        for mail in begun(mails):
            if not isinstance(mail, Mail):
                yield mail
                continue
            if not mail.may_go():
                yield Outcome(mail.delivery_id, Fate.NOT_BEGUN)
                continue
            self._keep(mail)
            yield Outcome(mail.delivery_id, Fate.SENT, 250, "2.0.0", "2.0.0 Kept in the Outbox")
        trim()

    def close(self) -> None:
        """Nothing is open."""

    def _keep(self, mail: Mail) -> None:
        OutboxMail.objects.get_or_create(
            delivery_id=mail.delivery_id,
            defaults={
                "workspace_id": mail.workspace_id,
                "sender": mail.sender,
                "recipient": mail.recipient,
                "subject": (mail.subject or _subject(mail.content))[:300],
                "content": mail.content,
            },
        )
        self._since_trim += 1
        if self._since_trim >= _TRIM_EVERY:
            self._since_trim = 0
            trim()


def _subject(content: bytes) -> str:
    head = content.partition(b"\r\n\r\n")[0]
    return str(BytesHeaderParser(policy=SMTP).parsebytes(head)["Subject"] or "")


def trim(keep: int = KEPT) -> int:
    """Deletes all but the newest `keep` mails; returns how many went."""
    keys = OutboxMail.objects.order_by("-pk").values_list("pk", flat=True)
    oldest_kept = keys[keep - 1 : keep].first()
    if oldest_kept is None:
        return 0
    deleted, _ = OutboxMail.objects.filter(pk__lt=oldest_kept).delete()
    return deleted
