"""Which fields of the owner's own occur in a workspace: for whoever puts merge tags into a text.

A key is noted when somebody is given it, and looked for among everybody once a day, so that one
which nobody has any more is offered no longer. A page never looks through people for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from mailape.accounts.models import Workspace
from mailape.core import clock
from mailape.lists.models import FieldKey, Subscriber

LOOK_EVERY = timedelta(days=1)
NOTE_EVERY = timedelta(hours=1)
OFFERED = 100
AT_ONCE = 20


def of(workspace: Workspace) -> list[str]:
    """The keys that occur, by the alphabet; the first hundred of them."""
    found = FieldKey.objects.filter(workspace=workspace).order_by("key")
    return list(found.values_list("key", flat=True)[:OFFERED])


def lacking(workspace: Workspace, keys: Iterable[str]) -> list[str]:
    """Those of `keys` that nobody in the workspace has, in their order."""
    keys = list(dict.fromkeys(keys))
    if not keys:
        return []
    found = FieldKey.objects.filter(workspace=workspace, key__in=keys)
    known = set(found.values_list("key", flat=True))
    return [key for key in keys if key not in known]


def note(workspace_id: int, keys: Iterable[str]) -> None:
    """Somebody has these. Call it inside the transaction that gives them to her.

    Written at most once an hour for each key. `forget_unused` removes none that was noted within a
    day, so a key that is removed in this moment cannot be one that this call took for known.
    """
    now, wanted = clock.now(), set(keys)
    noted = FieldKey.objects.filter(
        workspace=workspace_id, key__in=wanted, seen_at__gt=now - NOTE_EVERY
    )
    if wanted:
        wanted -= set(noted.values_list("key", flat=True))
    FieldKey.objects.bulk_create(
        [FieldKey(workspace_id=workspace_id, key=key, seen_at=now) for key in sorted(wanted)],
        update_conflicts=True,
        unique_fields=["workspace", "key"],
        update_fields=["seen_at"],
    )


def forget_unused(most: int = AT_ONCE) -> int:
    """Looks for keys that were not seen for a day, a few at once; returns how many are gone.

    One that nobody has costs a look at every person of the workspace: about a second a million.
    """
    old = FieldKey.objects.filter(seen_at__lte=clock.now() - LOOK_EVERY)
    gone = 0
    for one in old.order_by("seen_at")[:most]:
        same = old.filter(pk=one.pk)
        if Subscriber.objects.filter(workspace=one.workspace_id, fields__has_key=one.key).exists():
            same.update(seen_at=clock.now())
        else:
            gone += same.delete()[0]
    return gone
