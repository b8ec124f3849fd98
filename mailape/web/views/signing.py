"""Keys that sign mail (DKIM): a workspace's domains, and, for the administrator, the instance's."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from mailape.accounts.models import Role, Workspace
from mailape.core.errors import Conflict, Invalid, NotFound
from mailape.senders import access, dkim
from mailape.senders.models import DkimAlgorithm, DkimKey, DkimState, TransportAccount
from mailape.web import doors, tell
from mailape.web.forms import text

RETIRED = 5  # of a domain's retired keys


def own_domain(workspace: Workspace, domain: str) -> str:
    """The domain, where it is one of the workspace's. Raises NotFound."""
    if domain not in access.domains(workspace):
        raise NotFound(_("None of your senders has an address there."))
    return domain


@doors.shows(Role.ADMIN, door=own_domain)
def domain(request: Any, domain: str) -> HttpResponse:
    """The keys of a domain, and what to publish for each."""
    context = {
        "section": "settings",
        "tab": "senders",
        "make_url": reverse("web:signing-make", kwargs={"id": domain}),
        **_keys(request.member.workspace, domain, "web:signing-key"),
    }
    return render(request, "web/settings/signing.html", context)


@doors.deed(Role.ADMIN, door=own_domain)
def make(request: Any, domain: str) -> HttpResponse:
    """Makes a key, which waits for its record."""
    _make(request, request.member.workspace, domain)
    return redirect("web:signing", id=domain)


@doors.deed(Role.ADMIN, door=access.dkim_key)
def key(request: Any, key: DkimKey) -> HttpResponse:
    """Looks for a key's record, switches it on, or retires it."""
    _act(request, key)
    return redirect("web:signing", id=key.domain)


@doors.administrator()
def instance(request: Any) -> HttpResponse:
    """The keys that sign account mail."""
    context = {
        "section": "system",
        "tab": "signing",
        "make_url": reverse("web:system-signing-make"),
        "sender": access.instance_from(),
        **_keys(None, access.instance_domain(), "web:system-signing-key"),
    }
    return render(request, "web/system/signing.html", context)


@doors.administrator("POST")
def instance_make(request: Any) -> HttpResponse:
    """Makes a key for the instance's own domain."""
    _make(request, None, access.instance_domain())
    return redirect("web:system-signing")


@doors.administrator("POST")
def instance_key(request: Any) -> HttpResponse:
    """Looks for a key's record, switches it on, or retires it."""
    try:
        _act(request, access.dkim_key(None, text(request.POST, "key")))
    except NotFound:
        tell.warn(request, _("There is no such key any more."))
    return redirect("web:system-signing")


def _make(request: Any, workspace: Workspace | None, domain: str) -> None:
    try:
        made = dkim.make(workspace, domain, text(request.POST, "algorithm"))
    except (Invalid, Conflict) as fault:
        tell.warn(request, str(fault))
    else:
        said = _("The key %s is made. Publish its record, then look for it.")
        tell.good(request, said % made.selector)


def _act(request: Any, key: DkimKey) -> None:
    match text(request.POST, "deed"):
        case "look":
            dkim.ask(key)
            tell.info(request, _("A worker asks the DNS now; this page shows what it found."))
        case "on":
            if dkim.switch_on(key):
                tell.good(request, _("%s signs from now on.") % key.selector)
        case "retire":
            if dkim.retire(key):
                said = _("%s is retired. Leave its record in the DNS for a week.")
                tell.good(request, said % key.selector)


def _keys(workspace: Workspace | None, domain: str, route: str) -> dict[str, Any]:
    """What the page shows of a domain's keys."""
    found = list(dkim.of(workspace, domain).order_by("-pk")) if domain else []
    live = [one for one in found if one.state != DkimState.RETIRED]
    return {
        "domain": domain,
        "keys": [_shown(one, route) for one in live],
        "signs": any(one.state == DkimState.SIGNS for one in live),
        "retired": [one for one in found if one.state == DkimState.RETIRED][:RETIRED],
        "algorithms": DkimAlgorithm.choices,
        "relay_signs": TransportAccount.objects.filter(relay_signs=True).exists(),
        "enough": len(live) >= dkim.MOST,
    }


def _shown(key: DkimKey, route: str) -> dict[str, Any]:
    of_instance = key.workspace_id is None
    return {
        "key": key,
        "url": reverse(route) if of_instance else reverse(route, kwargs={"id": key.public_id}),
        "name": dkim.record_name(key),
        "record": dkim.record(key),
        "split": dkim.record_split(key),
        "rows": 2 if key.algorithm == DkimAlgorithm.ED25519 else 6,
        "readable": dkim.is_readable(key),
        "waits": key.state == DkimState.WAITING,
        "found_right": key.found == "right",
    }
