"""One deed on many people: add to a list, take off it, suppress; and `privacy.bulk` erases.

    asked ──start──▶ waiting ──step by step──▶ done ──undo──▶ undoing ──step by step──▶ undone

Each step is a transaction of its own over STEP people, by rising key: it holds the deed's row, so
two workers never do the same; it moves subscriptions, writes consent records, numbers and how it
was before, and puts `upto` forward, all or nothing. A worker that dies loses the step it was in.
What changed is kept for UNDO_FOR, so that a slip of the hand can be taken back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.core import bell, clock
from mailape.core.errors import Conflict, Invalid
from mailape.lists import bulk_steps, search
from mailape.lists.models import (
    BulkDeed,
    BulkTouch,
    DeedKind,
    DeedState,
    MailingList,
    Subscriber,
)
from mailape.lists.search import Wanted

log = logging.getLogger(__name__)

STEP = 1_000
AT_ONCE = 200  # so many are done within the request that asks for it
UNDO_FOR = timedelta(minutes=15)
KEPT = timedelta(days=30)
ATTEMPTS = 3

Step = Callable[[BulkDeed, list[int]], int]
Steps = Mapping[str, Step]
STEPS: Steps = {
    DeedKind.ADD: bulk_steps.add,
    DeedKind.REMOVE: bulk_steps.remove,
    DeedKind.SUPPRESS: bulk_steps.suppress_them,
}
_OPEN = (DeedState.WAITING, DeedState.UNDOING)
_BELLS = {DeedKind.ERASE: bell.ERASE}


# --- asking, starting, taking back ---------------------------------------------------------------


def ask(
    workspace: Workspace,
    source: str,
    kind: DeedKind,
    *,
    people: list[int] | None = None,
    wanted: Wanted | None = None,
    to: MailingList | None = None,
    back: str = "",
) -> BulkDeed:
    """Writes down what shall be done to whom, with their number; nothing is done yet.

    Either `people` by their keys, or all who fit `wanted`. `source` says who does it. Raises
    Invalid where there is nobody.
    """
    mine = Subscriber.objects.filter(workspace=workspace)
    if people is not None:
        people = sorted(mine.filter(pk__in=people).values_list("pk", flat=True))
        total, last = len(people), max(people, default=0)
    elif wanted is not None:
        total = search.count(wanted)
        last = mine.aggregate(last=Max("pk"))["last"] or 0
    if not total:
        raise Invalid(_("Nobody is chosen. Choose people first, then what to do."), "pick")
    return BulkDeed.objects.create(
        workspace=workspace, source=source[:300], kind=kind, list=to, people=people,
        wanted=_kept(wanted), back=back[:1000], total=total, last_key=last,
    )  # fmt: skip


def start(deed: BulkDeed, to: MailingList | None = None) -> None:
    """Begins what was asked for; a second time changes nothing.

    Raises Invalid where the deed needs a list and has none.
    """
    if to is not None and deed.list_id is None:
        BulkDeed.objects.filter(pk=deed.pk, state=DeedState.ASKED).update(list=to)
        deed.list = to
    if deed.list_id is None and deed.kind in {DeedKind.ADD, DeedKind.REMOVE}:
        raise Invalid(_("Choose a list."), "to")
    asked = BulkDeed.objects.filter(pk=deed.pk, state=DeedState.ASKED)
    if asked.update(state=DeedState.WAITING, started_at=clock.now()):
        bell.ring(_BELLS.get(DeedKind(deed.kind), bell.BULK))
    deed.refresh_from_db()


def stop(deed: BulkDeed) -> None:
    """Ends a deed under way behind the step it is in; what is done stays done."""
    BulkDeed.objects.filter(pk=deed.pk, state=DeedState.WAITING).update(last_key=F("upto"))


def may_undo(deed: BulkDeed) -> bool:
    """Whether it can still be taken back."""
    if deed.kind == DeedKind.ERASE or deed.state != DeedState.DONE or not deed.changed:
        return False
    return bool(deed.finished_at and clock.now() - deed.finished_at < UNDO_FOR)


def undo(deed: BulkDeed) -> None:
    """Begins to take a deed back. A second time changes nothing. Raises Conflict when too late."""
    if deed.state in {DeedState.UNDOING, DeedState.UNDONE}:
        return
    if not may_undo(deed):
        raise Conflict(_("This cannot be taken back any more."))
    done = BulkDeed.objects.filter(pk=deed.pk, state=DeedState.DONE)
    if done.update(state=DeedState.UNDOING):
        bell.ring(bell.BULK)
    deed.refresh_from_db()


# --- working -------------------------------------------------------------------------------------


def due(*, erasing: bool = False) -> Any:
    """Deeds that are under way, the oldest first."""
    found = BulkDeed.objects.filter(state__in=_OPEN).order_by("pk")
    return found.filter(kind=DeedKind.ERASE) if erasing else found.exclude(kind=DeedKind.ERASE)


def bells() -> list[str]:
    """The bells to ring for what is under way."""
    kinds = set(BulkDeed.objects.filter(state__in=_OPEN).values_list("kind", flat=True))
    return sorted({_BELLS.get(DeedKind(kind), bell.BULK) for kind in kinds})


def work(found: Any, steps: Steps, deadline: float) -> bool:
    """Does steps of these deeds until there is none or time is up; says whether any is left."""
    while clock.monotonic() < deadline:
        deed = found.first()
        if deed is None:
            return False
        run(deed, steps, deadline)
    return bool(found.exists())


def run(deed: BulkDeed, steps: Steps = STEPS, deadline: float | None = None) -> None:
    """Does one deed's steps to its end, or until time is up."""
    while deed.state in _OPEN and (deadline is None or clock.monotonic() < deadline):
        try:
            _one_step(deed.pk, steps)
        except Exception as fault:
            _failed(deed, fault)
        deed.refresh_from_db()


