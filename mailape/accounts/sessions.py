"""The browsers that a person is signed in with: listed, and ended one by one or all others.

The session is Django's; a row beside it says which browser it is. When it was seen is noted every
ten minutes at the most, so that looking at pages does not write each time. Its network address is
kept only where the operator turned the setting `session_network_address` on.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.utils.translation import gettext as _

from mailape.accounts.models import SignedIn, User
from mailape.core import clock, ids, network, rows
from mailape.core.models import InstanceSetting

KEEPS_ADDRESS = "session_network_address"
SEEN_EVERY = timedelta(minutes=10)
_SEEN = "seen"  # in the session: when it was last noted, in whole seconds


def begin(request: Any, user: User) -> None:
    """Notes the browser that just signed in, and forgets those of the user that ran out."""
    age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    SignedIn.objects.filter(user=user, seen_at__lt=clock.now() - age).delete()
    if not request.session.session_key:
        request.session.create()
    SignedIn.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={"user": user, "seen_at": clock.now(), **_about(request.META)},
    )
    request.session[_SEEN] = int(clock.now().timestamp())


def seen(request: Any) -> None:
    """Notes that this browser was seen, when the last note is older than ten minutes."""
    now = clock.now()
    if now.timestamp() - request.session.get(_SEEN, 0) < SEEN_EVERY.total_seconds():
        return
    request.session[_SEEN] = int(now.timestamp())
    SignedIn.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={"user": request.user, "seen_at": now, **_about(request.META)},
    )


def renamed(request: Any, old_key: str | None) -> None:
    """Django gave this session a new key: its row goes along."""
    SignedIn.objects.filter(session_key=old_key).update(session_key=request.session.session_key)


def listed(user: User) -> list[SignedIn]:
    """The user's browsers that are signed in, the last seen first."""
    age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    rows = SignedIn.objects.filter(user=user, seen_at__gt=clock.now() - age)
    return list(rows.order_by("-seen_at", "-pk")[:100])


def one(user: User, public_id: str) -> SignedIn:
    """The user's session with this opaque id. Raises NotFound, also for somebody else's."""
    return rows.first(
        SignedIn.objects.filter(user=user, pk=ids.private("session", public_id)),
        _("There is no such session."),
    )


def end(session: SignedIn) -> None:
    """Signs that browser out at its next step."""
    _end([session])


def end_all(user: User, but: str | None = None) -> int:
    """Ends the user's sessions, all or all but the one with the key `but`; returns how many."""
    return _end(list(SignedIn.objects.filter(user=user).exclude(session_key=but or "")))


def _end(rows: list[SignedIn]) -> int:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    with transaction.atomic():
        for row in rows:
            store(row.session_key).delete()  # from the cache, too
        SignedIn.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _about(meta: dict[str, Any]) -> dict[str, Any]:
    kept = InstanceSetting.objects.filter(name=KEEPS_ADDRESS).first()
    here = network.of(meta) if kept and kept.value else network.UNKNOWN
    agent = "".join(c for c in str(meta.get("HTTP_USER_AGENT", "")) if c.isprintable())
    return {
        "browser": agent[:300],
        "network_address": None if here == network.UNKNOWN else here,
    }


def _begun(sender: Any, request: Any, user: User, **more: Any) -> None:
    begin(request, user)


def _ended(sender: Any, request: Any, **more: Any) -> None:
    SignedIn.objects.filter(session_key=request.session.session_key or "").delete()


def listen() -> None:
    """Called once, when the app is ready: notes every sign-in and sign-out."""
    user_logged_in.connect(_begun, dispatch_uid="mailape.session.begun")
    user_logged_out.connect(_ended, dispatch_uid="mailape.session.ended")
