"""What the SMTP server of the tests took: letters, and the file that holds them."""

from __future__ import annotations

import base64
import dataclasses
import email
import email.policy
import hashlib
import json
from email.message import EmailMessage
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Letter:
    """One letter that the server took: the envelope and the bytes between DATA and the dot."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: float  # seconds since 1970
    tls: bool = False
    user: str = ""
    options: tuple[str, ...] = ()  # of MAIL FROM: BODY=8BITMIME, SMTPUTF8

    @property
    def to(self) -> str:
        """The one recipient; an error when there are several."""
        (only,) = self.recipients
        return only

    @property
    def message(self) -> EmailMessage:
        """The content read by Python's parser."""
        parsed = email.message_from_bytes(self.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def part(self, kind: str) -> str:
        """The text of the part `plain` or `html`; empty where there is none."""
        body = self.message.get_body((kind,))
        return str(body.get_content()) if body else ""

    def as_line(self) -> str:
        """One line of the ledger's file."""
        fields = dataclasses.asdict(self) | {
            "content": base64.b64encode(self.content).decode(),
            "message_id": self.message_id,
            "sha256": self.sha256,
        }
        return json.dumps(fields) + "\n"


def read_ledger(path: Path) -> list[Letter]:
    """The letters of a ledger's file, in the order in which they were taken."""
    letters = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        known = {f.name: fields[f.name] for f in dataclasses.fields(Letter)}
        known["content"] = base64.b64decode(known["content"])
        known["recipients"], known["options"] = tuple(known["recipients"]), tuple(known["options"])
        letters.append(Letter(**known))
    return letters
