"""The journal: a sending process's own append-only file of what went over the wire.

States are written to the database in lots, so a killed process takes with it what it knew of the
mails since the last lot. The journal keeps that: a line before the bytes with the final dot go out,
and a line when the answer has come. The next process of this host that finds the file without its
owner reads it, and then knows of every mail whether it was sent, was never begun, or is in doubt.

    C lease kind key fence account   a claim: number `lease` of this file is batch or delivery `key`
    D lease delivery                 its final dot goes out now
    A lease delivery what            the answer: a word for what it means, and the server's own
    W lease                          all outcomes of this claim are in the database

Each line ends with a checksum; what does not check is the torn tail of a process that died while it
wrote. A torn D means that the dot had not gone out, because the line is complete before the bytes
are handed over; a torn A leaves the mail in doubt.

A plain write() is enough for a killed process: the page cache is the kernel's. Power loss is what
`sync` is for, which costs one fdatasync for a whole lot of mails.

The owner holds an flock on the file for as long as it lives, also while it is stopped by a signal:
nobody of this host takes over its leases before. The folder has an identity of its own, which is
part of each owner's name, because "this host" means "whoever sees this folder": two containers on
one volume, say.
"""

from __future__ import annotations

import os
import secrets
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from django.conf import settings

from mailape.core import failpoints
from mailape.core.filelock import FileLock

Kind = Literal["batch", "single"]
_ENDING = ".journal"
# A file is begun anew when it is longer than this and nothing in it is open any more.
ROTATE_AT = 16 * 1024 * 1024


class JournalBroken(Exception):
    """The journal cannot be written. Nothing more may be sent: it could not be recorded."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a lease of the journal is about: a batch or a single delivery, and its fence.

    `account_id` is the transport account that it goes out by.
    """

    kind: Kind
    key: int
    fence: int
    account_id: int = 0


@dataclass(slots=True)
class Left:
    """What a dead process left of one claim: dots without an answer, and answers unwritten."""

    claim: Claim
    doubtful: set[int] = field(default_factory=set)
    answers: dict[int, str] = field(default_factory=dict)


