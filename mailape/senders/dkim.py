"""Keys that sign mail (DKIM): made, published, switched on, replaced, retired.

    make ─▶ waiting ──look: the record is there, or the owner's word──▶ signs ─▶ retired
                                                                          ▲          │
                                  a newer key of the same kind signs ─────┴──────────┘

A key signs only after a look into the DNS found its record, or after somebody took it upon himself:
mail that is signed with a key that nobody can find is treated like forged mail. The look is a task
(`senders.tasks`), because the DNS may let us wait.
"""

from __future__ import annotations

import base64
import re
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.models import Workspace
from mailape.core import bell, clock, vault
from mailape.core.errors import Conflict, Invalid
from mailape.senders.models import DkimAlgorithm, DkimFound, DkimKey, DkimState

# Keys of one domain that are not retired: two that sign, two that shall replace them.
MOST = 4
_PURPOSE = "dkim"
_TEXT = 255  # octets of one string in a TXT record (RFC 1035, 3.3.14)
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)*")


def make(workspace: Workspace | None, domain: str, algorithm: str) -> DkimKey:
    """A new key for this domain, which waits. The private key never leaves this instance.

    Raises Invalid for what is no domain or no kind of key, Conflict where there are too many.
    """
    if not _DOMAIN.fullmatch(domain):
        raise Invalid(_("This is no domain that could be signed for."), "domain")
    if algorithm not in DkimAlgorithm.values:
        raise Invalid(_("Choose one of the kinds of key."), "algorithm")
    if of(workspace, domain).exclude(state=DkimState.RETIRED).count() >= MOST:
        raise Conflict(_("There are enough keys for this domain. Retire one first."))
    private, public = _pair(algorithm)
    selector = "ma" + "".join(secrets.choice(_LETTERS) for _ in range(8))
    return DkimKey.objects.create(
        workspace=workspace,
        domain=domain,
        selector=selector,
        algorithm=algorithm,
        private_key=vault.seal(private, _PURPOSE, f"{selector}.{domain}"),
        public_key=base64.b64encode(public).decode(),
    )


def ask(key: DkimKey) -> None:
    """Asks for a look into the DNS. A key that waits is switched on when its record is there."""
    DkimKey.objects.filter(pk=key.pk).update(wanted_at=clock.now())
    bell.ring(bell.LOOK_UP)


def looked(key: DkimKey, found: DkimFound) -> None:
    """Notes what a look found, and switches a waiting key on whose record is there.

    Whoever has asked anew since `key` was read gets a look of his own.
    """
    row = DkimKey.objects.filter(pk=key.pk)
    row.update(found=found, looked_at=clock.now())
    row.filter(wanted_at=key.wanted_at).update(wanted_at=None)
    if found == DkimFound.RIGHT:
        switch_on(key, by_word=False)


@transaction.atomic
def switch_on(key: DkimKey, *, by_word: bool = True) -> bool:
    """The key signs from now on, and one of its kind that signed so far is retired.

    Says whether it was this call: only a key that waits can be switched on.
    """
    same = of(key.workspace, key.domain).filter(algorithm=key.algorithm)
    held = {one.pk: one for one in same.select_for_update(of=("self",)).order_by("pk")}
    if key.pk not in held or held[key.pk].state != DkimState.WAITING:
        return False
    for one in held.values():
        if one.state == DkimState.SIGNS:
            retire(one)
    DkimKey.objects.filter(pk=key.pk).update(
        state=DkimState.SIGNS, by_word=by_word, signs_since=clock.now()
    )
    return True


def retire(key: DkimKey) -> bool:
    """The key signs nothing any more and cannot be taken back: its private half is deleted.

    Its record should stay in the DNS for some days, for the mails that are on their way.
    """
    return bool(
        DkimKey.objects.filter(pk=key.pk)
        .exclude(state=DkimState.RETIRED)
        .update(state=DkimState.RETIRED, private_key=b"", retired_at=clock.now(), wanted_at=None)
    )


def of(workspace: Workspace | None, domain: str) -> QuerySet[DkimKey]:
    """The keys of this domain in this workspace, or the instance's own."""
    return DkimKey.objects.filter(workspace=workspace, domain=domain)


def signing_domains(workspace: Workspace | None) -> set[str]:
    """The domains for which a key signs."""
    found = DkimKey.objects.filter(workspace=workspace, state=DkimState.SIGNS)
    return set(found.values_list("domain", flat=True))


def to_look_up() -> QuerySet[DkimKey]:
    """Keys of which somebody wants to know whether their record is there."""
    return DkimKey.objects.filter(wanted_at__isnull=False)


def private_key(key: DkimKey) -> bytes:
    """The private key as PEM. Raises vault.Unreadable after a change of SECRET_KEY."""
    return vault.unseal(bytes(key.private_key), _PURPOSE, f"{key.selector}.{key.domain}")


def is_readable(key: DkimKey) -> bool:
    """Whether the private key can be used: not after a change of SECRET_KEY."""
    try:
        return bool(private_key(key))
    except vault.Unreadable:
        return False


# --- the record in the DNS -----------------------------------------------------------------------


def record_name(key: DkimKey) -> str:
    """Where the record stands."""
    return f"{key.selector}._domainkey.{key.domain}"


def record(key: DkimKey) -> str:
    """What the record says (RFC 6376, 3.6.1; RFC 8463)."""
    kind = "ed25519" if key.algorithm == DkimAlgorithm.ED25519 else "rsa"
    return f"v=DKIM1; k={kind}; p={key.public_key}"


def record_split(key: DkimKey) -> str:
    """The same as zone files write it: strings of at most 255 octets, each in quotes."""
    text = record(key)
    return " ".join(f'"{text[at : at + _TEXT]}"' for at in range(0, len(text), _TEXT))


def publishes(text: str, key: DkimKey) -> bool:
    """Whether a TXT record publishes this key, however it is spaced."""
    tags = {
        name.strip(): "".join(value.split())
        for name, found, value in (tag.partition("=") for tag in text.split(";"))
        if found
    }
    kind = "ed25519" if key.algorithm == DkimAlgorithm.ED25519 else "rsa"
    return tags.get("p") == key.public_key and tags.get("k", "rsa").lower() == kind


def _pair(algorithm: str) -> tuple[bytes, bytes]:
    """A private key as PEM, and its public half as the record has it."""
    if algorithm == DkimAlgorithm.ED25519:
        ed = Ed25519PrivateKey.generate()
        public = ed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return ed.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), public
    rsa = generate_private_key(65537, 2048)
    public = rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), public
