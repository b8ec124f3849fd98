"""The supervisor of `mailape up`: starts what an instance consists of, and restarts what dies.

It signals the leaders only, and waits: a Celery worker that gets a signal itself and from its
parent dies in the middle of a task. Each leader has a process group of its own, so that Ctrl-C
reaches the supervisor alone. When the supervisor is killed, the kernel kills its children
(`core.processes.die_with_parent`); they hold the data folder's lock with it until they are gone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from mailape.core import processes
from mailape.core.filelock import FileLock

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1
# A task works for 5 s at most, a request is given 10 s.
GRACE = 20.0
LONG_LIFE = 10.0
LONGEST_DELAY = 30.0


class FolderTaken(Exception):
    """Another instance runs on the data folder. Its text is one sentence that says what to do."""


class Folder:
    """The data folder's lock: one `mailape up` at a time."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data = data
        self._lock = FileLock(data / "up.lock", 0)

    def take(self, running: float = 1.0, dying: float = GRACE + 5) -> None:
        """Takes the folder; waits `running` s for one that runs, `dying` s for one that is ending.

        Raises FolderTaken.
        """
        started = time.monotonic()
        while not self._lock.try_take():
            owner, _, state = self._read().partition(" ")
            ends = state == "stopping" or processes.is_dead(owner)
            if time.monotonic() - started > (dying if ends else running):
                raise FolderTaken(
                    f"Another `mailape up` runs on {self.data}; stop it first, or set"
                    " MAILAPE_DATA to another folder."
                )
            time.sleep(0.1)
        self.say("running")

    def say(self, state: str) -> None:
        """Writes who holds the folder and what it is doing: running or stopping."""
        os.pwrite(self.fileno(), f"{processes.identity()} {state}".ljust(200).encode(), 0)

    def fileno(self) -> int:
        """The locked file. Children get it too, so the folder is free when the last one is gone."""
        return self._lock.fileno()

    def _read(self) -> str:
        return os.pread(self.fileno(), 200, 0).decode(errors="replace").strip()


class Part:
    """One leader: a `mailape` command that is to run for as long as the instance does.

    `may_start` is asked before each start and raises an exception of its own where it cannot be:
    at the first start that ends the instance, later the start is tried again.
    """

    def __init__(self, name: str, *words: str, may_start: Callable[[], object] | None = None):
        self.name, self.words = name, words
        self.process: subprocess.Popen[bytes] | None = None
        self._may_start = may_start or (lambda: None)
        self._was_started = False
        self._started = 0.0
        self._early_ends = 0
        self._next_start = 0.0

    def _start(self, folder: Folder) -> None:
        # Only ever from the main thread: the kernel ties a child's death to the thread it is from.
        self._may_start()
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "mailape", *self.words],
            stdin=subprocess.DEVNULL,
            env={**os.environ, processes.PARENT: str(os.getpid())},
            pass_fds=[folder.fileno()],
            process_group=0,
        )
        self._was_started = True
        self._started = time.monotonic()

    def look(self, folder: Folder) -> None:
        """Starts it again when it has died; the more often it dies early, the later."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return
            self._next_start = now + self._delay(now - self._started)
            log.warning("%s ended (%s) and is started again", self.name, self.ending())
            self.sweep()
            self.process = None
        if now >= self._next_start:
            self._try_to_start(folder)

    def _try_to_start(self, folder: Folder) -> None:
        try:
            self._start(folder)
        except Exception as fault:
            if not self._was_started:
                raise
            self._next_start = time.monotonic() + self._delay(0.0)
            log.error("%s cannot be started: %s", self.name, fault)  # noqa: TRY400 - one sentence

    def _delay(self, lived: float) -> float:
        self._early_ends = 0 if lived >= LONG_LIFE else self._early_ends + 1
        return 0.0 if self._early_ends < 2 else min(2.0 ** (self._early_ends - 2), LONGEST_DELAY)

    def ending(self) -> str:
        """How it ended, in words."""
        code = self.process.returncode if self.process else 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def ask_to_stop(self) -> None:
        """SIGTERM to the leader, never to its children."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def runs(self) -> bool:
        """Whether the leader is there."""
        return self.process is not None and self.process.poll() is None

    def sweep(self) -> None:
        """SIGKILL to whatever is left of its group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """Runs the parts until a signal comes."""

    def __init__(self, folder: Folder, parts: list[Part], ready: Callable[[], bool]) -> None:
        self.folder, self.parts = folder, parts
        self._ready = ready
        self._stopping = False

    def run(self) -> None:
        """Returns when everything has stopped. A part that cannot be started at all ends it."""
        self._listen()
        try:
            announced = False
            while not self._stopping:
                for part in self.parts:
                    part.look(self.folder)
                announced = announced or self._ready()
                time.sleep(LOOK_EVERY)
        finally:
            self._stop()

    def _listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)
        # What was started under nohup stays deaf to the end of its terminal.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _stop(self) -> None:
        self.folder.say("stopping")
        for part in self.parts:
            part.ask_to_stop()
        end = time.monotonic() + GRACE
        while any(part.runs() for part in self.parts) and time.monotonic() < end:
            time.sleep(LOOK_EVERY / 2)
        for part in self.parts:
            if part.runs():
                log.warning("%s did not stop within %.0f s and is killed", part.name, GRACE)
            part.sweep()
