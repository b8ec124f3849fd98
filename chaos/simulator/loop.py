"""An event loop on the simulated time: callbacks are run one by one, when the machine says so."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any


class Loop(asyncio.AbstractEventLoop):
    """The loop of one process's wire."""

    def __init__(self, time: Callable[[], float], fault: Callable[[BaseException], None]) -> None:
        self._now, self._fault = time, fault
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self._tasks: list[asyncio.Task[Any]] = []

    # --- what the machine does ---

    def next_time(self) -> float | None:
        """When there is something to run; None when there is nothing."""
        if self._ready:
            return self._now()
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def run_one(self) -> None:
        """Runs the next callback."""
        while self._timers and self._timers[0][0] <= self._now() + 1e-9:
            self._ready.append(heapq.heappop(self._timers)[2])
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                asyncio._set_running_loop(self)
                try:
                    handle._run()
                finally:
                    asyncio._set_running_loop(None)
                return

    def finish(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine that waits for nothing."""
        task = self.create_task(work)
        while not task.done():
            self.run_one()
        return task.result()

    def close_tasks(self) -> None:
        """Ends what is still waiting; nothing of it reaches the world."""
        asyncio._set_running_loop(self)
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with suppress(BaseException):
                    task.get_coro().close()  # type: ignore[union-attr]
        asyncio._set_running_loop(None)

    # --- what asyncio asks ---

    def time(self) -> float:
        return self._now()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_soon(callback, *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_at(self._now() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, handle))
        return handle

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> Any:
        task = asyncio.Task(coro, loop=self, name=name or "task")
        self._tasks.append(task)
        return task

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        self._fault(fault if isinstance(fault, BaseException) else RuntimeError(str(context)))

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""
