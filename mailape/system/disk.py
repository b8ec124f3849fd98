"""Room: the disk of the data folder, and what MailApe keeps on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

# A folder is measured by this many files at most: media may hold very many.
MOST_FILES = 20_000


@dataclass(frozen=True)
class Kept:
    """Something that takes room. `is_more` where there were too many files to measure them all."""

    name: str
    where: str
    octets: int
    is_more: bool = False


@dataclass(frozen=True)
class Disk:
    """The disk of the data folder, in octets, and what is kept."""

    folder: str
    total: int
    free: int
    kept: list[Kept]

    @property
    def used(self) -> int:
        return self.total - self.free


def look() -> Disk:
    """The disk as it is now. Raises OSError when the data folder cannot be read."""
    data = Path(settings.DATA)
    room = shutil.disk_usage(data)
    return Disk(str(data), room.total, room.free, list(_kept(data)))


def _kept(data: Path) -> Iterator[Kept]:
    yield _database(data)
    if settings.EMBEDDED_BROKER:
        yield Kept("broker", str(data / "broker.sqlite3"), _of_files(data, "broker.sqlite3"))
    for name in ("journal", "media", "log"):
        if (data / name).is_dir():
            yield Kept(name, str(data / name), *_of_folder(data / name))


def _database(data: Path) -> Kept:
    if settings.EMBEDDED_DATABASE:
        file = Path(str(settings.DATABASES["default"]["NAME"]))
        return Kept("database", str(file), _of_files(file.parent, file.name))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return Kept("database", "PostgreSQL", int(cursor.fetchone()[0]))


def _of_files(folder: Path, name: str) -> int:
    """A file of SQLite with those beside it: -wal, -shm."""
    found = (folder / f"{name}{end}" for end in ("", "-wal", "-shm"))
    return sum(file.stat().st_size for file in found if file.exists())


def _of_folder(folder: Path) -> tuple[int, bool]:
    octets = files = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                octets += os.lstat(os.path.join(top, name)).st_size
            except FileNotFoundError:
                continue  # the journal's files come and go
            files += 1
            if files >= MOST_FILES:
                return octets, True
    return octets, False
