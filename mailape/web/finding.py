"""What the way to everything finds: pages, deeds, lists, messages and people of one workspace.

Each group is one query with a bound, or none at all, so that it answers while one types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later

from mailape.accounts.access import allows
from mailape.accounts.models import Membership, Role, Workspace
from mailape.campaigns import access as campaigns
from mailape.core.errors import Invalid
from mailape.lists import access as lists
from mailape.lists import search
from mailape.web import navigation

EACH = 6  # of each group
SYSTEM = later("system settings versions status")
NEWEST = 2_000  # messages that are looked through; older ones have their own page


@dataclass(frozen=True)
class Place:
    """A page or a deed that is there for every workspace."""

    route: str
    label: Any
    icon: str
    role: Role = Role.VIEWER
    words: Any = ""  # what people also call it
    administrator: bool = False  # of the instance


@dataclass(frozen=True)
class Found:
    """A line of what was found."""

    url: str
    label: str
    icon: str
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Lines of one kind under their heading."""

    title: str
    found: list[Found]


DEEDS = (
    Place("web:message-new", later("Write a message"), "pen", Role.EDITOR, later("new newsletter")),
    Place("web:list-new", later("Make a list"), "plus", Role.ADMIN, later("new")),
    Place("web:suppression-new", later("Suppress an address"), "ban", Role.ADMIN, later("block")),
    Place("web:invite", later("Invite somebody"), "person", Role.ADMIN, later("member new team")),
    Place("web:sender-new", later("Add a sender"), "mail", Role.ADMIN, later("from new")),
    Place("web:workspace-new", later("Make a workspace"), "plus", words=later("new brand")),
)
PAGES = (
    Place("web:members", later("Members"), "person", words=later("team roles invitations")),
    Place("web:senders", later("Senders"), "mail", words=later("from domains dkim")),
    Place("web:tokens", later("API tokens"), "key", words=later("keys scripts")),
    Place("web:account", later("Your account"), "person", words=later("password sessions profile")),
    Place("web:system-failures", later("Failed tasks"), "gauge", words=SYSTEM, administrator=True),
    Place("web:system-log", later("Log"), "gauge", words=SYSTEM, administrator=True),
    Place("web:system-instance", later("Instance"), "gauge", words=SYSTEM, administrator=True),
    Place("web:design", later("Design system"), "heart", words=later("parts components")),
)


def find(context: dict[str, Any], member: Membership, q: str) -> list[Group]:
    """What fits `q`, by kind; without `q` the places, the deeds and what is newest."""
    workspace = member.workspace
    groups = [
        Group(_("Actions"), [_line(one) for one in DEEDS if _fits(one, q) and _may(one, member)]),
        Group(_("Pages"), _pages(context, member, q)),
        Group(_("Lists"), _lists(workspace, q)),
        Group(_("Messages"), _messages(workspace, q)),
        Group(_("People"), _people(workspace, q) if q else []),
    ]
    kept = [
        Group(one.title, [line for line in one.found if line.url]) for one in groups if one.found
    ]
    return [one for one in kept if one.found]


def _may(place: Place, member: Membership) -> bool:
    return allows(member, place.role) and (member.user.is_admin or not place.administrator)


def _line(place: Place) -> Found:
    return Found(navigation.address(place.route), str(place.label), place.icon)


def _pages(context: dict[str, Any], member: Membership, q: str) -> list[Found]:
    sections = [
        Found(one.url, one.label, one.icon)
        for one in navigation.items(context)
        if _begins(q, [one.label])
    ]
    if not q:
        return sections
    return sections + [_line(one) for one in PAGES if _fits(one, q) and _may(one, member)]


def _lists(workspace: Workspace, q: str) -> list[Found]:
    found = lists.lists(workspace).order_by("-pk")
    if q:
        found = found.filter(name__icontains=q)
    return [
        Found(reverse("web:list", args=[one.public_id]), one.name, "list") for one in found[:EACH]
    ]


def _messages(workspace: Workspace, q: str) -> list[Found]:
    found = campaigns.newsletters(workspace)
    if q:
        newest = campaigns.newsletters(workspace).values("pk")[:NEWEST]
        found = found.filter(pk__in=newest, subject__icontains=q)
    return [
        Found(
            reverse("web:message", args=[one.public_id]),
            one.subject or _("Without a subject"),
            "mail",
            one.get_status_display(),
        )
        for one in found.only("pk", "subject", "status")[: EACH if q else 3]
    ]


def _people(workspace: Workspace, q: str) -> list[Found]:
    try:
        found = search.by_address(workspace.pk, q).order_by("email_key")[:EACH]
        return [
            Found(reverse("web:person", args=[one.public_id]), one.email, "people", one.name)
            for one in found
        ]
    except Invalid:
        return []  # no address can hold it, but a subject may


def _fits(place: Place, q: str) -> bool:
    return _begins(q, [str(place.label), str(place.words)])


def _begins(q: str, texts: Iterable[str]) -> bool:
    """Whether each word of `q` begins a word of the texts."""
    words = " ".join(texts).casefold().split()
    return all(any(word.startswith(part) for word in words) for part in q.casefold().split())
