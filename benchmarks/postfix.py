"""Postfix's own test tools, smtp-source and smtp-sink: the limit that we are measured against.

Debian's package `postfix` has them. To have the tools without a mail server on the machine:

    apt-get download postfix && dpkg -x postfix_*.deb /tmp/postfix
    python -m benchmarks.wire --postfix-bin /tmp/postfix/usr/sbin ...
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDERS = ("/usr/sbin", "/usr/lib/postfix/sbin")


def tool(name: str, folder: str | None) -> Path | None:
    """The path of a tool of Postfix: in `folder` where that is given, else where it may lie."""
    if folder is not None:
        return Path(folder) / name if (Path(folder) / name).is_file() else None
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_FOLDERS]))
    return Path(found) if found else None


def source_rate(
    source: Path, port: int, mails: int, size: int, sessions: int = 16, host: str = "127.0.0.1"
) -> float:
    """Mails per second of smtp-source with its connections kept (-d)."""
    command = [source, "-d", "-s", str(sessions), "-l", str(size), "-m", str(mails)]
    began = time.perf_counter()
    subprocess.run([*command, f"{host}:{port}"], check=True, env=_environment(source))
    return mails / (time.perf_counter() - began)


@contextmanager
def sink(path: Path) -> Iterator[int]:
    """smtp-sink on a free port; gives the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [path, *user, f"127.0.0.1:{port}", "1000"]
    process = subprocess.Popen(command, env=_environment(path))
    try:
        _wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("smtp-sink did not start")


def _environment(path: Path) -> dict[str, str]:
    """Unpacked and not installed, the tools' libraries lie beside them and not where they look."""
    libraries = path.parent.parent / "lib" / "postfix"
    if not libraries.is_dir() or re.match(r"^/usr/s?bin$", str(path.parent)):
        return dict(os.environ)
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
