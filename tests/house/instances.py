"""Whole instances of MailApe in processes of their own, killed to the last one at the end.

instance = processes()                      # a data folder, a port, a database of its own
instance.migrate()                          # as after `mailape migrate`, by a copy
instance.run("user", "list")                # one command to its end
worker = instance.start("worker")           # a process that stays
instance.up()                               # or all of it: `mailape up`, until it is ready
instance.kill()                             # kill -9 of every process of it at once
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from tests.house import environment, parts, servers
from tests.house.environment import PASSWORD

MARK = "MAILAPE_TEST_MARK"
_numbers = itertools.count()


class Instance:
    """One instance: `data` and `folder` (its working directory), `port`, `url`, `variables`.

    It runs on the stack that the tests run on: the embedded default, or a PostgreSQL database and a
    Redis number of its own.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.data = folder, folder / "data"
        self.port = servers.free_port()
        self.mark = secrets.token_hex(8)
        self.started: list[subprocess.Popen[bytes]] = []
        self.accounts_at_once = 0  # how many owners to make in one go
        self._accounts: list[str] = []
        self.variables = {
            "MAILAPE_DATA": str(self.data),
            "PORT": str(self.port),
            MARK: self.mark,
            **variables,
        }

    @property
    def url(self) -> str:
        return self.variables.get("SITE_URL") or f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What its processes see: nothing of ours but what is no variable of MailApe."""
        names = {variable.name for variable in environment.VARIABLES}
        clean = {name: value for name, value in os.environ.items() if name not in names}
        return {**clean, "PYTHONPATH": str(environment.ROOT), **self.variables}

    def run(
        self, *words: str, given: str = "", check: bool = True, within: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """`mailape WORDS` to its end, `given` on standard input. A failure shows what it said."""
        done = subprocess.run(
            _mailape(*words), cwd=self.folder, env=self.environment, input=given,
            capture_output=True, text=True, timeout=within,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"mailape {' '.join(words)}: {done.stdout}{done.stderr}")
        return done

    def migrate(self) -> None:
        """As after `mailape migrate`: by a copy of one that was migrated, which takes no time."""
        original = _migrated()
        if url := self.variables.get("DATABASE_URL"):
            _create(url, original.variables["DATABASE_URL"])
        else:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy(original.data / "mailape.sqlite3", self.data)

    def restore(self, other: Instance) -> None:
        """Makes the database as a backup of the other's has it at this moment, and its keys."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if url := self.variables.get("DATABASE_URL"):
            _create(url)
            programs = parts.find_postgres()
            assert programs is not None
            dump = self.folder / "dump"
            source = other.variables["DATABASE_URL"]
            for words in (
                ["pg_dump", "--format=custom", f"--file={dump}", source],
                ["pg_restore", "--no-owner", f"--dbname={url}", str(dump)],
            ):
                subprocess.run([programs / words[0], *words[1:]], check=True, timeout=60)
            return
        with (
            contextlib.closing(sqlite3.connect(other.data / "mailape.sqlite3")) as source_db,
            contextlib.closing(sqlite3.connect(self.data / "mailape.sqlite3")) as copy,
        ):
            source_db.backup(copy)
        shutil.copy(other.data / "secret-key", self.data)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`mailape WORDS` as a process that stays, the leader of a group of its own."""
        return self.start_program(*_mailape(*words))

    def start_program(self, *command: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """Any program as a process of this instance: it sees its variables and dies with it."""
        log = self.folder / f"{len(self.started)}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*servers.dies_with_us(signal.SIGKILL), *command],
                cwd=cwd or self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def up(self, *words: str, within: float = 60) -> subprocess.Popen[bytes]:
        """`mailape up WORDS`, ready to serve."""
        process = self.start("up", *words)
        self.wait_ready(within, process)
        return process

    def wait_ready(
        self, within: float = 60, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        """Waits for 200 of /readyz: database, broker, migrations, a living worker."""
        end = time.monotonic() + within
        while self.status("/readyz") != 200:
            died = process is not None and process.poll() is not None
            if died or time.monotonic() > end:
                raise AssertionError(f"not ready:\n{self.output()[-4000:]}")
            time.sleep(0.1)

    def status(self, path: str, within: float = 5) -> int:
        """The status that a GET is answered with; 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=within)
        try:
            connection.request("GET", path, headers={"Host": urlsplit(self.url).netloc})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def output(self) -> str:
        """All that its processes wrote so far."""
        logs = sorted(self.folder.glob("*.log"))
        return "".join(f"── {log.name}\n{log.read_text(errors='replace')}" for log in logs)

    def wait_said(self, words: str, within: float = 20) -> str:
        """The output, once these words are in it: what is ready is not at once described."""
        end = time.monotonic() + within
        while words not in (said := self.output()):
            assert time.monotonic() < end, f"{words!r} is not in:\n{said[-4000:]}"
            time.sleep(0.05)
        return said

    def stop(
        self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM, within: float = 30
    ) -> int:
        """Sends a signal to that process alone, waits for its end, returns its exit code."""
        process.send_signal(number)
        try:
            return process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still there after {within} s:\n{self.output()[-4000:]}"
            ) from None

    def pids(self) -> list[int]:
        """Every living process of this instance, also one whose parent is gone."""
        mark = f"{MARK}={self.mark}".encode()
        return [pid for pid in _all_pids() if mark in _environment_of(pid)]

    def kill(self) -> None:
        """kill -9 of all its processes at once, and again of those that came meanwhile."""
        for _ in range(50):
            found = self.pids()
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self.started:
                process.poll()  # or a killed child would stay a zombie
            if not found:
                return
            time.sleep(0.02)
        raise AssertionError(f"could not kill {self.pids()}")

    def wait_gone(self, within: float = 5) -> None:
        """AssertionError when a process of this instance lives longer than `within` s."""
        end = time.monotonic() + within
        while alive := self.pids():
            if time.monotonic() > end:
                names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in alive]
                raise AssertionError(f"orphans: {names}")
            time.sleep(0.05)

    def plant(self, deed: str, email: str) -> dict[str, str]:
        """Runs a deed of the journeys' orchard in this account's workspace; what it made."""
        code = f"from tests.journeys.orchard import {deed}; {deed}({email!r})"
        said: dict[str, str] = json.loads(
            self.run("shell", "-c", code).stdout.strip().splitlines()[-1]
        )
        return said

    def open_account(self, email: str = "", *, admin: bool = False) -> tuple[str, str]:
        """A new owner with a workspace, by `mailape user add`: address and password."""
        if self.accounts_at_once and not email:
            return self._one_of_many(), PASSWORD
        email = email or f"owner{next(_numbers)}@example.org"
        flags = ["--admin"] if admin else []
        self.run("user", "add", email, "--password-stdin", *flags, given=PASSWORD + "\n")
        return email, PASSWORD

    def _one_of_many(self) -> str:
        """An owner made with others before: a process for each takes longer than most journeys."""
        if not self._accounts:
            self._accounts = [f"owner{next(_numbers)}@example.org"
                              for _ in range(self.accounts_at_once)]  # fmt: skip
            code = "from mailape.senders.open_account import open_account"
            calls = [f"open_account({email!r}, {PASSWORD!r})" for email in self._accounts]
            self.run("shell", "-c", "\n".join([code, *calls]))
        return self._accounts.pop()


