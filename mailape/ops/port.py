"""The port that the web server listens on: whether it can be had."""

from __future__ import annotations

import errno
import socket
import time

PATIENCE = 2.0


class NotToBeHad(Exception):
    """The port cannot be listened on. Its text is one sentence that says what to do."""


def address_of(host: str) -> str:
    """The numeric address to listen on for `host`. Raises NotToBeHad for an unknown name."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError as fault:
        raise NotToBeHad(f"HOST {host} is no address of this machine: {fault.strerror}.") from fault
    # localhost is mostly both ::1 and 127.0.0.1; the latter is what links and proxies expect.
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return str(found[0][4][0])


def demand(host: str, port: int) -> str:
    """The address, if `port` can be listened on there. Raises NotToBeHad after two seconds.

    granian listens with SO_REUSEPORT, so a second server on the same port would start without a
    word and get every other request. This asks without that option and is refused.
    """
    address = address_of(host)
    end = time.monotonic() + PATIENCE
    while fault := _refused(address, port):
        if fault.errno != errno.EADDRINUSE or time.monotonic() > end:
            raise NotToBeHad(_sentence(fault, host, port))
        time.sleep(0.1)  # the server before may be on its way out
    return address


def _refused(address: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((address, port))
        except OSError as fault:
            return fault
    return None


def _sentence(fault: OSError, host: str, port: int) -> str:
    if fault.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program; stop it or set PORT."
    if fault.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} is not allowed for this user; set PORT to 1024 or more."
    return f"Cannot listen on {host}, port {port}: {fault.strerror}. Set HOST or PORT."


def answers(address: str, port: int) -> bool:
    """Whether somebody listens there now."""
    nearby = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared
    try:
        socket.create_connection((nearby, port), timeout=0.5).close()
    except OSError:
        return False
    return True
