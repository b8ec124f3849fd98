"""Rendering: one person's values into the compiled templates, and the result into bytes.

What goes over the wire follows mail-rules: CRLF only, quoted-printable lines of at most 76 octets,
every header once, a Message-ID that is the same on each attempt, List-Unsubscribe with one click.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings

from mailape.campaigns.models import Kind
from mailape.core import address, ids, links
from mailape.core.errors import Invalid
from mailape.delivery import headers, merge
from mailape.delivery.leases import Row
from mailape.delivery.mime import holes, quoted
from mailape.delivery.transports.base import Mail

# An address that needs no second look: it was checked when it came in.
_PLAIN_ADDRESS = re.compile(
    r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@[\w.-]+", re.ASCII
)


class CannotRender(ValueError):
    """This one mail cannot be made; the others can. The text is the delivery's reason."""


_NO_FIELDS: Mapping[str, Any] = {}


class Person(NamedTuple):
    """What a template may know of a subscriber."""

    name: str = ""
    first_name: str = ""
    email: str = ""
    fields: Mapping[str, Any] = _NO_FIELDS

    @property
    def values(self) -> dict[str, Any]:
        """As merge tags see her; the first name is the name's first word unless it was set."""
        first = self.first_name or (self.name.split() or [""])[0]
        return {
            "name": self.name,
            "first_name": first,
            "email": self.email,
            "fields": self.fields,
        }


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as one person gets it."""

    subject: str
    html: str
    text: str


def rendered(compiled: Mapping[str, Any], values: Mapping[str, Any]) -> Rendered:
    """Subject, HTML and text with these values. Raises CannotRender."""
    try:
        subject = headers.one_line(merge.text(compiled["subject"], values)) or "(no subject)"
        mail = {**values.get("mail", {}), "subject": subject}
        full = {**values, "mail": mail}
        html = merge.html(compiled["html"], full)
        text = merge.text(compiled["text"], full)
    except merge.BadTemplate as wrong:
        raise CannotRender(f"A merge tag cannot be worked out: {wrong.brief}") from wrong
    return Rendered(subject, quoted.clean(html), holes.tidied(quoted.clean(text)))


def values_for(row: Row, person: Person, compiled: Mapping[str, Any]) -> dict[str, Any]:
    """What the merge tags of this delivery stand for: plain data only."""
    found: dict[str, Any] = {
        **compiled["values"],
        "subscriber": person.values,
        "list": {"name": _list(row, compiled).get("name", "")},
    }
    if row.kind == Kind.CONFIRMATION:
        who = row.message_id, row.subscriber_id or 0, row.occasion
        token = links.confirm(*who, compiled["key"])
        found["confirm_url"] = f"{settings.SITE_URL}/confirm/{token}"
    elif row.subscriber_id is not None:
        key = compiled["key"]
        found |= personal_urls(row.message_id, row.subscriber_id, row.occasion, key)
    return {**found, **(row.context or {})}


def personal_urls(
    message_id: int, subscriber_id: int, occasion: int, key_id: int
) -> dict[str, str]:
    """Her links in this message: to leave, to choose, to read in the browser."""
    (tokens,) = links.for_people(message_id, [subscriber_id], occasion, key_id)
    return {
        "unsubscribe_url": f"{settings.SITE_URL}/u/{tokens.unsubscribe}",
        "preferences_url": f"{settings.SITE_URL}/p/{tokens.preferences}",
        "view_url": f"{settings.SITE_URL}/v/{tokens.click}",
    }


def mail(
    row: Row,
    person: Person,
    compiled: Mapping[str, Any],
    may_go: Callable[[], bool] = lambda: True,
) -> Mail:
    """The delivery as bytes with its envelope. Raises CannotRender."""
    recipient = wire_address(row.to_address)
    values = values_for(row, person, compiled)
    found = rendered(compiled, values)
    key = links.message_key(row.message_id, row.subscriber_id or row.id, row.occasion)
    try:
        head = [
            *_envelope_headers(row, person, compiled, recipient),
            headers.text("Subject", found.subject),
            *_own_headers(row, compiled, key),
            *_list_headers(row, compiled, values),
            *_machine_headers(row),
        ]
    except headers.BadAddress as wrong:
        raise CannotRender(str(wrong)) from wrong
    return Mail(
        delivery_id=row.id,
        sender=compiled["from"]["email"],
        recipient=recipient,
        content="".join(head).encode() + _body(found, boundary=f"=_{key}"),
        subject=found.subject,
        workspace_id=None if row.kind == Kind.ACCOUNT else row.workspace_id,
        needs_utf8=not recipient.isascii(),
        may_go=may_go,
    )


def wire_address(typed: str) -> str:
    """An address as the wire takes it: the domain as A-label. Raises CannotRender."""
    if _PLAIN_ADDRESS.fullmatch(typed):
        return typed
    try:
        found = address.parse(typed)
    except Invalid as wrong:
        raise CannotRender("Not an e-mail address") from wrong
    return f"{found.typed.rpartition('@')[0]}@{found.domain}"


@lru_cache(maxsize=64)
def stamp(created_at: datetime) -> datetime:
    """The Date of a mail: when the delivery was made, so that every attempt has the same bytes."""
    return created_at.replace(microsecond=0)


def _list(row: Row, compiled: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = compiled["lists"].get(str(row.list_id), {})
    return found


def _envelope_headers(
    row: Row, person: Person, compiled: Mapping[str, Any], recipient: str
) -> list[str]:
    """Who writes, to whom, and who gets the answers. Raises BadAddress."""
    # A confirmation carries no text that a stranger typed, and her name is one.
    display = "" if row.kind == Kind.CONFIRMATION else person.name
    found = [
        headers.mailbox("From", compiled["from"]["name"], compiled["from"]["email"]),
        headers.mailbox("To", display, recipient),
    ]
    if compiled["reply_to"]:
        found.append(headers.mailbox("Reply-To", "", compiled["reply_to"]))
    return found


def _own_headers(row: Row, compiled: Mapping[str, Any], key: str) -> list[str]:
    """By what every attempt is known as the same mail."""
    domain = compiled["from"]["email"].rpartition("@")[2]
    return [
        headers.token("Date", format_datetime(stamp(row.created_at))),
        headers.token("Message-ID", f"<{key}@{domain}>"),
    ]


def _list_headers(row: Row, compiled: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """RFC 8058 and RFC 2919, and Gmail's Feedback-ID: what bulk mail is recognised by."""
    if row.kind in {Kind.CONFIRMATION, Kind.ACCOUNT} or "unsubscribe_url" not in values:
        return []
    workspace = compiled["values"]["workspace"].get("id", "none")
    feedback = f"{ids.public('message', row.message_id)}:{workspace}:{row.kind}:mailape"
    found = [
        headers.token("List-Unsubscribe", f"<{values['unsubscribe_url']}>"),
        headers.token("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        headers.token("Feedback-ID", feedback),
    ]
    if on := _list(row, compiled):
        found.append(headers.list_id("List-Id", on["name"], on["id"], settings.SITE_URL))
    if compiled["precedence"]:
        found.append(headers.token("Precedence", "bulk"))
    return found


def _machine_headers(row: Row) -> list[str]:
    """RFC 3834: nobody's autoresponder should answer. Form-Sub: a web form caused this mail."""
    found = []
    if row.kind in {Kind.CONFIRMATION, Kind.WELCOME, Kind.ACCOUNT, Kind.TEST}:
        found.append(headers.token("Auto-Submitted", "auto-generated"))
    if row.kind == Kind.CONFIRMATION:
        found.append(headers.token("Form-Sub", "v=1"))  # draft-levine-mailbomb-header
    return found


def _body(found: Rendered, boundary: str) -> bytes:
    # "=_" cannot occur in quoted-printable text, so the boundary cannot occur in a part.
    head = (
        f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
    )
    parts = "".join(
        f"\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{quoted.whole(content).decode()}"
        for kind, content in (("plain", found.text), ("html", found.html))
    )
    return f"{head}{parts}\r\n--{boundary}--\r\n".encode("ascii")
