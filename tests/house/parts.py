"""The programs that the suite needs besides Python: found, or installed where that is allowed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Part:
    """A program, how it is found, and the Debian package that holds it."""

    name: str
    package: str
    find: Callable[[], Path | None]


def _on_path(*names: str) -> Path | None:
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    return None


def find_postgres() -> Path | None:
    """The folder that holds initdb and postgres; of several versions the newest."""
    folders = sorted(
        (folder for folder in Path("/usr/lib/postgresql").glob("*/bin")),
        key=lambda folder: [int(n) for n in re.findall(r"\d+", str(folder))],
        reverse=True,
    )
    if on_path := _on_path("initdb"):
        folders.insert(0, on_path.resolve().parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def find_redis() -> Path | None:
    """redis-server or valkey-server."""
    return _on_path("redis-server", "valkey-server")


def find_chromium() -> Path | None:
    """Debian's Chromium, or a browser that is the same underneath."""
    return _on_path("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_python(name: str) -> Path | None:
    """A `python3.12`, say, that runs: on the path (a shim may not), or one of pyenv's own."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    own = sorted(pyenv.glob(f"versions/{name.removeprefix('python')}.*/bin/{name}"))
    for found in [_on_path(name), *reversed(own)]:
        if found and subprocess.run([found, "-V"], capture_output=True).returncode == 0:
            return found
    return None


def find_opendkim() -> Path | None:
    """A verifier of DKIM signatures that is not of our making; its folder is not on every path."""
    return _on_path("opendkim", "/usr/sbin/opendkim")


POSTGRES = Part("PostgreSQL", "postgresql", find_postgres)
REDIS = Part("Redis", "redis-server", find_redis)
CHROMIUM = Part("Chromium", "chromium", find_chromium)
OPENDKIM = Part("OpenDKIM", "opendkim", find_opendkim)


def line_that_adds(parts: list[Part]) -> str:
    """The one line that a person types to add what is missing."""
    who = "" if os.geteuid() == 0 else "sudo "
    return f"{who}apt-get install --no-install-recommends {' '.join(p.package for p in parts)}"


def provide(parts: list[Part]) -> list[Part]:
    """Installs what is missing where it may (root, with apt-get); returns what is missing still."""
    missing = [part for part in parts if part.find() is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(p.name for p in missing)} with apt-get.", flush=True)
        with _no_services_started():
            _apt_get("update")
            _apt_get("install", "--no-install-recommends", *[p.package for p in missing])
    return [part for part in missing if part.find() is None]


def _apt_get(*words: str) -> None:
    command = ["apt-get", "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=3", *words]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        print(f"apt-get {words[0]} failed:\n{done.stdout[-2000:]}", flush=True)


@contextlib.contextmanager
def _no_services_started() -> Iterator[None]:
    """Debian's packages start their servers when installed; the suite wants the programs only."""
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
