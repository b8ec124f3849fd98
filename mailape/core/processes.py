"""Processes: who one is, whether it is surely dead, and dying together with its parent."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path

# The parent that a process of ours shall not outlive, by its pid.
PARENT = "MAILAPE_PARENT"
_PR_SET_PDEATHSIG = 1
_ENDED = {"Z", "X", "x"}


@lru_cache(maxsize=1)
def _place() -> tuple[str, str, str]:
    """Host name, boot and pid namespace: pids are comparable only where all three agree."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux, or /proc is hidden
        boot, space = "", ""
    return socket.gethostname().replace("/", "-")[:40], boot, "".join(filter(str.isdigit, space))


def _birth(pid: int) -> str:
    """When `pid` started, in clock ticks since the boot; empty where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold blanks and parentheses of its own.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in _ENDED else fields[19]


def identity() -> str:
    """A name of this process that no other process has, on this host or another, ever."""
    host, boot, space = _place()
    return f"{host}/{boot}/{space}/{os.getpid()}/{_birth(os.getpid())}"


def same_boot(name: str) -> bool:
    """Whether process `name` was started since this boot: its monotonic clock is ours."""
    return name.split("/")[1:2] == [_place()[1]]


def is_dead(name: str) -> bool:
    """Whether the process with this `identity()` is surely gone.

    False means "alive, or not for us to know": another host or container, or a name that is none.
    """
    parts = name.split("/")
    if len(parts) != 5 or tuple(parts[:3]) != _place() or not parts[3].isdigit():
        return False
    if _birth(os.getpid()):
        return _birth(int(parts[3])) != parts[4]  # another birth: the pid was given away again
    try:
        os.kill(int(parts[3]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def settle_down() -> None:
    """For a worker that has loaded all it needs: the garbage collector leaves that alone.

    Without it the collector goes through every class of Django again and again, because a sender
    makes thousands of tuples a second; sending is a sixth faster for it (decision 17). What it
    makes goes by reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def die_with_parent() -> None:
    """Ends this process, by SIGKILL, when the parent named in MAILAPE_PARENT ends.

    Does nothing without that variable, and takes it out of the environment, so that programs
    which this process starts do not look for the wrong parent. The kernel watches the THREAD that
    started us: a parent starts its children from its main thread, or they die with that thread.
    """
    parent = os.environ.pop(PARENT, "")
    if not parent.isdigit():
        return
    if not _kernel_kills_us():
        threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()
    # It may have ended before the kernel was asked to tell us.
    if os.getppid() != int(parent):
        os._exit(1)


def _kernel_kills_us() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