_kept = contextlib.ExitStack()


@cache
def _migrated() -> Instance:
    """One instance of this run that was migrated and never started."""
    # Migrating asks no Redis: the numbers are for those that live.
    redis = {"REDIS_URL": os.environ["REDIS_URL"]} if os.environ["REDIS_URL"] else {}
    made = _kept.enter_context(instance(**redis))
    made.run("migrate", within=120)
    return made


def forget() -> None:
    """Removes what copies are made of, at the end of a run."""
    _kept.close()
    _migrated.cache_clear()


def _mailape(*words: str) -> list[str]:
    return [sys.executable, "-m", "mailape", *words]


def _all_pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if re.fullmatch(r"\d+", entry)]


def _environment_of(pid: int) -> bytes:
    # Another user's processes cannot be read, and a zombie's is empty.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes()
    return b""


@contextlib.contextmanager
def instance(**variables: str) -> Iterator[Instance]:
    """An instance with `variables` besides its own; at the end nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="mailape-instance-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if url := os.environ["DATABASE_URL"]:
            variables = {"DATABASE_URL": stack.enter_context(_database(url)), **variables}
            variables.setdefault("SECRET_KEY", os.environ["SECRET_KEY"])
        if (url := os.environ["REDIS_URL"]) and "REDIS_URL" not in variables:
            variables["REDIS_URL"] = _empty_redis(url)
        made = Instance(folder, **variables)
        stack.callback(made.kill)
        yield made


@contextlib.contextmanager
def _database(url: str) -> Iterator[str]:
    """A new, empty database on the PostgreSQL of the tests."""
    own = urlsplit(url)._replace(path=f"/mailape_{secrets.token_hex(6)}").geturl()
    _create(own)
    try:
        yield own
    finally:
        _drop(own)


def _create(url: str, copy_of: str = "") -> None:
    """Makes the database of this URL anew: empty, or as a copy."""
    _drop(url)
    template = f' TEMPLATE "{_name_in(copy_of)}"' if copy_of else ""
    _ask_server(f'CREATE DATABASE "{_name_in(url)}"{template}')


def _drop(url: str) -> None:
    _ask_server(f'DROP DATABASE IF EXISTS "{_name_in(url)}" WITH (FORCE)')


def _ask_server(statement: str) -> None:
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement)


def _name_in(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _empty_redis(url: str) -> str:
    import redis

    number = 8 + (environment.worker_number() % 4) * 2 + next(_numbers) % 2
    own = environment.redis_number(url, number)
    with redis.Redis.from_url(own) as connection:
        connection.flushdb()
    return own
