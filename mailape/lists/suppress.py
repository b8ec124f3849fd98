"""The suppression list of a workspace: addresses and domains that are never mailed, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.core import address, keys
from mailape.core.errors import Invalid
from mailape.lists.models import (
    Status,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionKind,
    SuppressionReason,
)

# How many lines may be suppressed at once: each is checked, and a request must not last for long.
MOST = 10_000
_AT_ONCE = 500


def suppress(
    workspace: Workspace,
    value: str,
    *,
    reason: SuppressionReason = SuppressionReason.OWNER,
    source: str = "",
) -> tuple[Suppression, bool]:
    """Suppresses an address, or a domain (`example.org` or `@example.org`).

    Returns the row and whether it is new; the first reason is kept. Raises Invalid.
    """
    kind, key = to_add(value)
    return Suppression.objects.get_or_create(
        workspace=workspace,
        kind=kind,
        value=key,
        defaults={"reason": reason, "source": source[:300]},
    )


class BadLine(NamedTuple):
    """A line that is neither an address nor a domain, with its number from 1, and why."""

    number: int
    text: str
    why: str


@dataclass(frozen=True)
class Several:
    """What became of several lines: how many are new, how many were there, which will not do."""

    new: int
    known: int
    bad: list[BadLine]


def several(
    workspace: Workspace,
    text: str,
    *,
    reason: SuppressionReason = SuppressionReason.OWNER,
    source: str = "",
) -> Several:
    """Suppresses an address or a domain on each line; the good ones, whatever the others are.

    Of what is suppressed already the first reason is kept. Empty lines count for nothing.
    Raises Invalid for more than MOST lines, and then nothing is done.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > MOST:
        raise Invalid(
            _("At most %(most)s lines at once; these are %(number)s.")
            % {"most": f"{MOST:,}", "number": f"{len(lines):,}"},
            "lines",
        )
    wanted: set[tuple[SuppressionKind, str]] = set()
    bad = []
    for number, line in lines:
        try:
            wanted.add(_line(line))
        except Invalid as fault:
            bad.append(BadLine(number, line.strip(), str(fault)))
    rows = [
        Suppression(workspace=workspace, kind=kind, value=value, reason=reason, source=source[:300])
        for kind, value in sorted(wanted)
    ]
    new = sum(len(add(workspace, rows[n : n + _AT_ONCE])) for n in range(0, len(rows), _AT_ONCE))
    return Several(new, len(wanted) - new, bad)


def _line(line: str) -> tuple[SuppressionKind, str]:
    text = line.strip().rstrip(",;")
    if text.startswith("*@"):
        raise Invalid(_("For everybody at this domain write %(domain)s.") % {"domain": text[2:]})
    return to_add(text)


def add(workspace: Workspace, rows: list[Suppression]) -> list[Suppression]:
    """Keeps those of a few hundred rows that are new, and returns them; the first reason stays."""
    there = Suppression.objects.filter(
        workspace=workspace,
        kind__in={row.kind for row in rows},  # or the index would not lead to the values
        value__in=[row.value for row in rows],
    )
    known = set(there.values_list("kind", "value"))
    new = [row for row in rows if (row.kind, row.value) not in known]
    Suppression.objects.bulk_create(new, ignore_conflicts=True)
    return new


def to_add(value: str) -> tuple[SuppressionKind, str]:
    """What `read` says of something that is to be suppressed. Raises Invalid.

    A bare word is a name that was pasted along, or a domain whose end was forgotten: mail asks for
    the full name (RFC 5321 section 2.3.5). Who means a host of the house writes `@intranet`.
    """
    kind, key = read(value)
    if kind == SuppressionKind.DOMAIN and "." not in value and "@" not in value:
        raise Invalid(
            _(
                "“%(key)s” is no full domain: write its end too, as in example.org, or @%(key)s "
                "for a host of your own network."
            )
            % {"key": key},
            "value",
        )
    return kind, key


def read(value: str) -> tuple[SuppressionKind, str]:
    """Whether `value` is an address or a domain, and its key. Raises Invalid for neither."""
    text = value.strip()
    if "@" in text.lstrip("@"):
        return SuppressionKind.ADDRESS, address.parse(text).key
    try:
        return SuppressionKind.DOMAIN, address.parse(f"x@{text.lstrip('@')}").domain
    except Invalid:
        raise Invalid(_("This is neither an e-mail address nor a domain."), "value") from None


def find(workspace: Workspace, who: address.Address) -> Suppression | None:
    """The suppression that keeps mail from this address, the narrowest first; None if none does."""
    return Suppression.objects.filter(_holding(who), workspace=workspace).order_by("kind").first()


