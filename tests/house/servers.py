"""PostgreSQL and Redis, started for the suite on free loopback ports and stopped after it."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.house import parts

TRIES = 5
PATIENCE = 30.0  # seconds until a server must answer


class NotStarted(Exception):
    """A server did not come up. The text holds the end of its log."""


def free_port() -> int:
    """A loopback port that nobody listens on now. Another may take it before you do: try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Stack:
    """The servers of one run, as the variables that MailApe reads."""

    database_url: str
    redis_url: str

    def variables(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": secrets.token_urlsafe(48),
        }


@contextlib.contextmanager
def production_stack(keep: Path | None = None) -> Iterator[Stack]:
    """PostgreSQL and Redis while the block runs; with `keep` the database outlives it there."""
    with postgres(keep) as database_url, redis() as redis_url:
        yield Stack(database_url, redis_url)


@contextlib.contextmanager
def postgres(keep: Path | None = None) -> Iterator[str]:
    """A new PostgreSQL cluster, or the one in `keep`; gives the URL of its database `mailape`."""
    with postgres_server(keep, synchronous_commit="off") as (_, url):
        yield url


@contextlib.contextmanager
def postgres_server(keep: Path | None = None, **settings: str) -> Iterator[tuple[Server, str]]:
    """The same, with the server itself, to be stopped and started again meanwhile.

    What was committed outlives a kill of it, unless `synchronous_commit="off"`.
    """
    programs = parts.find_postgres()
    if programs is None:
        raise NotStarted("PostgreSQL is not installed")
    user = _server_user()
    with _folder(user, keep) as folder:
        password = _password(folder)
        if not (folder / "data").exists():
            _init_cluster(programs, folder, user, password)
        server = Server(
            lambda port: _postgres_command(programs, folder, port, settings), folder, user
        )
        with server:
            url = f"postgresql://mailape:{password}@127.0.0.1:{server.port}"
            _until(lambda: _create_database(url), folder)
            yield server, f"{url}/mailape"


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A new, empty Redis that writes nothing to disk; gives its URL."""
    with redis_server() as (_, url):
        yield url


@contextlib.contextmanager
def redis_server() -> Iterator[tuple[Server, str]]:
    """The same, with the server itself, which is empty after each start."""
    program = parts.find_redis()
    if program is None:
        raise NotStarted("Redis is not installed")
    password = secrets.token_hex(16)
    with _folder(None) as folder:

        def command(port: int) -> list[str]:
            # A file, because other users of the machine can read command lines.
            config = folder / "redis.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\nrequirepass {password}\n"
                f'save ""\nappendonly no\ndatabases 16\ndir "{folder}"\n'
            )
            return [str(program), str(config)]

        with Server(command, folder) as server:
            url = f"redis://:{password}@127.0.0.1:{server.port}"
            _until(lambda: _ping(url), folder)
            yield server, f"{url}/0"


def wait_for(url: str, within: float = PATIENCE) -> None:
    """Waits until the server behind this URL answers: it listens a little before it does.

    Raises what its client raised last.
    """
    attempt = _ping if url.startswith("redis") else _greet
    end = time.monotonic() + within
    while True:
        try:
            return attempt(url)
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root: the user it runs as, or None for our own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NotStarted("PostgreSQL needs a user other than root: adduser --system postgres")


def _password(folder: Path) -> str:
    """The cluster's password: made once, and readable by us alone."""
    kept = folder / "password.ours"
    if not kept.exists():
        kept.touch(0o600)
        kept.write_text(secrets.token_hex(16))
    return kept.read_text()


@contextlib.contextmanager
def _folder(user: str | None, keep: Path | None = None) -> Iterator[Path]:
    """A temporary folder that `user` owns and can reach, also when the clone lies in /root.

    With `keep` that one, which stays.
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if user:
            shutil.chown(keep, user)
        yield keep
        return
    top = Path(tempfile.gettempdir())
    if user and not all(folder.stat().st_mode & 0o001 for folder in [top, *top.parents]):
        top = Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="mailape-house-", dir=top))
    if user:
        shutil.chown(folder, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _init_cluster(programs: Path, folder: Path, user: str | None, password: str) -> None:
    given = folder / "password"
    given.write_text(password)
    given.chmod(0o600)
    if user:
        shutil.chown(given, user)
    done = subprocess.run(
        [
            programs / "initdb", "-D", folder / "data", "-U", "mailape", "-E", "UTF8",
            "--locale=C.UTF-8", "-A", "scram-sha-256", "--pwfile", given, "--no-sync",
        ],
        cwd=folder,
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    given.unlink()
    if done.returncode:
        raise NotStarted(f"initdb failed:\n{done.stdout}")


def _postgres_command(
    programs: Path, folder: Path, port: int, more: Mapping[str, str]
) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        **more,
    }
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(folder / "data"), *flags]


def _create_database(url: str) -> None:
    import psycopg

    with (
        psycopg.connect(f"{url}/postgres", autocommit=True, connect_timeout=2) as connection,
        contextlib.suppress(psycopg.errors.DuplicateDatabase),  # of a cluster that was kept
    ):
        connection.execute("CREATE DATABASE mailape")


def _greet(url: str) -> None:
    import psycopg

    psycopg.connect(url, connect_timeout=2).close()


def _ping(url: str) -> None:
    import redis as client

    with client.Redis.from_url(url) as connection:
        connection.ping()


class Server:
    """A server on a loopback port: on a free one at its first start, then always on that one."""

    def __init__(
        self, command: Callable[[int], list[str]], folder: Path, user: str | None = None
    ) -> None:
        self.port = 0
        self.user = user  # that it runs as, if not our own
        self.process: subprocess.Popen[bytes] | None = None
        self._command, self._folder = command, folder

    def start(self) -> None:
        """Starts it and waits until it listens. Raises NotStarted."""
        wanted = self.port
        for _ in range(TRIES):
            self.port = wanted or free_port()
            self.process = self._started()
            if _listens(self.process, self.port):
                return
            self.stop()
            time.sleep(0.2 if wanted else 0)
        raise NotStarted(_end_of_log(self._folder))

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stops it; SIGINT is a quick and clean stop for both. What does not follow is killed."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("wb") as log:
            return subprocess.Popen(
                [*dies_with_us(signal.SIGINT), *self._command(self.port)],
                cwd=self._folder,
                user=self.user,
                group=pwd.getpwnam(self.user).pw_gid if self.user else None,
                extra_groups=[] if self.user else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C is for us; the servers stop after the tests, not before.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def dies_with_us(number: signal.Signals) -> list[str]:
    """Words before a command that send it `number` when this process dies, even by kill -9."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", number.name.removeprefix("SIG")] if setpriv else []


def _listens(server: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    return False


def _until(attempt: Callable[[], None], folder: Path) -> None:
    """Repeats `attempt` until it raises nothing: a server listens a little before it answers."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except Exception as fault:
            if time.monotonic() > end:
                raise NotStarted(_end_of_log(folder)) from fault
            time.sleep(0.1)


def _end_of_log(folder: Path) -> str:
    return "the server did not start:\n" + (folder / "log").read_text(errors="replace")[-2000:]
