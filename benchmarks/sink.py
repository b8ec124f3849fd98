"""A light SMTP sink in a process of its own: takes every mail, keeps none.

    python -m benchmarks.sink --port 2525 [--round-trip 20] [--chunking] [--no-pipelining]

It looks for nothing but commands and the end of each mail, so that it costs less than any client;
`--round-trip` holds back every answer for so many milliseconds, as a line of that length would.
With --port 0 it takes a free port and prints it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_END = b"\r\n.\r\n"
_ANSWERS = {
    b"QUIT": b"221 2.0.0 Bye\r\n",
    b"DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
}
_BDAT = re.compile(rb"BDAT (\d+) LAST")


@dataclass(frozen=True, slots=True)
class Manner:
    """What the sink offers, and how far away it is, in seconds."""

    pipelining: bool = True
    chunking: bool = False
    round_trip: float = 0.0

    @property
    def greeting(self) -> bytes:
        offers = [b"PIPELINING"] * self.pipelining + [b"CHUNKING"] * self.chunking
        return b"".join(b"250-%b\r\n" % word for word in [b"sink", *offers]) + b"250 SIZE 0\r\n"


class Sink(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._buffer = memoryview(bytearray(1 << 18))
        self._rest = b""
        self._in_content = False
        self._to_skip = 0
        self._late: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        answers = self._read(self._rest + bytes(self._buffer[:nbytes]))
        if not answers:
            return
        if self._manner.round_trip:
            self._late.append(b"".join(answers))
            asyncio.get_running_loop().call_later(self._manner.round_trip, self._write_late)
        else:
            self._transport.write(b"".join(answers))

    def _write_late(self) -> None:
        self._transport.write(self._late.popleft())

    def _read(self, data: bytes) -> list[bytes]:
        answers: list[bytes] = []
        at, length = 0, len(data)
        while at < length:
            if self._in_content:
                end = data.find(_END, at)
                if end < 0:
                    at = max(at, length - len(_END) + 1)
                    break
                at, self._in_content = end + len(_END), False
                answers.append(b"250 2.0.0 Ok: queued as 4b1TzY2cLzz\r\n")
            elif self._to_skip:
                skipped = min(self._to_skip, length - at)
                at, self._to_skip = at + skipped, self._to_skip - skipped
                if not self._to_skip:
                    answers.append(b"250 2.0.0 Ok: queued as 4b1TzY2cLzz\r\n")
            else:
                end = data.find(b"\n", at)
                if end < 0:
                    break
                answers += self._command(data[at:end])
                at = end + 1
        self._rest = data[at:]
        return answers

    def _command(self, line: bytes) -> list[bytes]:
        verb = line[:4].upper()
        if verb == b"EHLO":
            return [self._manner.greeting]
        if verb == b"BDAT" and (found := _BDAT.match(line)):
            self._to_skip = int(found.group(1))
            return []
        self._in_content = verb == b"DATA"
        return [_ANSWERS.get(verb, b"250 2.1.0 Ok\r\n")]


async def _serve(port: int, manner: Manner) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(manner), "127.0.0.1", port, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def own_sink(manner: Manner) -> Iterator[int]:
    """A sink in a process of its own; gives its port."""
    command = [sys.executable, "-m", "benchmarks.sink", "--port", "0"]
    command += ["--chunking"] * manner.chunking + ["--no-pipelining"] * (not manner.pipelining)
    command += ["--round-trip", str(manner.round_trip * 1000)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Runs until it is killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink", description=__doc__)
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--round-trip", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--chunking", action="store_true")
    parser.add_argument("--no-pipelining", action="store_true")
    given = parser.parse_args()
    manner = Manner(not given.no_pipelining, given.chunking, given.round_trip / 1000)
    asyncio.run(_serve(given.port, manner))


if __name__ == "__main__":
    main()
