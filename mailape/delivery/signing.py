"""Who signs the mails of one lease, and the threads that do it.

A signature of RSA takes a quarter of a millisecond, ten times as long as all else about a mail, and
needs no interpreter meanwhile. So newsletters are made some ahead, in lots, by a few threads; the
thread that talks to the servers is never held up.

The domain that signs is that of the mail's own From (DMARC's strict alignment). A workspace signs
with keys of its own; the instance's keys sign what comes from the instance's own address. Where a
server of the way out signs itself, nobody does it here. A mail that should be signed and cannot be
does not go out: unsigned it might be refused everywhere, and that could not be taken back.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from email.utils import parseaddr
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from mailape.campaigns.models import Kind
from mailape.core import vault
from mailape.core.errors import Invalid
from mailape.delivery.dkim import Signer
from mailape.delivery.leases import Row
from mailape.delivery.transports.base import Mail
from mailape.senders import dkim as keys
from mailape.senders.access import instance_from
from mailape.senders.models import DkimKey, DkimState, TransportAccount

# Mails that one thread signs at a time, and how many such lots are ahead of what goes out.
LOT = 16
AHEAD = 4
Signers = tuple[Signer, ...]
Made = Mail | Exception
Keys = dict[tuple[int | None, str], list[DkimKey]]  # by workspace and domain


class CannotSign(Exception):
    """The mail should be signed and cannot be. Nobody is to blame but the instance."""


class Ring:
    """The keys that sign what goes out by an account, read once until they are to be forgotten."""

    def __init__(self, account_id: int = 0) -> None:
        self._account_id = account_id
        self._read: dict[frozenset[str], Keys] = {}

    def of(self, domains: frozenset[str]) -> Keys:
        """By workspace and domain; none where a server of the way out signs."""
        if domains not in self._read:
            keys = _keys(domains)
            self._read[domains] = {} if keys and _relay_signs(self._account_id) else keys
        return self._read[domains]

    def forget(self) -> None:
        """They are read anew when they are asked for."""
        self._read = {}


class Signing:
    """The signers of some compiled messages' mails; false where none of them is signed."""

    def __init__(self, compiled: Mapping[int, Mapping[str, Any]], ring: Ring) -> None:
        self._froms = {pk: one["from"]["email"] for pk, one in compiled.items()}
        self._instance = parseaddr(instance_from())[1]
        self._keys = ring.of(frozenset(map(_domain, self._froms.values())))
        self._known: dict[tuple[int | None, str], Signers] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def of(self, row: Row) -> Signers:
        """Who signs this mail; nobody where its domain has no key. Raises CannotSign."""
        email = self._froms.get(row.revision_id, "")
        domain = _domain(email)
        workspace = None if row.kind == Kind.ACCOUNT else row.workspace_id
        found = self._signers(workspace, domain)
        if not found and email == self._instance:
            found = self._signers(None, domain)
        return found

    def _signers(self, workspace: int | None, domain: str) -> Signers:
        place = workspace, domain
        if place not in self._known:
            self._known[place] = tuple(map(_signer, self._keys.get(place, [])))
        return self._known[place]


def ahead(
    rows: Iterable[Row], make: Callable[[Row], Mail]
) -> Iterator[tuple[Row, Callable[[], Mail]]]:
    """Each row, with what gives its mail; `make` runs in threads, some lots ahead.

    `make` must not touch the database: these threads have no business with connections.
    """
    rows, waiting = iter(rows), deque[tuple[list[Row], Future[list[Made]]]]()
    while lot := list(islice(rows, LOT)):
        waiting.append((lot, _threads(os.getpid()).submit(_made, lot, make)))
        if len(waiting) > AHEAD:
            yield from _in_turn(*waiting.popleft())
    for begun in waiting:
        yield from _in_turn(*begun)


def _made(lot: list[Row], make: Callable[[Row], Mail]) -> list[Made]:
    made: list[Made] = []
    for row in lot:
        try:
            made.append(make(row))
        except Exception as wrong:  # raised again where this mail is asked for
            made.append(wrong)
    return made


def _in_turn(
    lot: list[Row], making: Future[list[Made]]
) -> Iterator[tuple[Row, Callable[[], Mail]]]:
    for row, made in zip(lot, making.result(), strict=True):
        yield row, partial(_taken, made)


def _taken(made: Made) -> Mail:
    if isinstance(made, Exception):
        raise made
    return made


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:  # by process, because threads do not survive a fork
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="sign")


def _keys(domains: frozenset[str]) -> Keys:
    found: Keys = {}
    for key in DkimKey.objects.filter(domain__in=domains, state=DkimState.SIGNS).order_by("pk"):
        found.setdefault((key.workspace_id, key.domain), []).append(key)
    return found


def _relay_signs(account_id: int) -> bool:
    return TransportAccount.objects.filter(pk=account_id, relay_signs=True).exists()


def _signer(key: DkimKey) -> Signer:
    try:
        return _read(key.domain, key.selector, keys.private_key(key))
    except (vault.Unreadable, Invalid) as wrong:
        raise CannotSign(
            f"The DKIM key {key.selector} of {key.domain} cannot be read any more: was SECRET_KEY"
            " changed? Make a new key, or retire this one."
        ) from wrong


@lru_cache(maxsize=64)
def _read(domain: str, selector: str, pem: bytes) -> Signer:
    """A key as it signs: reading RSA checks it, which takes longer than many signatures."""
    return Signer.from_pem(domain, selector, pem)


def _domain(email: str) -> str:
    return email.rpartition("@")[2].lower()