def _failed(deed: BulkDeed, fault: Exception) -> None:
    log.exception("a step of the bulk deed %s failed", deed.pk)
    said = f"A step failed {ATTEMPTS} times: {type(fault).__name__}."
    BulkDeed.objects.filter(pk=deed.pk).update(attempts=F("attempts") + 1)
    BulkDeed.objects.filter(pk=deed.pk, attempts__gte=ATTEMPTS).update(
        state=DeedState.FAILED, reason=said, finished_at=clock.now()
    )


@transaction.atomic
def _one_step(pk: int, steps: Steps) -> None:
    deed = BulkDeed.objects.select_for_update(of=("self",)).select_related("list").get(pk=pk)
    if deed.state == DeedState.UNDOING:
        _undo_step(deed)
    elif deed.state == DeedState.WAITING:
        _do_step(deed, steps[deed.kind])
    deed.attempts = 0
    deed.save()


def _do_step(deed: BulkDeed, step: Step) -> None:
    keys = _next(deed)
    if not keys:
        deed.state, deed.finished_at = DeedState.DONE, clock.now()
        return
    deed.changed += step(deed, keys)
    deed.upto = keys[-1]


def _next(deed: BulkDeed) -> list[int]:
    if deed.people is not None:
        return [key for key in deed.people if deed.upto < key <= deed.last_key][:STEP]
    return search.step(wanted(deed), STEP, deed.upto, deed.last_key)


def _undo_step(deed: BulkDeed) -> None:
    touches = list(deed.touches.order_by("pk")[:STEP])
    if not touches:
        deed.state, deed.finished_at = DeedState.UNDONE, clock.now()
        return
    bulk_steps.UNDO[deed.kind](deed, touches)
    BulkTouch.objects.filter(pk__in=[one.pk for one in touches]).delete()


# --- what is kept --------------------------------------------------------------------------------


def _kept(wanted: Wanted | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    return {
        "list": wanted.list.pk if wanted.list else None,
        "status": wanted.status,
        "q": wanted.q,
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": wanted.until.isoformat() if wanted.until else None,
    }


def wanted(deed: BulkDeed) -> Wanted:
    """Whom the deed means, where they were not chosen one by one."""
    kept = deed.wanted
    which = MailingList.objects.get(pk=kept["list"]) if kept["list"] else None
    since, until = (
        datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("since", "until")
    )
    return Wanted(deed.workspace_id, which, kept["status"], kept["q"], since, until)


def tidy() -> int:
    """Forgets how it was before what cannot be taken back any more; returns how many rows went."""
    now = clock.now()
    late = BulkDeed.objects.filter(
        Q(state__in=[DeedState.DONE, DeedState.FAILED], finished_at__lt=now - UNDO_FOR)
    )
    gone = BulkTouch.objects.filter(deed__in=late.values("pk"))
    number = int(gone._raw_delete(gone.db)) if gone.exists() else 0
    BulkDeed.objects.filter(state=DeedState.ASKED, created_at__lt=now - timedelta(days=1)).delete()
    BulkDeed.objects.filter(created_at__lt=now - KEPT).exclude(state__in=_OPEN).delete()
    return number