def _holding(who: address.Address) -> Q:
    return (
        Q(kind=SuppressionKind.ADDRESS, value=who.key)
        | Q(kind=SuppressionKind.DOMAIN, value=who.domain)
        | Q(kind=SuppressionKind.ERASED, value=erased_hash(who.key))
    )


def holding(people: Collection[Subscriber]) -> dict[int, Suppression]:
    """What keeps mail from those of these people who are suppressed, by their keys; the narrowest.

    One query; for a few thousand.
    """
    rows = Suppression.objects.filter(
        workspace_id__in={one.workspace_id for one in people},
        kind__in=[SuppressionKind.ADDRESS, SuppressionKind.DOMAIN],
        value__in={value for one in people for value in (one.email_key, one.domain)},
    )
    # Kinds apart need no key of their own: an address has an at sign, a domain has none.
    by = {(row.workspace_id, row.value): row for row in rows}
    held: dict[int, Suppression] = {}
    for one in people:
        row = by.get((one.workspace_id, one.email_key)) or by.get((one.workspace_id, one.domain))
        if row is not None:
            held[one.pk] = row
    return held


def search(workspace: Workspace, text: str) -> QuerySet[Suppression]:
    """Suppressions of addresses and domains that begin with `text`, newest first.

    For a whole address also whatever else keeps mail from it: its domain, or that she was erased.
    """
    found = Suppression.objects.filter(workspace=workspace).order_by("-pk")
    start = text.strip().lstrip("@").casefold()
    also = Q()
    try:
        kind, start = read(text)
        if kind == SuppressionKind.ADDRESS:
            also = _holding(address.parse(text))
    except Invalid:
        pass  # the beginning of one
    return found.filter(Q(value__startswith=start) & ~Q(kind=SuppressionKind.ERASED) | also)


def number_confirmed(workspace_id: int, lists: Collection[int]) -> int:
    """How many people who are confirmed on one of these lists are suppressed, each counted once."""
    mine = Suppression.objects.filter(workspace=workspace_id)
    addresses = mine.filter(kind=SuppressionKind.ADDRESS).values("value")
    domains = mine.filter(kind=SuppressionKind.DOMAIN).values("value")
    on = Subscription.objects.filter(
        list_id__in=lists, status=Status.CONFIRMED, subscriber=OuterRef("pk")
    )
    people = Subscriber.objects.filter(Exists(on), workspace=workspace_id)
    number = people.filter(email_key__in=addresses).count()
    if domains.exists():  # there is no index for them: everybody is looked at
        number += people.filter(domain__in=domains).exclude(email_key__in=addresses).count()
    return number


def in_words(row: Suppression) -> str:
    """Why mail is kept from somebody: "bounced", "complained, the whole domain example.org"."""
    reason = row.get_reason_display().lower()
    if row.kind == SuppressionKind.DOMAIN:
        return f"{reason}, the whole domain {row.value}"
    return reason


def lift(row: Suppression) -> None:
    """Takes a suppression back: mail may go there again. A second time changes nothing."""
    Suppression.objects.filter(pk=row.pk).delete()


class Lifted(NamedTuple):
    """All that a suppression said, so that lifting it can be undone."""

    kind: str
    value: str
    reason: str
    source: str
    at: str  # ISO 8601


def said(row: Suppression) -> Lifted:
    """What this suppression says, in plain text: it may be kept where JSON is."""
    return Lifted(row.kind, row.value, row.reason, row.source, row.at.isoformat())


def put_back(workspace: Workspace, lifted: Lifted) -> Suppression:
    """Undoes lifting: as it was. If it was suppressed anew meanwhile, that stays."""
    row, _ = Suppression.objects.get_or_create(
        workspace=workspace,
        kind=lifted.kind,
        value=lifted.value,
        defaults={
            "reason": lifted.reason,
            "source": lifted.source,
            "at": datetime.fromisoformat(lifted.at),
        },
    )
    return row


def remember_erased(workspace: Workspace, email_keys: list[str]) -> None:
    """Keeps a keyed hash of erased people's addresses, so that no import takes them in again."""
    Suppression.objects.bulk_create(
        (
            Suppression(
                workspace=workspace,
                kind=SuppressionKind.ERASED,
                value=erased_hash(email_key),
                reason=SuppressionReason.ERASED,
            )
            for email_key in email_keys
        ),
        ignore_conflicts=True,
    )


def forget_erased(workspace: Workspace, email_key: str) -> None:
    """An erased person who signs up again herself is welcome."""
    Suppression.objects.filter(
        workspace=workspace, kind=SuppressionKind.ERASED, value=erased_hash(email_key)
    ).delete()


def erased_hash(email_key: str) -> str:
    """The keyed hash that stands for an erased address."""
    digest = hashlib.blake2b(
        email_key.encode(), key=keys.oldest(), digest_size=32, person=b"mailape-erased"
    )
    return digest.hexdigest()