class Journal:
    """This process's own file. The worker's thread and the wire's both write to it."""

    def __init__(self, folder: Path) -> None:
        """Opens a new file in `folder`, which is made if need be. Raises JournalBroken."""
        self.folder = folder
        self._pid = os.getpid()
        try:
            self.folder_id = _identity(folder)
            self._path, self._lock = _new_file(folder)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError as fault:
            raise JournalBroken(f"The journal in {folder} cannot be opened: {fault}") from fault
        self._leases = 0
        self._heard: list[str] = []
        self._open: set[int] = set()
        self._loose = 0
        self._torn = False
        self._length = 0
        self._writing = threading.Lock()

    @property
    def owner(self) -> str:
        """The name that leases are taken under: `folder-id:file-name`."""
        return f"{self.folder_id}:{self._path.stem}"

    @property
    def is_clear(self) -> bool:
        """Whether every claim in it is in the database, and none there may be missing in it."""
        return not self._open and not self._loose

    @property
    def holds(self) -> bool:
        """Whether a claim in it is not in the database yet: a death now counts against that."""
        return bool(self._open)

    @property
    def is_gone(self) -> bool:
        """Whether the file has no name any more: it was closed, or its folder emptied or put back.
        Others then take its owner for one who is gone, and its leases."""
        return self._file < 0 or os.fstat(self._file).st_nlink == 0

    def taking(self) -> None:
        """A lease may become ours from now on: by a COMMIT whose answer never comes, say.

        Until `claim` or `took_nothing` the journal is not clear.
        """
        self._loose += 1

    def took_nothing(self) -> None:
        """What `taking` announced came to nothing."""
        self._loose -= 1

    def claim(self, claims: Sequence[Claim]) -> list[int]:
        """Notes what `taking` announced, as one claim or as several; returns the numbers of their
        leases in this file. Raises JournalBroken."""
        self._check_name()
        numbers = list(range(self._leases + 1, self._leases + 1 + len(claims)))
        self._leases += len(claims)
        self._write(
            [
                f"C {number} {claim.kind} {claim.key} {claim.fence} {claim.account_id}"
                for number, claim in zip(numbers, claims, strict=True)
            ]
        )
        self._open.update(numbers)
        self._loose = max(self._loose - 1, 0)
        return numbers

    def dots(self, lease: int, deliveries: Iterable[int]) -> None:
        """Notes that the final dots of these deliveries go out now: call it before the bytes do.

        Raises JournalBroken, and then they must not go out.
        """
        heard, self._heard = self._heard, []
        self._write([*heard, *[f"D {lease} {delivery}" for delivery in deliveries]])

    def answer(self, lease: int, delivery: int, what: str) -> None:
        """Notes what became of a delivery, in one line. Raises JournalBroken."""
        self.heard(lease, delivery, what)
        self.keep()

    def heard(self, lease: int, delivery: int, what: str) -> None:
        """As `answer`, but only the next `dots` or `keep` writes it: answers come with the leave
        for the next mail, and each write costs as much as all else that is said of a mail.

        For one thread, which calls `keep` before it waits for anything.
        """
        self._heard.append(f"A {lease} {delivery} {what}")

    def keep(self) -> None:
        """Writes what was only heard. Raises JournalBroken, and then nothing of it is kept."""
        lines, self._heard = self._heard, []
        self._write(lines)

    def written(self, leases: Iterable[int]) -> None:
        """Notes that the database has every outcome of these; now and then begins a new file.

        Raises JournalBroken.
        """
        over = self._open.intersection(leases)
        self._write([f"W {lease}" for lease in over])
        self._open -= over
        if not self._open and self._length > ROTATE_AT:
            os.ftruncate(self._file, 0)
            self._length = 0

    def sync(self) -> None:
        """Brings the file to the disk, for power loss. Raises JournalBroken."""
        self._check_name()
        try:
            os.fdatasync(self._file)
        except OSError as fault:
            raise JournalBroken(f"The journal cannot be written: {fault}") from fault

    def forget(self) -> None:
        """All that was open is settled. Raises JournalBroken."""
        self.written(list(self._open))
        self._loose = 0

    def left(self) -> list[Left]:
        """What this process itself has open, after it could not write to the database for long."""
        return read(self._path)

    def close(self) -> None:
        """Ends the journal. Its file is removed unless something in it is still open. After a fork
        the file is the parent's: its child lets go of its copy only."""
        if self._file < 0:
            return
        if not self._open and self._pid == os.getpid():
            with suppress(OSError):
                self._path.unlink()
        os.close(self._file)
        self._lock.close()
        self._file = -1

    def __del__(self) -> None:
        if hasattr(self, "_writing"):
            self.close()

    def _check_name(self) -> None:
        if self.is_gone:
            raise JournalBroken(f"The journal {self._path.name} was taken away.")

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        data = b"".join(map(_checked, lines))
        with self._writing:
            if self._torn:
                # The last write broke off in a line; this one must begin on its own. A line end
                # alone would make that line good if nothing but its end was missing.
                data = b"~\n" + data
            try:
                done = os.write(self._file, data)
            except OSError as fault:
                raise JournalBroken(f"The journal cannot be written: {fault}") from fault
            self._torn = done < len(data)
            self._length += done
        if self._torn:
            raise JournalBroken("The journal cannot be written: the disk is full.")


class _Mine(threading.local):
    pid = 0
    folder: Path | None = None
    journal: Journal | None = None


_mine = _Mine()


def folder() -> Path:
    """Where the journals of this instance lie. It must outlive the processes."""
    return Path(settings.DATA) / "journal"


