"""A line between the instance and its database that can be cut, stalled, or cut at a COMMIT."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

PIECE = 65536
# How long the database has to do what it was told before nobody hears the answer.
HEARD_NO_MORE = 0.05


class Proxy:
    """Listens on `port` and passes everything on to `target` on this machine."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.cuts = 0
        self._cut_at = b""
        self._open: set[asyncio.StreamWriter] = set()
        self._going = asyncio.Event()
        self._loop = asyncio.new_event_loop()

    def cut(self) -> None:
        """Cuts every connection at once."""
        self._call(self._cut())

    def cut_after(self, words: bytes) -> None:
        """The next client that says `words` is cut when they have arrived, before the answer."""
        self._cut_at = words

    def stall(self) -> None:
        """From now on nothing passes, and nothing is refused: a line that went dead."""
        self._loop.call_soon_threadsafe(self._going.clear)

    def go_on(self) -> None:
        """Ends `stall`."""
        self._cut_at = b""
        self._loop.call_soon_threadsafe(self._going.set)

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(OSError):
            inner, outer = await asyncio.open_connection("127.0.0.1", self.target)
            self._open.add(outer)
            back = asyncio.ensure_future(self._pass(inner, writer, watch=False))
            await self._pass(reader, outer, watch=True)
            back.cancel()
            self._open.discard(outer)
        writer.close()
        self._open.discard(writer)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watch: bool
    ) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(PIECE):
                await self._going.wait()
                writer.write(data)
                await writer.drain()
                if watch and self._cut_at and self._cut_at in data.upper():
                    await self._cut_this()
        with contextlib.suppress(OSError):
            writer.close()

    async def _cut_this(self) -> None:
        self._cut_at = b""
        self.cuts += 1
        self._going.clear()  # no answer passes while the database does what it was told
        await asyncio.sleep(HEARD_NO_MORE)
        await self._cut()
        self._going.set()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Self:
        threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()
        server = self._call(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._loop.call_soon_threadsafe(self._going.set)
        self._server = server
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._call(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
