"""The first answer to a request with an Idempotency-Key, given again to whoever repeats it.

    claim ──▶ the work and `keep` in ONE transaction ──▶ later claims get the first answer
      └── the work failed, or broke: `release`; the key is free again

The claim is a unique insert that is committed at once, so that a second request finds it. The
answer is written in the transaction of the work itself: a process that dies leaves either both or
neither. A claim that nobody finished is taken over after ABANDONED; should its owner live after
all, its `keep` finds the claim gone and its work is rolled back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from mailape.core import clock
from mailape.core.errors import Conflict, MailApeError
from mailape.core.models import IdempotentAnswer

KEPT = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)
_FORGOTTEN_AT_ONCE = 50


class KeyReused(MailApeError):
    """The key belongs to another request: take a new one."""


@dataclass(frozen=True)
class Answer:
    """An answer as it was given."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Claim:
    """The right to do the work of a key; `at` is its fence."""

    pk: int
    at: datetime


def fingerprint(*parts: bytes) -> str:
    """What tells two requests apart: a hash over method, path and body."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def claim(owner: str, key: str, print_: str) -> Claim | Answer:
    """The right to do the work of `owner`'s `key`, or the answer that was given already.

    Raises KeyReused when the key came with another request, Conflict while the first is under way.
    """
    forget_old()
    for _turn in range(
        3
    ):  # a row may be released or forgotten between the insert and the look at it
        now = clock.now()
        try:
            with transaction.atomic():
                made = IdempotentAnswer.objects.create(
                    owner=owner, key=key, fingerprint=print_, created_at=now
                )
            return Claim(made.pk, now)
        except IntegrityError:
            row = IdempotentAnswer.objects.filter(owner=owner, key=key).first()
        if row is not None and (found := _of_another(row, print_, now)) is not None:
            return found
    raise Conflict(_("The first request with this Idempotency-Key is still under way."))


def keep(mine: Claim, answer: Answer) -> None:
    """Writes the answer down; call it inside the transaction of the work.

    Raises Conflict when somebody took the claim over meanwhile: let that roll the work back.
    """
    row = IdempotentAnswer.objects.filter(pk=mine.pk, created_at=mine.at, status__isnull=True)
    if not row.update(status=answer.status, headers=answer.headers, body=answer.body):
        raise Conflict(_("This took so long that another request with the same key went ahead."))


def release(mine: Claim) -> None:
    """Frees the key of work that failed, so that it can be tried again."""
    IdempotentAnswer.objects.filter(pk=mine.pk, created_at=mine.at, status__isnull=True).delete()


def forget_old() -> None:
    """Deletes some of what is older than a day, the oldest first; each claim does it."""
    old = IdempotentAnswer.objects.filter(created_at__lt=clock.now() - KEPT)
    keys = list(old.order_by("created_at").values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE])
    if keys:
        IdempotentAnswer.objects.filter(pk__in=keys, created_at__lt=clock.now() - KEPT).delete()


def _of_another(row: IdempotentAnswer, print_: str, now: datetime) -> Claim | Answer | None:
    """What a row that stood there before gives; None when it is gone by now."""
    if row.created_at < now - KEPT:
        IdempotentAnswer.objects.filter(pk=row.pk, created_at=row.created_at).delete()
        return None
    if row.fingerprint != print_:
        raise KeyReused("This Idempotency-Key was used for another request. Take a new one.")
    if row.status is not None:
        return Answer(row.status, row.headers, row.body)
    if row.created_at > now - ABANDONED:
        raise Conflict(_("The first request with this Idempotency-Key is still under way."))
    taken = IdempotentAnswer.objects.filter(
        pk=row.pk, created_at=row.created_at, status__isnull=True
    ).update(created_at=now)
    return Claim(row.pk, now) if taken else None
