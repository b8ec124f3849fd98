"""The story of a run: people and mails on a whole instance, many faults, healing, judgement.

Django must be set up for the rig's database before this module is imported.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from django.db import Error, connection
from django.db.models import Count, Max, Min, QuerySet

from chaos import gather, world
from chaos.crowd import Crowd
from chaos.invariants import judge
from chaos.rig import Rig
from chaos.rows import Row
from chaos.run import Order, Result
from chaos.scene import Scene
from chaos.web import Web
from mailape.campaigns import dispatch
from mailape.campaigns.models import Kind, Message, Status
from mailape.core import clock, ids
from mailape.delivery.models import OPEN_STATES, DeliveryBatch, State, SubscriberMessage
from tests.house.smtp import Stage

TICK = 0.02
LOOK = 0.5
AFTER_HEALING = 60.0
# What an instance on two cores sends at least, in mails per second, while it drains.
RATE = 20.0
IN_FLIGHT, MOST_PAUSED = 2, 5
# Seconds from one sweep to the next, on a busy machine; and what becomes due so soon after the
# first need not wait for a sweep of its own.
SWEEP, TOGETHER = 6.0, timedelta(minutes=10)


class Story:
    """The run from its beginning to its end."""

    def __init__(
        self, order: Order, row: Row, r: Rig, result: Result, say: Callable[[str], None]
    ) -> None:
        self.order, self.row, self.rig, self.result, self.say = order, row, r, result, say
        self.scene = Scene(r, order.seed)
        self.world = world.make(order.people, beyond_ascii=r.plan.smtputf8)
        world.limit(r.plan.per_second)
        self.crowd = Crowd(self.world, Web(r.instance.port, self.world.token), order.seed)
        self.scene.is_pasting = lambda: self.crowd.is_pasting
        self.crowd.letters = lambda: r.sink.letters
        r.sink.on_letter.append(self.crowd.read)
        self._looked = 0.0
        self._jumps = 0  # of the clock, while it drains
        self._asking = False  # whether the owner waits for an answer
        self._done: Counter[str] = Counter()

    def tell(self) -> None:
        self.rig.sink.delay(self.row.slow, at=Stage.DOT)
        self.rig.start()
        self.say("the instance is ready")
        self.crowd.begin(self.row.acts, pause=0.7)
        self._keep_busy()
        self._break_things()
        self.say(f"{self.scene.done} faults; healing")
        self.scene.heal()
        self._drain()
        self._judge()

    # --- the time of faults ---

    def _break_things(self) -> None:
        low, high = self.row.gap
        next_at = time.monotonic() + low
        end = time.monotonic() + self.row.longest
        while self.scene.done < self.order.number and time.monotonic() < end:
            self._tick()
            if time.monotonic() >= next_at:
                self._inflict()
                next_at = time.monotonic() + self.scene.random.uniform(low, high)
        # What was begun last shall have its time, too.
        rest = time.monotonic() + high
        while time.monotonic() < rest:
            self._tick()

    def _inflict(self) -> None:
        faults, weights = list(self.row.faults), list(self.row.faults.values())
        fault = self.scene.random.choices(faults, weights)[0]
        try:
            if fault(self.scene) is False:
                return
        except Exception as fault_of_ours:  # a store that another fault has taken away
            self.say(f"{_name(fault)} could not be done: {fault_of_ours!r}")
            return
        self.scene.done += 1
        self._done[_name(fault)] += 1

    def _tick(self) -> None:
        self.rig.mind()
        self.scene.step()
        time.sleep(TICK)
        if time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._keep_busy()

    def _keep_busy(self) -> None:
        """There is always something on its way that a fault can meet."""
        open_now = self._open_messages()
        if open_now is None or open_now >= IN_FLIGHT or self._asking:
            return
        weekly, daily = self.world.weekly.pk, self.world.daily.pk
        lists = frozenset(self.scene.random.choice([(weekly,), (weekly, daily)]))
        self._ask(lambda: self.crowd.send(lists))

    def _ask(self, deed: Callable[[], object]) -> None:
        """In a thread, because the web server may be away and the owner asks until it is back:
        this thread is the one that starts it again."""
        self._asking = True

        def ask() -> None:
            try:
                deed()
            finally:
                self._asking = False

        self.crowd.go(ask)

    def _open_messages(self) -> int | None:
        """How many newsletters are on their way; None where it is no time for more."""
        try:
            mine = Message.objects.filter(kind=Kind.NEWSLETTER)
            found = mine.filter(status__in=[Status.QUEUED, Status.SENDING]).count()
            paused = mine.filter(status=Status.PAUSED).count()
        except Error:
            connection.close()
            return None
        if not found:
            self.scene.nothing_to_send()
        # Where the way is broken one after the other is paused, and waits for its owner.
        if paused >= MOST_PAUSED:
            self._resume_one(mine.exclude(reason=dispatch.BY_A_PERSON))
            return None
        return found

    # --- the time after ---

    def _drain(self) -> None:
        """Until nothing is open; the owner lets go on what is paused, and time passes quickly."""
        healed = time.monotonic()
        self.crowd.rest()
        letters = len(self.rig.sink.letters)
        backlog = None
        while True:
            self._settle()
            open_now = self._left()
            if backlog is None and open_now is not None:
                backlog = sum(open_now.values())
            busy = self._asking or not self.crowd.is_quiet
            if open_now is not None and not open_now and not busy:
                break
            # What is due after a jump is found by the next sweep.
            allowed = AFTER_HEALING + (backlog or 0) / RATE + self._jumps * SWEEP
            if time.monotonic() - healed > allowed:
                break
        self.crowd.end(within=20)
        late = self._left() or {}
        for sent in self.crowd.sent:
            sent.over_in_time = sent.public not in late
        self.result.drained = round(time.monotonic() - healed, 1)
        self.say(
            f"drained in {self.result.drained} s, {len(self.rig.sink.letters) - letters} mails"
        )

    def _settle(self) -> None:
        end = time.monotonic() + LOOK
        while time.monotonic() < end:
            self.rig.mind()
            self.scene.step()
            time.sleep(TICK)
        try:
            self._resume_what_is_paused()
            self._let_time_pass()
        except Error:
            connection.close()

    def _resume_what_is_paused(self) -> None:
        if self._asking or not self.crowd.is_quiet:
            return  # somebody else may be about to let it go on
        self._resume_one(Message.objects.all())

    def _resume_one(self, messages: QuerySet[Message]) -> None:
        paused = {one.public_id for one in messages.filter(status=Status.PAUSED)}
        waiting = [sent for sent in self.crowd.sent if sent.public in paused]
        if waiting and not self._asking:
            self._ask(lambda: self.crowd.resume(waiting[0]))

    def _let_time_pass(self) -> None:
        """Where all that is left waits for its hour, the clock is set on to the first one's, or
        somewhat more, so that those soon after it come along."""
        now = clock.now()
        if SubscriberMessage.objects.filter(not_before__lte=now).exists():
            return
        if SubscriberMessage.objects.filter(state=State.SENDING).exists():
            return
        batches = DeliveryBatch.objects.filter(done=False)
        if batches.exclude(not_before__gt=now).exists():
            return
        waiting = SubscriberMessage.objects.filter(not_before__gt=now)
        first = waiting.aggregate(first=Min("not_before"))["first"]
        if first is not None and (first - now).total_seconds() > 1:
            soon = waiting.filter(not_before__lte=first + TOGETHER)
            last = soon.aggregate(last=Max("not_before"))["last"] or first
            self.rig.move_clock((last - now).total_seconds())
            self._jumps += 1

    def _left(self) -> dict[str, int] | None:
        """Open deliveries by message; None while the database cannot tell."""
        try:
            found = (
                SubscriberMessage.objects.filter(state__in=OPEN_STATES)
                .order_by()
                .values_list("message_id")
                .annotate(Count("pk"))
            )
            left = {ids.public("message", pk): number for pk, number in found}
            going = Message.objects.filter(status__in=["queued", "sending", "paused"])
            for message in going.filter(kind="newsletter"):
                left.setdefault(message.public_id, 0)
        except Error:
            connection.close()
            return None
        return left

    # --- judgement ---

    def _judge(self) -> None:
        found = gather.evidence(self.rig, self.crowd, self.scene, self.row)
        verdict = judge(found)
        result = self.result
        result.injections, result.killed_processes = self.scene.done, self.rig.killed
        result.mails, result.messages = len(found.letters), len(found.sent)
        result.acts = self.crowd.acts
        result.lost = len(verdict.of("I1", "I1 acts"))
        result.duplicates_explained = verdict.explained
        result.duplicates_unsaved = verdict.unsaved
        result.duplicates_unexplained = len(verdict.of("I3"))
        result.stuck = len(verdict.of("I6"))
        counted = result.lost + result.duplicates_unexplained + result.stuck
        result.unexpected = len(verdict.findings) - counted
        result.states = dict(Counter(row.state for row in found.rows))
        result.faults = dict(self._done)
        result.points = dict(Counter(self.rig.done_points()))
        for one in found.recoveries:
            longest = max(result.recovery.get(one.fault, 0), one.seconds)
            result.recovery[one.fault] = round(longest, 1)
        result.findings = [str(finding) for finding in verdict.findings]


def _name(fault: object) -> str:
    return getattr(fault, "__name__", str(fault)).replace("_", "-")
