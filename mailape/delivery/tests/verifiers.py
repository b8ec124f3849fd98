"""Verifiers of DKIM that we did not write: dkimpy in Python, and OpenDKIM in C.

OpenDKIM runs once per look, in the foreground, with its keys from a file; no daemon, no DNS.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import subprocess
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailape.delivery.dkim import Signer
from tests.house import parts

HAS_NACL = importlib.util.find_spec("nacl") is not None


def record(signer: Signer) -> str:
    """The TXT record that publishes the signer's key."""
    public = signer.key.public_key()
    if isinstance(signer.key, Ed25519PrivateKey):
        kind, raw = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        kind, raw = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"


def by_dkimpy(mail: bytes, signers: list[Signer]) -> bool:
    """Whether dkimpy takes every signature of the mail for good.

    It needs PyNaCl for Ed25519; without it, only OpenDKIM looks at those.
    """
    records = {_place(signer): record(signer).encode() for signer in signers}

    def find(name: bytes, timeout: int = 5) -> bytes:
        return records[name.decode().rstrip(".")]

    try:
        return all(
            dkim.DKIM(mail).verify(idx=place, dnsfunc=find)
            for place, signer in enumerate(signers)
            if HAS_NACL or not isinstance(signer.key, Ed25519PrivateKey)
        )
    except dkim.DKIMException:
        return False


def by_opendkim(mail: bytes, signers: list[Signer], folder: Path) -> bool:
    """Whether OpenDKIM takes every signature of the mail for good."""
    keys, config, letter = folder / "keys", folder / "config", folder / "letter"
    keys.write_text("".join(f"{_place(signer)} {record(signer)}\n" for signer in signers))
    config.write_text(f"Mode v\nTestPublicKeys {keys}\nSocket inet:1@127.0.0.1\n")
    letter.write_bytes(mail)
    command = [needed(), "-x", str(config), "-vv", "-t", str(letter)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    results = re.findall(r"dkim=(\w+)[^;]*header\.s=(\S+)", told.stdout)
    return sorted(results) == sorted(("pass", signer.selector) for signer in signers)


def needed() -> str:
    """Where OpenDKIM is. Without it the test is skipped aloud, or fails where CI is set."""
    if (found := parts.OPENDKIM.find()) is not None:
        return str(found)
    tell = pytest.fail if os.environ.get("CI") else pytest.skip
    raise tell(f"no OpenDKIM here; add it: {parts.line_that_adds([parts.OPENDKIM])}")


def _place(signer: Signer) -> str:
    return f"{signer.selector}._domainkey.{signer.domain}"
