"""Who pauses, goes on, cancels, leaves, is suppressed or decides, in the middle of a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.core.errors import Conflict
from mailape.delivery import doubt, status
from mailape.lists.models import Status, Subscriber, Subscription, Suppression

if TYPE_CHECKING:
    from chaos.simulator.schedule import Schedule


def leaves(schedule: Schedule) -> None:
    """A reader unsubscribes."""
    subscriber = _someone(schedule)
    Subscription.objects.filter(subscriber_id=subscriber).update(status=Status.UNSUBSCRIBED)
    schedule.record.left.setdefault(subscriber, schedule.machine.now)
    schedule.machine.say(f"reader {subscriber} leaves")


def is_suppressed(schedule: Schedule) -> None:
    """A reader's address is suppressed."""
    one = Subscriber.objects.get(pk=_someone(schedule))
    Suppression.objects.get_or_create(
        workspace_id=one.workspace_id,
        kind="address",
        value=one.email_key,
        defaults={"reason": "owner", "at": clock.now()},
    )
    schedule.record.left.setdefault(one.pk, schedule.machine.now)
    schedule.machine.say(f"reader {one.pk} is suppressed")


def pause(schedule: Schedule) -> None:
    """A message is paused."""
    _deed(schedule, dispatch.pause, halts=True)


def resume(schedule: Schedule) -> None:
    """A paused one goes on."""
    _deed(schedule, dispatch.resume, halts=False)


def cancel(schedule: Schedule) -> None:
    """A message is cancelled."""
    _deed(schedule, dispatch.cancel, halts=True)


def send_again(schedule: Schedule) -> None:
    """Somebody has what is in doubt sent again."""
    message = schedule.choices.one_of(schedule.stage.newsletters)
    keys = list(status.undecided(message).values_list("pk", flat=True))
    try:
        doubt.send_again(Message.objects.get(pk=message))
    except Conflict:
        return
    schedule.record.sent_again.update(keys)
    schedule.machine.say(f"what is in doubt of message {message} is sent again: {keys}")


def _someone(schedule: Schedule) -> int:
    return schedule.choices.one_of(sorted({*schedule.stage.subscribers.values()}))


def _deed(schedule: Schedule, deed: Callable[[Message], Message], *, halts: bool) -> None:
    key = schedule.choices.one_of(schedule.stage.newsletters)
    message = Message.objects.get(pk=key)
    try:
        deed(message)
    except Conflict:
        return
    now = schedule.machine.now
    spans = schedule.record.halted.setdefault(key, [])
    if halts and (not spans or spans[-1][1] < 1e9):
        spans.append([now, 1e12])
    elif not halts and spans:
        spans[-1][1] = now
    schedule.machine.say(f"message {key}: {deed.__name__}")


DEEDS: list[Callable[[Schedule], None]] = [
    leaves, pause, resume, cancel, is_suppressed, send_again,
]  # fmt: skip


def act_meanwhile(schedule: Schedule) -> None:
    """Somebody does something in half a second, while a process or the database stands still."""
    deed = schedule.choices.one_of(DEEDS)
    schedule.machine.after(0.5, lambda: deed(schedule))
