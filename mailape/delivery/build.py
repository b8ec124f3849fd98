"""Building: deliveries made out of facts, by set-based SQL, in steps that resume where they ended.

A newsletter becomes one delivery for each person who is confirmed on one of its lists and not
suppressed. A step covers about 20,000 people in the order of their keys: one transaction inserts
their deliveries and batches and moves `built_upto` on, so a killed builder has lost nothing and
doubled nothing. The build is leased with a fence, as a batch is, and sending begins with the first
step. Confirmations and welcome mails are made from what `lists` notes at the subscription.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet

from mailape.campaigns import audience
from mailape.campaigns.models import Kind, Message, MessageRevision, Status
from mailape.core import bell, clock
from mailape.delivery import compile, leases, progress, sources
from mailape.delivery.compile import CannotCompile
from mailape.delivery.leases import LeaseLost
from mailape.delivery.models import SubscriberMessage
from mailape.lists.models import MailingList, Subscription
from mailape.lists.models import Status as Subscribed

log = logging.getLogger(__name__)

STEP = 20_000  # people
BATCH = 1000  # deliveries
# On SQLite, so that others get at the database between two steps.
PAUSE = 0.02
ATTEMPTS = 5
AT_ONCE = 200  # mails of lists


# Every placeholder in braces is a number of ours; values from outside are parameters.
_DELIVERIES = """
    INSERT INTO delivery_subscribermessage
        (message_id, workspace_id, subscriber_id, list_id, to_address, batch, state, created_at)
    SELECT %s, s.workspace_id, s.id, CASE her.place {back} END, s.email,
        %s + (ROW_NUMBER() OVER (ORDER BY s.id) - 1) / %s, 'queued', %s
    FROM (
        SELECT subscriber_id, MIN(CASE list_id {places} END) AS place
        FROM lists_subscription
        WHERE list_id IN ({keys}) AND status = 'confirmed'
            AND subscriber_id > %s AND subscriber_id <= %s
        GROUP BY subscriber_id
    ) AS her
    JOIN lists_subscriber s ON s.id = her.subscriber_id AND s.workspace_id = %s
    WHERE NOT EXISTS (
        SELECT 1 FROM lists_suppression p
        WHERE p.workspace_id = s.workspace_id AND p.kind = 'address' AND p.value = s.email_key
    ) AND NOT EXISTS (
        SELECT 1 FROM lists_suppression p
        WHERE p.workspace_id = s.workspace_id AND p.kind = 'domain' AND p.value = s.domain
    )
    ORDER BY s.id
"""
_BATCHES = """
    INSERT INTO delivery_deliverybatch
        (message_id, number, first_id, last_id, size, done, owner, attempts, fence,
         sent, deferred, failed, skipped, unknown, quarantined)
    SELECT message_id, batch, MIN(id), MAX(id), COUNT(*), %s, '', 0, 0, 0, 0, 0, 0, 0, 0
    FROM delivery_subscribermessage
    WHERE message_id = %s AND subscriber_id > %s AND batch >= %s
    GROUP BY message_id, batch ORDER BY batch
