"""Whether the database still lies where it was filled, or was restored from a copy.

A copy does not know what was sent after it was made: who works on with it sends it once more. So
the database keeps two things that belong together only where it was filled, and a copy brings one
of them alone.

- PostgreSQL: a row that is written once, and beside it the transaction that wrote it (`xmin`) and
  the number of its database. Restoring a dump writes the row anew, in a transaction of its own;
  CREATE DATABASE … TEMPLATE copies it as it is, into a database with another number. Neither
  VACUUM FULL nor upgrading the server changes them, nor does a stand-by that takes over.
- SQLite: the number of the file (its inode), and a word that lies in the database and in a file
  beside it. `turn` changes both whenever something was sent, so an older copy has an older word,
  also where it was written over the file in place.

A copy of the whole server or disk cannot be told from the first one.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import Func, TextField

from mailape.core.filelock import FileLock
from mailape.core.models import InstanceSetting

_ANCHOR, _ORIGIN = "anchor", "origin"  # the names of two rows
_PATIENCE = 10.0  # seconds for the file beside the database; who holds it writes two words
_WORD = 16  # characters
_XMIN = Func(template="xmin::text", output_field=TextField())
_DATABASE = Func(
    template="(SELECT oid::text FROM pg_database WHERE datname = current_database())",
    output_field=TextField(),
)


def is_here() -> bool:
    """Whether this is the database that was filled here. One that nobody has settled is, from now
    on. Raises DatabaseError, OSError, TimeoutError."""
    noted, found = _look()
    if noted is None:
        settle()
        return True
    if _fits(noted, found):
        return True
    if (file := _file()) is None:
        return False
    with _beside(file):  # somebody may have been turning it
        return _fits(*_look())


def settle() -> None:
    """From now on the database belongs where it is."""
    file = _file()
    if connection.vendor == "postgresql":
        InstanceSetting.objects.bulk_create(
            [InstanceSetting(name=_ANCHOR, value=True)], ignore_conflicts=True
        )
        _note(_look()[1])
    elif file is not None:
        word = secrets.token_hex(_WORD // 2)
        with _beside(file) as lock, transaction.atomic():
            _write(lock, word)
            _note([os.stat(file).st_ino, word])


def turn() -> None:
    """Something was sent: a copy that was made until now is an older one. Does nothing where the
    database is a copy itself. Raises DatabaseError, OSError, TimeoutError."""
    if (file := _file()) is None:
        return
    new = secrets.token_hex(_WORD // 2)
    with _beside(file) as lock:
        with transaction.atomic():
            noted, found = _look()
            if noted is None or not _fits(noted, found):
                return
            _write(lock, noted[1] + new)  # both, until it is certain which
            _note([noted[0], new])
        _write(lock, new)


# --- what is compared -----------------------------------------------------------------------------


def _look() -> tuple[Any, Any]:
    """What the database says of where it was filled, and what can be seen of where it lies."""
    rows = InstanceSetting.objects.filter(name__in=[_ANCHOR, _ORIGIN])
    kept: dict[str, Any]
    if connection.vendor == "postgresql":
        kept = {row.name: row for row in rows.annotate(xmin=_XMIN, database=_DATABASE)}
        anchor = kept.get(_ANCHOR)
        found: Any = anchor and [anchor.database, anchor.xmin]
    else:
        kept, found = {row.name: row for row in rows}, _seen()
    return (kept[_ORIGIN].value if _ORIGIN in kept else None), found


def _fits(noted: Any, found: Any) -> bool:
    if noted is None or connection.vendor == "postgresql":
        return bool(noted == found)
    if found is None:
        return True
    (inode, word), (inode_now, words) = noted, found
    return bool(inode == inode_now and word in words)


def _seen() -> tuple[int, list[str]] | None:
    """The number of the file, and the words beside it; None where there is no file."""
    if (file := _file()) is None:
        return None
    try:
        text = _path(file).read_text("ascii", errors="replace")
    except FileNotFoundError:
        text = ""
    return os.stat(file).st_ino, [text[at : at + _WORD] for at in range(0, len(text), _WORD)]


def _note(found: Any) -> None:
    InstanceSetting.objects.update_or_create(name=_ORIGIN, defaults={"value": found})


# --- the file beside a database of SQLite ---------------------------------------------------------


def _file() -> Path | None:
    """The file of a database of SQLite; None where it lies in memory, and on PostgreSQL."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "postgresql" or ":memory:" in name or "mode=memory" in name:
        return None
    return Path(name)


def _path(file: Path) -> Path:
    return file.with_name(f"{file.name}-origin")


def _beside(file: Path) -> FileLock:
    return FileLock(_path(file), _PATIENCE)


def _write(lock: FileLock, words: str) -> None:
    """Writes the words and waits until they are on the disk: the database is, when it has them."""
    number = lock.fileno()
    os.pwrite(number, words.encode("ascii"), 0)
    os.ftruncate(number, len(words))
    os.fsync(number)
