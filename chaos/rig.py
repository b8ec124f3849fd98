"""A whole instance on loopback in a temporary folder, of which every part can be killed.

    with rig(Plan(stack="production")) as r:
        r.start()
        while ...:
            r.mind()        # starts again what died, as a supervisor would
        r.kill("send-1")

Processes are started from the thread that calls `mind`, because the kernel kills a child when the
thread that started it ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaos.evidence import Sample
from chaos.proxy import Proxy
from chaos.sink import Session, Sink
from mailape.core import failpoints
from tests.house import servers
from tests.house.instances import Instance
from tests.house.servers import Server

SECRET = "only-for-chaos-only-for-chaos-only-for-chaos-only-for-chaos"
SAMPLE_EVERY = 2.0
# Seconds until an empty database is migrated, and until everything runs: both take a tenth of that
# on a quiet machine, and are no part of what is measured.
MIGRATED_WITHIN, READY_WITHIN = 300.0, 180.0
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Plan:
    """What a rig consists of. `lease` in seconds; `proxied`: the database is behind a proxy."""

    stack: str = "embedded"  # or production: PostgreSQL and Redis
    senders: int = 2
    lease: float = 4.0
    proxied: bool = False
    small_disk: int = 0  # megabytes of a tmpfs under the data folder; 0: the ordinary disk
    small_database: int = 0  # the same under PostgreSQL's data
    extensions: tuple[str, ...] = ("PIPELINING",)
    smtputf8: bool = False  # offered, and some people's addresses need it
    size: int = 33_554_432  # of the largest mail that the mail server takes, in octets
    tls: bool = False  # demanded of the mail server, with a password
    per_second: int = 0  # a limit that the operator set; 0: none
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class Part:
    """One leader of the instance. `held` keeps it from being started again."""

    name: str
    words: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    next_start: float = 0.0
    held: bool = False
    stopped: bool = False  # by SIGSTOP
    asked_to_end: bool = False
    counted: bool = False  # its death, among the killed or those that nobody meant

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid


class CannotRig(Exception):
    """This machine lacks something that the plan needs. The text says what."""


class Rig:
    """The instance and what it stands on."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.points, self.clock = folder / "points", folder / "clock"
        self.points.mkdir()
        self.clock.write_text("0")
        login = {"starttls": True, "user": "ann", "password": "secret"} if plan.tls else {}
        offers: dict[str, Any] = {"extensions": plan.extensions, "smtputf8": plan.smtputf8}
        offers["size"] = plan.size
        self.sink = Sink(folder / "ledger.jsonl", **offers, **login)
        self.postgres: Server | None = None
        self.redis: Server | None = None
        self.postgres_folder: Path | None = None  # where it lies on a small disk of its own
        self.proxy: Proxy | None = None
        self.variables: dict[str, str] = {}
        self.database_url = ""  # past the proxy
        self.parts: dict[str, Part] = {}
        self.killed = 0
        self.ended: list[str] = []  # processes that nobody ended
        self.samples: list[Sample] = []
        self._sampled = 0.0
        self.clock_offset = 0.0
        self.moved_most = 0.0

    # --- building it ---

    def build(self) -> None:
        """Migrates an empty database; nothing runs yet."""
        names = {
            "SMTP_URL": self.sink.url,
            "DJANGO_SETTINGS_MODULE": "chaos.settings",
            "CHAOS_LEASE": str(self.plan.lease),
            "CHAOS_CLOCK": str(self.clock),
            failpoints.VARIABLE: str(self.points),
            "API_RATE_USER": "1000000/min",
            "API_RATE_ANON": "1000000/min",
            **({"SSL_CERT_FILE": str(self.sink.certificate)} if self.plan.tls else {}),
            **self.variables,
            **self.plan.variables,
        }
        self.instance = Instance(self.folder, **names)
        self.instance.data.mkdir(exist_ok=True)
        self.instance.run("migrate", within=MIGRATED_WITHIN)
        self._parts()

    def _parts(self) -> None:
        send = [f"send-{number}" for number in range(1, self.plan.senders + 1)]
        self.parts = {
            "web": Part("web", ("web",)),
            "wake": Part("wake", ("worker", "--queues", "wake")),
            **{name: Part(name, ("worker", "--queues", "send,bulk")) for name in send},
            "beat": Part("beat", ("beat",)),
        }

    def start(self) -> None:
        """Starts every part and waits until the instance is ready."""
        self.mind()
        self.instance.wait_ready(READY_WITHIN)

    # --- processes ---

    @property
    def senders(self) -> list[str]:
        return [name for name in self.parts if name.startswith("send")]

    def mind(self) -> None:
        """Starts what is not there and should be; looks at memory and files now and then."""
        now = time.monotonic()
        for part in self.parts.values():
            self._count(part)
            if not part.runs and not part.held and now >= part.next_start:
                part.process = self.instance.start(*part.words)
                part.started = now
                part.stopped = part.asked_to_end = part.counted = False
        if now - self._sampled > SAMPLE_EVERY:
            self._sampled = now
            self.samples += [s for p in self.parts.values() if p.runs and (s := _sample(p, now))]

    def _count(self, part: Part) -> None:
        """Counts a death once: one by SIGKILL, whoever sent it, or one that nobody meant."""
        code = part.process.poll() if part.process is not None else None
        if code is None or part.counted:
            return
        part.counted = True
        if code == -signal.SIGKILL:
            self.killed += 1
        elif not part.asked_to_end:
            self.ended.append(f"{part.name} ended by itself, exit code {code}")

    def kill(self, name: str, number: int = signal.SIGKILL, back_after: float = 0.0) -> bool:
        """Sends a signal to a part and all its children; it is started again after a while.

        Says whether there was anything to kill.
        """
        part = self.parts[name]
        part.next_start = time.monotonic() + back_after
        if not part.runs:
            return False
        children = _children(part.pid)
        for pid in [part.pid, *children]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGKILL:
            assert part.process is not None
            part.process.wait(10)
            self.killed += len(children)
            self._count(part)
        return True

    def kill_all(self, back_after: float = 0.0) -> int:
        """kill -9 of every process of the instance at once; says how many there were."""
        pids = self.instance.pids()
        for part in self.parts.values():
            part.next_start = time.monotonic() + back_after
            part.counted = True
        self.instance.kill()
        self.killed += len(pids)
        return len(pids)

    def terminate(self, name: str) -> None:
        """SIGTERM to the leader alone, as a supervisor does."""
        part = self.parts[name]
        if part.runs and part.process is not None:
            part.asked_to_end = True
            part.process.terminate()

    def stop(self, name: str) -> None:
        """SIGSTOP; `go_on` ends it."""
        part = self.parts[name]
        if part.runs:
            os.kill(part.pid, signal.SIGSTOP)
            part.stopped = True

    def go_on(self, name: str) -> None:
        """SIGCONT."""
        part = self.parts[name]
        if part.runs:
            os.kill(part.pid, signal.SIGCONT)
        part.stopped = False

    def go_on_all(self) -> None:
        """SIGCONT to everything that stands still, also where a fail point did it."""
        for name in self.parts:
            self.go_on(name)

    def client_of(self, session: Session) -> int | None:
        """The pid of ours at the other end of a connection to the mail server."""
        return _owner_of(session.peer_port, self.instance.pids())

    def kill_client(self, session: Session) -> None:
        """kill -9 of the process at the other end: the mail server's way to kill at a stage."""
        pid = self.client_of(session)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # which `mind` will notice

    # --- fail points, clock ---

    def arm(self, point: str, deed: str) -> None:
        """Arms a fail point in every process; see `mailape.core.failpoints`."""
        made = self.points / f".{point}"
        made.write_text(deed)
        made.rename(self.points / point)

    def disarm(self) -> list[str]:
        """Takes back what nobody reached; returns the names."""
        armed = [path for path in self.points.iterdir() if not path.name.endswith(".done")]
        for path in armed:
            path.unlink(missing_ok=True)
        return [path.name for path in armed]

    def done_points(self) -> list[str]:
        """The fail points that a process ran into, each time it did."""
        return sorted(path.name.split(".")[0] for path in self.points.glob("*.done"))

    def move_clock(self, seconds: float) -> None:
        """Sets the clock of all processes on, or back."""
        self.clock_offset += seconds
        self.moved_most = max(self.moved_most, abs(self.clock_offset))
        # In place and of one length, because every process keeps the file open.
        with self.clock.open("r+") as file:
            file.write(f"{self.clock_offset:.3f}".ljust(32))

    # --- the end ---

    def close(self) -> None:
        """Ends every process of the instance."""
        for part in self.parts.values():
            part.held = True
        if hasattr(self, "instance"):
            self.instance.kill()