"""


# --- newsletters ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Build:
    """A leased build: whose, and the fence of this claim."""

    message: Message
    fence: int


def one(deadline: float) -> bool:
    """Builds a message that is due, until it is done or the monotonic clock passes `deadline`.

    Says whether there was one. What goes wrong is counted, put off and finally the message's end.
    """
    claimed = claim()
    if claimed is None:
        return False
    try:
        _ready(claimed)
        _steps(claimed, deadline)
    except CannotCompile as wrong:
        progress.fail(claimed.message.pk, f"It could not be compiled. {wrong}")
    except LeaseLost:
        log.info("message %s is built elsewhere, or was stopped", claimed.message.pk)
        _give_back(claimed)
    except Exception:
        _put_off(claimed)
        raise
    return True


def due() -> QuerySet[Message]:
    """Newsletters that wait to be compiled or built, and that nobody works on."""
    now = clock.now()
    return Message.objects.filter(
        Q(status=Status.QUEUED) | Q(status=Status.SENDING, built_at__isnull=True),
        _is_over("build_lease_until", now, leases.length()),
        _is_over("build_not_before", now, _wait(ATTEMPTS)),
        Q(not_before__isnull=True) | Q(not_before__lte=now),
        kind=Kind.NEWSLETTER,
    )


def _is_over(name: str, now: datetime, longest: timedelta) -> Q:
    """A time that is past, or farther ahead than any is set: the clock was wrong when it was."""
    return (
        Q(**{f"{name}__isnull": True})
        | Q(**{f"{name}__lte": now})
        | Q(**{f"{name}__gt": now + 2 * longest})  # twice, because hosts differ a little
    )


def claim() -> Build | None:
    """Leases the oldest message that is due; None where there is none.

    Each claim counts as an attempt until a step succeeds, so that a message on which builders die
    ends as failed, too.
    """
    with transaction.atomic():
        found = due().select_for_update(skip_locked=True, of=("self",)).order_by("pk").first()
        if found is None:
            return None
        Message.objects.filter(pk=found.pk).update(
            build_owner=leases.builder(),
            build_lease_until=clock.now() + leases.length(),
            build_fence=F("build_fence") + 1,
            build_attempts=F("build_attempts") + 1,
        )
    found.refresh_from_db()
    if found.build_attempts > ATTEMPTS:
        progress.fail(found.pk, f"It could not be built in {ATTEMPTS} attempts.")
        return claim()
    return Build(found, found.build_fence)


def _ready(build: Build) -> None:
    """Compiles the message unless that is done, and lets its sending begin."""
    message = build.message
    if message.revision_id is None:
        _held(build).update(compile_attempts=F("compile_attempts") + 1)
        revision = compile.revision(message, sources.newsletter(message))
        if not _held(build).update(revision=revision, compile_attempts=0):
            raise LeaseLost
    if progress.begin(message.pk):
        bell.ring(bell.SEND)


def _steps(build: Build, deadline: float) -> None:
    """Step after step; gives the lease back at the end, or when time is over."""
    lists = _lists(build.message)
    while not build.message.built_at and clock.monotonic() < deadline:
        step(build, lists)
        bell.ring(bell.SEND)
        time.sleep(PAUSE)
    _give_back(build)
    progress.finish(build.message.pk)


def step(build: Build, lists: list[int]) -> int:
    """One transaction: the next people, their batches, and how far it got. Returns how many.

    Raises LeaseLost when somebody else builds, or when the message was paused or cancelled.
    """
    after, upto = build.message.built_upto, _bound(lists, build.message.built_upto)
    with transaction.atomic():
        _note_step(build, upto)  # first, because it checks the fence
        if not lists:
            return 0
        _plan_by_index()
        made = _insert_deliveries(build.message, lists, after, upto)
        _insert_batches(build.message, after)
    return made


def _note_step(build: Build, upto: int | None) -> None:
    message, now = build.message, clock.now()
    message.built_upto = message.built_upto if upto is None else upto
    message.built_at = now if upto is None else None
    held = _held(build).filter(status__in=[Status.QUEUED, Status.SENDING])
    if not held.update(
        built_upto=message.built_upto,
        built_at=message.built_at,
        build_lease_until=now + leases.length(),
        build_attempts=0,
    ):
        raise LeaseLost


def _bound(lists: list[int], after: int) -> int | None:
    """The last key of the next step; None when the rest is no more than one step."""
    per_list = max(STEP // max(len(lists), 1), BATCH)
    bounds = [_nth(one, after, per_list) for one in lists]
    return min((bound for bound in bounds if bound is not None), default=None)


def _nth(list_id: int, after: int, count: int) -> int | None:
    rows = Subscription.objects.filter(
        list_id=list_id, status="confirmed", subscriber_id__gt=after
    ).order_by("subscriber_id")
    return rows.values_list("subscriber_id", flat=True)[count - 1 : count].first()


def _insert_deliveries(message: Message, lists: list[int], after: int, upto: int | None) -> int:
    # The first list of the audience that she is in: its place is the least of those she matches.
    places = " ".join(f"WHEN {int(pk)} THEN {place}" for place, pk in enumerate(lists))
    back = " ".join(f"WHEN {place} THEN {int(pk)}" for place, pk in enumerate(lists))
    keys = ", ".join(str(int(pk)) for pk in lists)
    sql = _DELIVERIES.format(places=places, back=back, keys=keys)
    with connection.cursor() as cursor:
        cursor.execute(
            sql,
            [
                message.pk,
                _next_batch(message),
                BATCH,
                connection.ops.adapt_datetimefield_value(clock.now()),
                after,
                2**63 - 1 if upto is None else upto,
                message.workspace_id,
            ],
        )
        return int(cursor.rowcount)


def _next_batch(message: Message) -> int:
    last = message.batches.order_by("-number").values_list("number", flat=True).first()
    return 1 if last is None else last + 1


def _insert_batches(message: Message, after: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BATCHES, [False, message.pk, after, _next_batch(message)])


def _lists(message: Message) -> list[int]:
    """The lists of the frozen audience, in its order, without those archived since."""
    wanted = (message.audience_frozen or message.audience or {}).get("lists", [])
    found = set(
        MailingList.objects.filter(
            pk__in=wanted, workspace=message.workspace, archived_at__isnull=True
        ).values_list("pk", flat=True)
    )
    return [pk for pk in wanted if pk in found]


def _plan_by_index() -> None:
    """PostgreSQL takes random reads for dear and would scan every subscriber in each step."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL random_page_cost = 1.1")


def _held(build: Build) -> QuerySet[Message]:
    return Message.objects.filter(pk=build.message.pk, build_fence=build.fence)


def _give_back(build: Build) -> None:
    _held(build).update(build_lease_until=None, build_owner="", build_attempts=0)


def _put_off(build: Build) -> None:
    message = build.message
    wait = _wait(message.build_attempts)
    log.exception("message %s could not be built", message.pk)
    _held(build).update(build_lease_until=None, build_owner="", build_not_before=clock.now() + wait)
    if message.build_attempts >= ATTEMPTS:
        progress.fail(message.pk, f"It could not be built in {ATTEMPTS} attempts.")


