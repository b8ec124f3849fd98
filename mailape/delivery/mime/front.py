"""What `delivery.compile` made of a message, as the compiler of programs wants it.

Here stands which header fields a mail of which kind has (mail-rules, RFC 8058, 2919, 3834), and
under which of our addresses its tokens lead where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from mailape.campaigns.models import Kind
from mailape.delivery import headers
from mailape.delivery.mime import tracking
from mailape.delivery.mime.compiler import Front
from mailape.delivery.mime.fields import Field, Fixed, PerList, Recipient, Stamped, Typed
from mailape.delivery.mime.filler import Address
from mailape.delivery.mime.slots import Values

# Where a program stands in what `delivery.compile` stores.
PROGRAM = "program"
_TO_A_LIST = frozenset({Kind.NEWSLETTER, Kind.WELCOME, Kind.AUTOMATION})
_BY_MACHINE = frozenset({Kind.CONFIRMATION, Kind.WELCOME, Kind.ACCOUNT, Kind.TEST})


def front_of(
    compiled: Mapping[str, Any],
    *,
    message: str,
    site: str,
    link_key: int,
    moment: datetime | None = None,
) -> Front:
    """The front of a compiled message.

    `message` is its opaque id, `site` the SITE_URL that its links lead to, `moment` what `now`
    means in a message that is sent once.
    """
    return Front(
        html=compiled["html"],
        text=compiled["text"],
        fields=list(_fields(compiled, message, site)),
        addresses=addresses(site),
        constants=compiled["values"],
        link_key=link_key,
        moment=moment,
    )


def target(compiled: Mapping[str, Any], number: int, values: Values) -> str | None:
    """Where link `number` of a compiled message leads for the person whose values these are.

    Nothing if there is no such link: unknown numbers, and messages whose links are not tracked.
    """
    return tracking.target(compiled.get(PROGRAM, {}).get("targets", ()), number, values)


def addresses(site: str) -> dict[str, Address]:
    """The tags that stand for a page of ours, and the token by which it knows the person."""
    return {
        "unsubscribe_url": Address(f"{site}/u/", "unsubscribe"),
        "preferences_url": Address(f"{site}/p/", "preferences"),
        "view_url": Address(f"{site}/v/", "click"),
        "click_url": Address(f"{site}/c/", "click"),
        "open_url": Address(f"{site}/o/", "open"),
    }


def _fields(compiled: Mapping[str, Any], message: str, site: str) -> Iterator[Field]:
    sender, kind = compiled["from"], compiled["kind"]
    yield Fixed("From", headers.mailbox("From", sender["name"], sender["email"]))
    # A confirmation carries no text that a stranger typed, and her name is one.
    yield Recipient("To", "" if kind == Kind.CONFIRMATION else "{{ subscriber.name }}")
    if compiled["reply_to"]:
        yield Fixed("Reply-To", headers.mailbox("Reply-To", "", compiled["reply_to"]))
    yield Typed("Subject", compiled["subject"])
    yield Stamped("Date", "", "date", "")
    yield Stamped("Message-ID", "<", "message_key", f"@{sender['email'].rpartition('@')[2]}>")
    if kind in _TO_A_LIST:
        yield from _list_fields(compiled, message, site)
    if kind in _BY_MACHINE:
        yield _token("Auto-Submitted", "auto-generated")
    if kind == Kind.CONFIRMATION:
        yield _token("Form-Sub", "v=1")


def _list_fields(compiled: Mapping[str, Any], message: str, site: str) -> Iterator[Field]:
    """What bulk mail is recognised by: RFC 8058, RFC 2919 and Gmail's Feedback-ID."""
    yield Stamped("List-Unsubscribe", f"<{site}/u/", "unsubscribe", ">")
    yield _token("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    workspace = compiled["values"]["workspace"].get("id", "none")
    yield _token("Feedback-ID", f"{message}:{workspace}:{compiled['kind']}:mailape")
    lists = compiled["lists"].items()
    lines = {key: headers.list_id("List-Id", on["name"], on["id"], site) for key, on in lists}
    yield PerList("List-Id", lines)
    if compiled["precedence"]:
        yield _token("Precedence", "bulk")


def _token(name: str, value: str) -> Field:
    return Fixed(name, headers.token(name, value))
