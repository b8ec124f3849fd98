"""Processes, the time, who goes on next, and deaths.

A process has a main thread (a greenlet that gives way wherever it would wait or ask the database)
and a loop for its wire, callback by callback. One step is as far as one of them gets. Time passes
only between steps. Who is dead raises `Died` wherever it touches the world, and changes nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from greenlet import getcurrent, greenlet

from chaos.simulator.choices import Choices
from chaos.simulator.loop import Loop


class Died(BaseException):
    """This process is dead: nothing of it reaches the world any more."""


@dataclass(slots=True)
class Host:
    """A machine with a disk of its own for the journals, and a wall clock."""

    name: str
    folder: Path
    ahead: float = 0.0  # seconds that its wall clock is ahead
    lost: bool = False  # gone for good, with its disk
    full_until: float = -1.0  # nothing can be written to its disk until then
    synced: dict[str, int] = field(
        default_factory=dict
    )  # by journal: what would outlive a power cut


class Process:
    """One sending process of a host."""

    def __init__(self, machine: Machine, number: int, host: Host) -> None:
        self.machine, self.number, self.host = machine, number, host
        self.alive = True
        self.stopped_until = -1.0
        self.wake_at: float | None = machine.now
        self.idle = False
        self.mine = SimpleNamespace(pid=0, folder=None, journal=None)
        self.loop = Loop(lambda: machine.now, self._fell)
        self.lines: set[Any] = set()
        self.lines_ever = 0
        self.transport: Any = None
        self.main = greenlet(self._run, parent=machine.hub)

    def __str__(self) -> str:
        return f"p{self.number}"

    def check(self) -> None:
        """Raises Died where this process is dead."""
        if not self.alive:
            raise Died

    def _run(self) -> None:
        try:
            self.machine.programme(self)
        except Died:
            pass
        except BaseException:
            self.machine.unexpected.append(traceback.format_exc())

    def _fell(self, fault: BaseException) -> None:
        if self.alive and not isinstance(fault, Died):
            lines = traceback.format_exception(fault)
            self.machine.unexpected.append("".join(lines))


class Machine:
    """All processes of a schedule, and its time."""

    def __init__(self, choices: Choices, programme: Callable[[Process], None]) -> None:
        self.choices, self.programme = choices, programme
        self.hub = getcurrent()
        self.now = 0.0
        self.steps = 0
        self.healing = False
        self.shuffled = True
        self.processes: list[Process] = []
        self.current: Process | None = None
        self.bells: list[str] = []
        self.unexpected: list[str] = []
        self.trace: list[str] = []
        self.on_switch: Callable[[Process], None] = lambda process: None
        self.on_death: list[Callable[[Process], None]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = self._turn = self._born = self._rung = 0
        self._graves: list[Process] = []

    def say(self, text: str) -> None:
        """A line of what happened, for who reads the schedule."""
        who = str(self.current) if self.current else "--"
        self.trace.append(f"{self.now:9.3f} s  step {self.steps:<5} {who:<4} {text}")

    def chance(self, likely: float) -> bool:
        """Whether a fault happens here; none does once all is being healed."""
        return likely > 0 and not self.healing and self.choices.chance(likely)

    # --- processes ---

    def start(self, host: Host) -> Process:
        """A new process."""
        self._born += 1
        process = Process(self, self._born, host)
        self.processes.append(process)
        return process

    @property
    def living(self) -> list[Process]:
        return [one for one in self.processes if one.alive]

    def kill(self, process: Process, why: str) -> None:
        """The process is dead from now on."""
        if not process.alive:
            return
        self.say(f"{process} dies: {why}")
        process.alive = False
        running, self.current = self.current, None  # the world looks, and not the dead one
        loop = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        for deed in self.on_death:
            deed(process)
        asyncio._set_running_loop(loop)
        self.current = running
        self._graves.append(process)

    def bury(self) -> None:
        """Takes the stacks of the dead down; nothing that happens there reaches the world."""
        while self._graves:
            process = self._graves.pop()
            if process.main and not process.main.dead:
                self._enter(process)
                process.main.throw(Died)
            self.current = None

    def ring(self, name: str) -> None:
        """A bell: whoever is idle looks."""
        if name not in self.bells:
            self.bells.append(name)
        idle = [one for one in self.processes if one.idle and one.alive]
        if idle:
            self._rung += 1
            process = idle[self._rung % len(idle)]
            process.idle, process.wake_at = False, self.now

    # --- what the main thread of a process calls ---

    @property
    def in_main(self) -> bool:
        """Whether it is a process's main thread that runs."""
        return self.current is not None and getcurrent() is self.current.main

    def pause(self, seconds: float | None) -> None:
        """Gives way, for so long or until it is woken."""
        process = self.current
        assert process is not None
        process.check()
        process.wake_at = None if seconds is None else self.now + seconds
        self.hub.switch()
        process.check()

    # --- steps ---

    def after(self, seconds: float, deed: Callable[[], None]) -> None:
        """Does something later."""
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, deed))

    def step(self) -> bool:
        """One step; False when nothing would ever happen again."""
        self.steps += 1
        if self._events and self._events[0][0] <= self.now:
            heapq.heappop(self._events)[2]()
            self.bury()
            return True
        ready = self._ready()
        if not ready:
            return self._let_time_pass()
        self._turn += 1
        by = self.choices.below(len(ready)) if self.shuffled and not self.healing else 0
        process, main = ready[(self._turn + by) % len(ready)]
        self._enter(process)
        if main:
            process.main.switch()
        else:
            process.loop.run_one()
        self.current = None
        self.bury()
        self.now += 0.0005
        return True

    def _enter(self, process: Process) -> None:
        self.current = process
        self.on_switch(process)

    def _ready(self) -> list[tuple[Process, bool]]:
        found = []
        now = self.now
        for process in self.processes:
            if not process.alive or process.stopped_until > now:
                continue
            if process.wake_at is not None and process.wake_at <= now:
                found.append((process, True))
            at = process.loop.next_time()
            if at is not None and at <= now:
                found.append((process, False))
        return found

    def _let_time_pass(self) -> bool:
        times = [self._events[0][0]] if self._events else []
        for process in self.processes:
            if process.alive:
                of_loop = process.loop.next_time()
                mine = [at for at in (process.wake_at, of_loop) if at is not None]
                if mine:
                    times.append(max(min(mine), process.stopped_until))
        if not times:
            return False
        self.now = max(self.now, min(times)) + 1e-6
        return True

    @property
    def quiet(self) -> bool:
        """Whether all wait for a bell, and nothing is to happen but the end of idle lines."""
        return not self._events and all(one.idle for one in self.living) and not self.bells
