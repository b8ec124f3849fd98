"""The tests of a module in this process, and forks of it with one wrong function each."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from django.conf import settings
from django.db import connections

from tests.mutants.sites import Site, changed, function_in, sites

# A test may take so many times as long as without a change, and a bit.
SLOWER, AND = 5.0, 15.0


@dataclass
class Verdict:
    """What the tests said of a module's mutants."""

    module: str
    all: int = 0
    tried: int = 0
    killed: int = 0
    unreached: list[Site] = field(default_factory=list)
    survived: list[Site] = field(default_factory=list)
    seconds: float = 0.0


class Forks:
    """A plugin of pytest: in place of one run of the tests, one for each mutant."""

    def __init__(self, module: str, choose: Callable[[list[Site]], Sequence[Site]]) -> None:
        self.verdict = Verdict(module)
        self._choose = choose
        self._reached: defaultdict[int, set[int]] = defaultdict(set)  # lines: tests
        self._took: list[float] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All tests once, and then the forks."""
        module = importlib.import_module(self.verdict.module)
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        self._all_once(session, str(module.__file__))
        self._keep_database()
        every = sites(source)
        chosen = self._choose(every)
        self.verdict.all, self.verdict.tried = len(every), len(chosen)
        began = time.monotonic()
        for site in chosen:
            self._try(session, module, source, site)
        self.verdict.seconds = time.monotonic() - began
        return True

    # --- as it is ---

    def _all_once(self, session: pytest.Session, filename: str) -> None:
        """A test that fails as it is, on a machine that is busy, says nothing of a change."""
        for number, item in enumerate(session.items):
            began = time.monotonic()
            with _tracing(filename, number, self._reached):
                reports = runtestprotocol(item, nextitem=_Root(session), log=False)
            self._took.append(time.monotonic() - began)
            if any(report.failed for report in reports):
                print(f"left out, it fails as it is: {item.nodeid}", file=sys.stderr)
                for tests in self._reached.values():
                    tests.discard(number)

    def _keep_database(self) -> None:
        """Each fork finds the database as it is now; a connection does not outlive a fork."""
        connections.close_all()
        self._database = None
        if settings.EMBEDDED_DATABASE:
            path = Path(str(connections["default"].settings_dict["NAME"]))
            if path.exists():  # else no test has asked for one
                self._database = path, path.with_name("as-it-was.sqlite3")
                shutil.copy(*self._database)

    def _restore_database(self) -> None:
        if self._database is not None:
            path, kept = self._database
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            shutil.copy(kept, path)

    # --- with one change ---

    def _try(self, session: pytest.Session, module: ModuleType, source: str, site: Site) -> None:
        tests = sorted(self._reached.get(site.line, ()), key=lambda number: self._took[number])
        if not tests:
            _leave(site, self.verdict.unreached)
            return
        self._restore_database()
        child = os.fork()
        if not child:
            self._be_wrong(session, module, source, site, tests)
        if _survives(child, self._limit(tests)):
            _leave(site, self.verdict.survived)
        else:
            self.verdict.killed += 1

    def _limit(self, tests: list[int]) -> float:
        """Seconds that these may take together."""
        return AND + SLOWER * sum(self._took[number] for number in tests)

    def _be_wrong(
        self,
        session: pytest.Session,
        module: ModuleType,
        source: str,
        site: Site,
        tests: list[int],
    ) -> None:
        code = 3
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            put_in(module, changed(source, site.number, str(module.__file__)), site.path)
            code = 0
            for number in tests:
                item = session.items[number]
                signal.setitimer(signal.ITIMER_REAL, self._limit([number]))  # which ends it
                reports = runtestprotocol(item, nextitem=_Root(session), log=False)
                if any(report.failed for report in reports):
                    code = 1
                    break
        finally:
            os._exit(code)


class _Root:
    """In place of the next test: what belongs to the session stays, and all else is taken down."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[Any]:
        return [self._session]


def _leave(site: Site, among: list[Site]) -> None:
    """It is left; said at once, because a whole module takes long."""
    among.append(site)
    print(f"left: {site.line} {'.'.join(site.path)}: {site.what}", file=sys.stderr)


def put_in(module: ModuleType, code: CodeType, path: tuple[str, ...]) -> None:
    """The living function gets the changed code; whoever holds it calls the wrong one now."""
    found: Any = module
    for name in path:
        found = vars(found)[name] if isinstance(found, type) else getattr(found, name)
    function = _bare(found)
    if hasattr(found, "cache_clear"):
        found.cache_clear()
    function.__code__ = function_in(code, path)


def _bare(found: Any) -> Any:
    if isinstance(found, property):
        found = found.fget
    found = getattr(found, "__func__", found)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found


def _survives(child: int, limit: float) -> bool:
    """Whether all tests passed; one that takes for ever has failed."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


class _tracing:  # noqa: N801 - a context manager
    """Notes which lines of a file are reached, in this thread and in those that begin meanwhile."""

    _now: tuple[str, int, dict[int, set[int]]] | None = None

    def __init__(self, filename: str, number: int, reached: dict[int, set[int]]) -> None:
        self._given = filename, number, reached

    def __enter__(self) -> None:
        type(self)._now = self._given
        threading.settrace(_called)
        sys.settrace(_called)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


def _called(frame: FrameType, event: str, arg: object) -> Any:
    now = _tracing._now
    if now is None or frame.f_code.co_filename != now[0]:
        return None
    return _line


def _line(frame: FrameType, event: str, arg: object) -> Any:
    now = _tracing._now
    if now is not None and event == "line":
        now[2][frame.f_lineno].add(now[1])
    return _line
