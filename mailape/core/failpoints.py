"""Named places where a test ends, halts or fails this process: for `chaos` alone.

    failpoints.reach("claimed")

Nothing happens there, at the price of one empty call, unless MAILAPE_FAILPOINTS named a folder when
the process began. Then a file of the place's name in that folder arms it. The first process that
gets there takes the file away, so that whoever is started next passes, and does what it says:

    kill        SIGKILL to itself
    stop        SIGSTOP to itself: somebody else has to let it go on
    wait 2.5    sleeps so many seconds
    fail        OSError: no space left on the device
    kill 17     the same when this process gets there for the 17th time since the place was armed

The variable is no setting, so it is not in the table of variables: no operator has a use for it.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

VARIABLE = "MAILAPE_FAILPOINTS"


class Points:
    """The places of this process, armed by files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._passed: dict[int, int] = {}  # how often, by the armed file's inode

    def reach(self, name: str) -> None:
        """Does what the file `name` says, if there is one and it is our turn."""
        path = self._folder / name
        try:
            words = path.read_text(encoding="ascii").split()
            inode = path.stat().st_ino
        except OSError:
            return
        if not words:
            return  # being written at this moment
        deed, number = words[0], float(words[1]) if len(words) > 1 else 1.0
        self._passed[inode] = self._passed.get(inode, 0) + 1
        if deed != "wait" and self._passed[inode] < number:
            return
        try:
            path.rename(path.with_name(f"{name}.{os.getpid()}.done"))
        except OSError:
            return  # another process was first
        _do(deed, number)


def _do(deed: str, number: float) -> None:
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif deed == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif deed == "wait":
        time.sleep(number)
    elif deed == "fail":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _nothing(name: str) -> None:
    pass


_folder = os.environ.get(VARIABLE, "")
reach: Callable[[str], None] = Points(Path(_folder)).reach if _folder else _nothing
