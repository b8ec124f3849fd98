"""The secret key of the embedded default: made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def kept_secret(data: Path) -> str:
    """The key in `data`/secret-key, made at the first call, readable by its owner only.

    Two processes that start at once agree: the file is made complete under another name and
    linked into place, and whoever comes second reads the first one's.
    """
    path = data / "secret-key"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = data / f".secret-key-{os.getpid()}-{secrets.token_hex(4)}"
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(64))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()
    return path.read_text(encoding="ascii").strip()
