"""Static files: collected into the data folder when they are missing or not those of this code."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from mailape.core.filelock import FileLock

PATIENCE = 120.0


def collect() -> bool:
    """Collects static files if need be; says whether there was need. Safe when two start at once.

    Files carry a hash in their names, so a server that runs meanwhile goes on serving its own.
    """
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(root.name + ".lock"), PATIENCE):
        stamp, wanted = root.with_name(root.name + ".stamp"), _fingerprint()
        if _read(stamp) == wanted and (root / "staticfiles.json").is_file():
            return False
        call_command("collectstatic", interactive=False, verbosity=0, stdout=io.StringIO())
        stamp.write_text(wanted, encoding="ascii")
    return True


def _fingerprint() -> str:
    """Name, size and time of every source file, in one hash."""
    found = hashlib.sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda each: str(each[0])):
            state = Path(storage.path(name)).stat()
            found.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
