"""The keys of links. They outlive SECRET_KEY, are never deleted, and are part of the backup."""

from __future__ import annotations

import secrets
from functools import lru_cache

from django.db import IntegrityError, transaction

from mailape.core.models import LinkKey


@lru_cache(maxsize=64)
def by_id(key_id: int) -> bytes:
    """The secret of key `key_id`. Raises LinkKey.DoesNotExist for one that was never made."""
    return bytes(LinkKey.objects.get(pk=key_id).secret)


@lru_cache(maxsize=1)
def newest_id() -> int:
    """The key that new links are made with; the first one is made when first asked for."""
    return _ids()[-1]


@lru_cache(maxsize=1)
def oldest_id() -> int:
    """The first key ever made: for what must stay the same for the life of the instance."""
    return _ids()[0]


def oldest() -> bytes:
    """The secret of the first key: opaque ids are shuffled with it."""
    return by_id(oldest_id())


def _ids() -> list[int]:
    found = list(LinkKey.objects.order_by("pk").values_list("pk", flat=True))
    if found:
        return found
    try:
        with transaction.atomic():
            LinkKey.objects.create(pk=1, secret=secrets.token_bytes(64))
    except IntegrityError:  # another process made it in this moment
        pass
    return list(LinkKey.objects.order_by("pk").values_list("pk", flat=True))


def add() -> int:
    """Makes a new key, with which links are made from now on; old links stay good."""
    # Numbered here, as the first one is: PostgreSQL's own sequence would hand out 1 once more.
    made = LinkKey.objects.create(pk=_ids()[-1] + 1, secret=secrets.token_bytes(64))
    forget()
    return made.pk


def forget() -> None:
    """Empties what this process remembers: after a new key, and between tests."""
    by_id.cache_clear()
    newest_id.cache_clear()
    oldest_id.cache_clear()
