"""A name server on a loopback port that knows what a test tells it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset


class NameServer:
    """Answers about TXT records, and others by `rows`; `silent` lets everybody wait."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}  # by name, as a zone file has it
        self.rows: dict[tuple[str, str], str] = {}  # by name and type
        self.silent = False
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def resolver(self) -> dns.resolver.Resolver:
        """One that asks here."""
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], self.port
        return made

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                data, asker = self._socket.recvfrom(4096)
            except OSError:
                return
            if not self.silent:
                self._socket.sendto(self._answer(dns.message.from_wire(data)), asker)

    def _answer(self, question: dns.message.Message) -> bytes:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        name = question.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        known = {(name, "TXT"): text for name, text in self.records.items()} | self.rows
        if (name, kind) in known:
            found = dns.rrset.from_text(f"{name}.", 60, "IN", kind, known[name, kind])
            answer.answer.append(found)
        elif not any(name == other for other, _kind in known):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()


@contextmanager
def running() -> Iterator[NameServer]:
    """A name server while the block runs."""
    server = NameServer()
    try:
        yield server
    finally:
        server.close()