@contextlib.contextmanager
def rig(plan: Plan) -> Iterator[Rig]:
    """A rig while the block runs; nothing of it is left afterwards. Raises CannotRig."""
    folder = Path(tempfile.mkdtemp(prefix="mailape-chaos-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Rig(plan, folder)
        stack.enter_context(made.sink)
        if plan.small_disk:
            stack.enter_context(_small_disk(folder / "data", plan.small_disk))
        if plan.stack == "production":
            _stores(made, stack)
        made.build()
        stack.callback(made.close)
        yield made


def _stores(made: Rig, stack: contextlib.ExitStack) -> None:
    less: dict[str, str] = {}
    if made.plan.small_database:
        # Beside the rig's folder, which PostgreSQL's user could not reach into.
        made.postgres_folder = made.folder.with_name(f"{made.folder.name}-postgres")
        stack.callback(shutil.rmtree, made.postgres_folder, ignore_errors=True)
        stack.enter_context(_small_disk(made.postgres_folder, made.plan.small_database))
        less = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
    made.postgres, url = stack.enter_context(servers.postgres_server(made.postgres_folder, **less))
    made.redis, redis_url = stack.enter_context(servers.redis_server())
    made.variables = {"DATABASE_URL": url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET}
    if made.plan.proxied:
        made.proxy = stack.enter_context(Proxy(made.postgres.port))
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        through = parts._replace(netloc=f"{login}@127.0.0.1:{made.proxy.port}")
        made.variables["DATABASE_URL"] = through.geturl()
    made.database_url = url


@contextlib.contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        raise CannotRig("a small disk needs root and the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


# --- /proc ---------------------------------------------------------------------------------------


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        found = [int(word) for word in text.split()]
        return found + [below for child in found for below in _children(child)]
    return []


def _sample(part: Part, now: float) -> Sample | None:
    with contextlib.suppress(OSError):
        resident = int(Path(f"/proc/{part.pid}/statm").read_text().split()[1]) * PAGE
        files = len(os.listdir(f"/proc/{part.pid}/fd"))
        return Sample(part.pid, part.name, now - part.started, resident / 1e6, files)
    return None


def _owner_of(port: int, pids: list[int]) -> int | None:
    """Which of these processes has a TCP connection from this local port."""
    inode = ""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            inode = f"socket:[{fields[9]}]"
    for pid in pids if inode else []:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{name}") == inode:
                        return pid
    return None