def mine() -> Journal:
    """The journal of this process (and thread: tests have several workers in one process); a new
    one where the last was taken away.

    Raises JournalBroken when it cannot be opened.
    """
    kept = _mine.journal
    strange = _mine.pid != os.getpid() or _mine.folder != folder()
    if kept is None or strange or kept.is_gone:
        kept = _mine.journal = Journal(folder())
        _mine.pid, _mine.folder = os.getpid(), folder()
    return kept


@contextmanager
def orphan(folder: Path, name: str) -> Iterator[list[Left] | None]:
    """What journal `name` left, if its owner is gone; None while the owner lives.

    Locked for this process inside the block, so that nobody else replays it at the same time, and
    removed after a block that did not raise. A journal that is not there left nothing.
    """
    path = folder / f"{name}{_ENDING}"
    if not path.exists():
        yield []
        return
    lock = FileLock(path, timeout=0)
    try:
        if not lock.try_take():
            yield None
            return
        # Whoever held the lock before may have settled it and taken it away.
        yield read(path) if path.exists() else []
        failpoints.reach("replayed")
        with suppress(FileNotFoundError):
            path.unlink()
    finally:
        lock.close()


def names(folder: Path) -> list[str]:
    """The journals that lie in `folder`, living or left, oldest first."""
    with suppress(FileNotFoundError):
        return sorted(path.stem for path in folder.glob(f"*{_ENDING}"))
    return []


def owner_of(folder: Path, name: str) -> str:
    """The name that the leases of journal `name` were taken under."""
    return f"{_identity(folder)}:{name}"


def is_ours(folder: Path, owner: str) -> bool:
    """Whether this owner's journal lies, or lay, in this folder: only then can we speak for it."""
    return owner.partition(":")[0] == _identity(folder)


def read(path: Path) -> list[Left]:
    """What the journal at `path` says of claims that are not all in the database yet."""
    claims: dict[int, Left] = {}
    with path.open("rb") as file:
        for raw in file:
            line = _verified(raw)
            if line is not None:
                _apply(claims, line)
    return list(claims.values())


def _apply(claims: dict[int, Left], line: str) -> None:
    sort, lease_text, *rest = line.split(" ", 3)
    lease = int(lease_text)
    if sort == "C":
        kind, numbers = rest[0], rest[1].split(" ")
        known: Kind = "batch" if kind == "batch" else "single"
        claims[lease] = Left(Claim(known, *map(int, numbers)))
    elif sort == "W":
        claims.pop(lease, None)
    elif lease in claims and sort == "D":
        claims[lease].doubtful.add(int(rest[0]))
    elif lease in claims and sort == "A":
        claims[lease].answers[int(rest[0])] = rest[1]
        claims[lease].doubtful.discard(int(rest[0]))


def _checked(line: str) -> bytes:
    raw = line.encode("utf-8", "replace")
    return b"%s %08x\n" % (raw, zlib.crc32(raw))


def _verified(raw: bytes) -> str | None:
    """The line without its checksum; None for a torn one."""
    line, blank, check = raw.rstrip(b"\n").rpartition(b" ")
    if not blank or not raw.endswith(b"\n") or check != b"%08x" % zlib.crc32(line):
        return None
    return line.decode()


def _identity(folder: Path) -> str:
    """The folder's own name, made once; whoever comes second reads the first one's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "identity"
    with suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    own = folder / f".identity-{secrets.token_hex(8)}"
    # On the disk before it has its name: after a power cut two hosts could both be called "".
    with own.open("w", encoding="ascii") as file:
        file.write(secrets.token_hex(6))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
    return path.read_text(encoding="ascii")


def _new_file(folder: Path) -> tuple[Path, FileLock]:
    """A new file under a lock. It gets its name only when it is locked, so that nobody ever sees
    a journal of a living process without its lock."""
    name = f"{os.getpid()}-{secrets.token_hex(6)}"
    hidden, path = folder / f".{name}", folder / f"{name}{_ENDING}"
    lock = FileLock(hidden, timeout=0)
    lock.try_take()
    hidden.rename(path)
    return path, lock
