"""What a fault has at hand: the rig, chance, and the time to come in which things are healed."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.evidence import Recovery
from chaos.rig import Rig
from chaos.sink import Session
from tests.house.smtp import Rule, Stage

Deed = Callable[[], object]


@dataclass(order=True)
class _Event:
    at: float
    number: int
    deed: Deed = field(compare=False)


class Scene:
    """The stage of a run. Everything here happens in the run's own thread, but for the deeds that
    the mail server calls."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.recoveries: list[Recovery] = []
        self.notes: list[str] = []  # what could not be done as planned
        self.poisoned: set[str] = set()  # local parts of addresses on whose mails senders die
        self.greylists: dict[int, Rule] = {}  # by the last digit of the local parts
        self.is_pasting: Callable[[], bool] = lambda: False  # whether many lines are taken in now
        self.done = 0  # injections that took place
        self._events: list[_Event] = []
        self._numbers = itertools.count()
        self._watched: list[tuple[str, float, float, int]] = []

    # --- time ---

    def after(self, seconds: float, deed: Deed) -> None:
        """Does it later; `heal` does at once what was to come."""
        event = _Event(time.monotonic() + seconds, next(self._numbers), deed)
        heapq.heappush(self._events, event)

    def step(self) -> None:
        """Does what is due."""
        while self._events and self._events[0].at <= time.monotonic():
            heapq.heappop(self._events).deed()
        self._look()

    def heal(self) -> None:
        """Ends every fault now."""
        while self._events:
            heapq.heappop(self._events).deed()
        for part in self.rig.parts.values():
            part.held = False
        self.rig.disarm()
        self.rig.go_on_all()
        self.rig.sink.behave()
        self.rig.sink.bytes_at_once = 0
        if self.rig.proxy is not None:
            self.rig.proxy.go_on()

    # --- recovery ---

    def healed(self, fault: str, limit: float) -> None:
        """From now on the next letter tells how long the recovery took, if one is to come."""
        count = len(self.rig.sink.letters)
        self._watched.append((fault, time.time(), limit, count))

    def blocked(self) -> None:
        """Another fault keeps the mails back: what was being watched cannot be told any more."""
        self._watched.clear()

    def _look(self) -> None:
        letters = self.rig.sink.letters
        for watched in list(self._watched):
            fault, since, limit, count = watched
            if len(letters) > count:
                self._watched.remove(watched)
                self.recoveries.append(Recovery(fault, letters[count].at - since, limit))

    def nothing_to_send(self) -> None:
        """There is no mail to wait for: a recovery cannot be seen."""
        self._watched.clear()

    # --- the mail server's script ---

    def rule(self, rule: Rule, seconds: float) -> None:
        """A rule of the script that is taken back after a while."""
        self.after(seconds, lambda: self.rig.sink.forget(rule))

    def once(self, stage: Stage, deed: Callable[[Session], object]) -> None:
        """The next mail that gets to this stage sets it off, and no other."""

        def set_off(session: Session) -> None:
            self.rig.sink.forget(rule)
            deed(session)

        rule = self.rig.sink.call(set_off, at=stage)  # type: ignore[arg-type]


Fault = Callable[[Scene], object]


def call_by_name(module: dict[str, object]) -> None:
    """Gives faults that another function made the name that they have in their module."""
    for name, fault in list(module.items()):
        if getattr(fault, "__name__", "") == "inflict":
            fault.__name__ = name  # type: ignore[attr-defined]