def _wait(attempts: int) -> timedelta:
    return timedelta(seconds=5 * 2**attempts)


# --- confirmations and welcome mails --------------------------------------------------------------


def confirmations() -> int:
    """Makes a delivery for each confirmation that was asked for; returns how many it looked at."""
    ready = _ready_for(_lists_of(to_confirm()), Kind.CONFIRMATION)
    if not ready:
        return 0
    with transaction.atomic():
        found = _some(to_confirm(), ready)
        # One that is there already was made by a builder whose count was undone with a dump.
        SubscriberMessage.objects.bulk_create(
            (_delivery(one, ready[one.list_id], one.confirmation_no) for one in found),
            ignore_conflicts=True,
        )
        for one in found:
            Subscription.objects.filter(pk=one.pk).update(confirmation_built=one.confirmation_no)
    return len(found)


def to_confirm() -> QuerySet[Subscription]:
    """Subscriptions for which a confirmation mail was asked and is not made yet."""
    return Subscription.objects.filter(confirmation_no__gt=F("confirmation_built"))


def welcomes() -> int:
    """Makes a delivery for each welcome mail that was asked for; returns how many it looked at.

    Its occasion is 0, so that a subscription has one at the most. None is made for who has left
    meanwhile, nor where the list was archived or its welcome mail switched off.
    """
    lists = _lists_of(to_welcome())
    over = [one.pk for one in lists if one.archived_at or not one.welcomes]
    ready = _ready_for([one for one in lists if one.pk not in over], Kind.WELCOME)
    if over:
        to_welcome().filter(list_id__in=over).update(welcome_built_at=clock.now())
    if not ready:
        return 0
    with transaction.atomic():
        found = _some(to_welcome(), ready)
        SubscriberMessage.objects.bulk_create(
            (
                _delivery(one, ready[one.list_id], 0)
                for one in found
                if one.status == Subscribed.CONFIRMED
            ),
            ignore_conflicts=True,
        )
        keys = [one.pk for one in found]
        Subscription.objects.filter(pk__in=keys).update(welcome_built_at=clock.now())
    return len(found)


def to_welcome() -> QuerySet[Subscription]:
    """Subscriptions for which a welcome mail was asked and is not made yet."""
    return Subscription.objects.filter(
        welcome_wanted_at__isnull=False, welcome_built_at__isnull=True
    )


def _lists_of(asked: QuerySet[Subscription]) -> list[MailingList]:
    lists = MailingList.objects.filter(pk__in=asked.values("list_id"))
    return list(lists.select_related("workspace"))


def _some(asked: QuerySet[Subscription], ready: dict[int, Message]) -> list[Subscription]:
    """The next of them, locked, but for those that another worker makes just now."""
    rows = asked.filter(list_id__in=list(ready)).select_related("subscriber").order_by("pk")
    return list(rows.select_for_update(skip_locked=True, of=("self",))[:AT_ONCE])


def _ready_for(lists: list[MailingList], kind: Kind) -> dict[int, Message]:
    """By list: the message that its mails of this kind belong to, compiled."""
    found = {}
    for one in lists:
        try:
            found[one.pk] = _compiled(one, kind)
        except Exception:  # one list's fault must not hold up the others'
            log.exception("the %s of list %s cannot be made", kind.value, one.pk)
    return found


def _compiled(on: MailingList, kind: Kind) -> Message:
    message = _message(on, kind)
    revision = _worded(message, on, kind)
    if message.revision_id != revision.pk:
        Message.objects.filter(pk=message.pk).update(revision=revision)
        message.revision = revision
    return message


def _worded(message: Message, on: MailingList, kind: Kind) -> MessageRevision:
    """In the owner's own words; in MailApe's, where a mail cannot be made of those any more."""
    source = sources.welcome if kind == Kind.WELCOME else sources.confirmation
    try:
        return compile.revision(message, source(on))
    except CannotCompile as wrong:
        log.warning("the wording of list %s cannot be compiled: %s", on.pk, wrong)
        return compile.revision(message, source(on, worded=False))


def _message(on: MailingList, kind: Kind) -> Message:
    wanted = Message.objects.select_related("revision").filter(kind=kind, list=on, name=kind.value)
    found = wanted.first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return Message.objects.create(
                workspace_id=on.workspace_id,
                kind=kind,
                list=on,
                name=kind.value,
                audience=audience.rule([on]),
                status=Status.SENDING,
                started_at=clock.now(),
            )
    except IntegrityError:  # another worker made it in this moment
        return wanted.get()


def _delivery(one: Subscription, message: Message, occasion: int) -> SubscriberMessage:
    return SubscriberMessage(
        message=message,
        workspace_id=message.workspace_id,
        subscriber_id=one.subscriber_id,
        list_id=one.list_id,
        to_address=one.subscriber.email,
        revision_id=message.revision_id,
        occasion=occasion,
        priority=leases.MACHINE,
        not_before=clock.now(),
    )
