"""Every route × every role × own, foreign and guessed ids. A route that is not named here fails."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from mailape.accounts.models import Role
from mailape.web import urls
from mailape.web.tests import worlds
from mailape.web.tests.worlds import ROUTES, World
from tests.house import people
from tests.house.people import Person

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("first_world")]
VIEWER, EDITOR, ADMIN, OWNER = Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER
ORDER = [Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER]
# What each route of members answers to, and which role it takes.
MEMBERS: dict[str, tuple[str, Role]] = {
    "overview": ("GET", VIEWER),
    "switch": ("POST", VIEWER),
    "lists": ("GET", VIEWER),
    "list-new": ("GET POST", ADMIN),
    "list": ("GET", VIEWER),
    "list-edit": ("GET POST", ADMIN),
    "list-archive": ("POST", ADMIN),
    "list-restore": ("POST", ADMIN),
    "subscribers": ("GET", VIEWER),
    "subscriber-new": ("GET POST", EDITOR),
    "subscriber-end": ("POST", EDITOR),
    "person": ("GET", VIEWER),
    "person-edit": ("GET POST", EDITOR),
    "person-erase": ("GET POST", ADMIN),
    "people": ("GET", VIEWER),
    "people-columns": ("POST", VIEWER),
    "people-export": ("GET", ADMIN),
    "bulk-ask": ("POST", EDITOR),
    "bulk": ("GET POST", EDITOR),
    "bulk-progress": ("GET", EDITOR),
    "bulk-stop": ("POST", EDITOR),
    "bulk-undo": ("POST", EDITOR),
    "suppressions": ("GET", VIEWER),
    "suppression-new": ("GET POST", ADMIN),
    "suppression-lift": ("POST", ADMIN),
    "suppression-undo": ("POST", ADMIN),
    "messages": ("GET", VIEWER),
    "message-new": ("GET POST", EDITOR),
    "message-autosave-new": ("POST", EDITOR),
    "message-live": ("POST", EDITOR),
    "message-live-html": ("POST", EDITOR),
    "message-readers": ("GET", VIEWER),
    "message": ("GET", VIEWER),
    "message-edit": ("GET POST", EDITOR),
    "message-autosave": ("POST", EDITOR),
    "message-state": ("GET", EDITOR),
    "message-together": ("POST", EDITOR),
    "message-history": ("GET", EDITOR),
    "message-earlier": ("GET", EDITOR),
    "message-earlier-restore": ("POST", EDITOR),
    "message-copy": ("POST", EDITOR),
    "message-remove": ("POST", EDITOR),
    "message-restore": ("POST", EDITOR),
    "message-tests": ("GET", EDITOR),
    "images": ("GET POST", EDITOR),
    "image-describe": ("POST", EDITOR),
    "image-remove": ("GET POST", EDITOR),
    "message-preview": ("GET", VIEWER),
    "message-html": ("GET", VIEWER),
    "message-test": ("POST", EDITOR),
    "message-send": ("GET POST", EDITOR),
    "message-later": ("GET POST", EDITOR),
    "message-look": ("POST", EDITOR),
    "message-looks": ("GET", EDITOR),
    "message-take-back": ("POST", EDITOR),
    "message-progress": ("GET", VIEWER),
    "message-pause": ("POST", EDITOR),
    "message-resume": ("POST", EDITOR),
    "message-cancel": ("POST", EDITOR),
    "message-resend": ("POST", EDITOR),
    "message-leave": ("POST", EDITOR),
    "message-retry": ("GET POST", EDITOR),
    "deliveries": ("GET", VIEWER),
    "deliveries-csv": ("GET", EDITOR),
    "delivery": ("GET", VIEWER),
    "outbox": ("GET", VIEWER),
    "outbox-mail": ("GET", VIEWER),
    "outbox-html": ("GET", VIEWER),
    "go": ("GET", VIEWER),
    "overview-now": ("GET", VIEWER),
    "design": ("GET POST", VIEWER),
    "design-ask": ("GET POST", VIEWER),
    "settings": ("GET", VIEWER),
    "settings-save": ("POST", ADMIN),
    "members": ("GET", VIEWER),
    "settings-look": ("POST", ADMIN),
    "logo-remove": ("POST", ADMIN),
    "senders": ("GET", VIEWER),
    "sender-new": ("GET POST", ADMIN),
    "sender-edit": ("GET POST", ADMIN),
    "sender-default": ("POST", ADMIN),
    "sender-remove": ("POST", ADMIN),
    "sender-restore": ("POST", ADMIN),
    "signing": ("GET", ADMIN),
    "signing-make": ("POST", ADMIN),
    "signing-key": ("POST", ADMIN),
    "invite": ("GET POST", ADMIN),
    "member": ("GET POST", ADMIN),
    "member-remove": ("GET POST", ADMIN),
    "member-owner": ("GET POST", OWNER),
    "members-leave": ("GET POST", VIEWER),
    "invitation-again": ("POST", ADMIN),
    "invitation-withdraw": ("POST", ADMIN),
    "tokens": ("GET POST", VIEWER),
    "token-revoke": ("POST", VIEWER),
    "list-wording": ("GET POST", ADMIN),
    "list-wording-mail": ("GET", VIEWER),
    "list-wording-welcome": ("GET", VIEWER),
    "list-wording-page": ("GET", VIEWER),
    "workspace-new": ("GET POST", OWNER),
    "account": ("GET POST", VIEWER),
    "account-email": ("POST", VIEWER),
    "account-keep-email": ("POST", VIEWER),
    "account-password": ("POST", VIEWER),
    "account-close": ("GET POST", VIEWER),
    "session-end": ("POST", VIEWER),
    "sessions-end": ("POST", VIEWER),
}
ANYONE = {
    "setup": "GET POST",
    "sign-in": "GET POST",
    "sign-out": "POST",
    "sign-up": "GET POST",
    "forgot": "GET POST",
    "reset": "GET POST",
    "sign-up-end": "GET POST",
    "invitation": "GET POST",
    "address-new": "GET POST",
    "brand": "GET",
    "logo": "GET",
    "subscribe": "GET POST",
    "confirm": "GET POST",
    "unsubscribe": "GET POST",
    "preferences": "GET POST",
    "view": "GET POST",
    "click": "GET",
    "favicon": "GET",
    "status": "GET",
    "image": "GET",
    "healthz": "GET",
    "readyz": "GET",
}
# What stands in their addresses.
TOKEN = {"token": "x"}
OF_ANYONE = {
    **dict.fromkeys(["setup", "reset", "confirm", "unsubscribe", "preferences", "view"], TOKEN),
    **dict.fromkeys(["sign-up-end", "invitation", "address-new"], TOKEN),
    "subscribe": {"list": "the-list"},
    "click": {**TOKEN, "number": 0},
    "brand": {"colour": "0d6b50"},
    "logo": {"id": "x", "digest": "x"},
    "image": {"name": "x.png"},
}
# For the administrator of the instance; for everybody else there is nothing at these addresses.
ADMINISTRATOR = {
    "system": "GET",
    "system-failures": "GET",
    "system-ring": "POST",
    "system-hold": "POST",
    "system-release": "POST",
    "system-log": "GET",
    "system-instance": "GET",
    "system-status": "POST",
    "system-limits": "GET",
    "system-limits-save": "POST",
    "system-domain-set": "POST",
    "system-domain-remove": "POST",
    "system-full-speed": "POST",
    "system-signing": "GET",
    "system-signing-make": "POST",
    "system-signing-key": "POST",
}
# Own to one person, not to the workspace: nobody else's is found, whatever the role.
PERSONAL = {"token-revoke", "session-end"}
CASES = [(name, method) for name, (methods, _) in MEMBERS.items() for method in methods.split()]
WITH_ID = [(name, method) for name, method in CASES if ROUTES[name]]


def address(name: str, world: World) -> str:
    return reverse(f"web:{name}", kwargs=world.kwargs(name))


def call(client: Client, method: str, url: str):
    data = {"workspace": "x"} if method == "POST" else {}
    return (
        client.generic(method, url)
        if method == "HEAD"
        else getattr(client, method.lower())(url, data)
    )


def asks_to_sign_in(response) -> bool:
    return response.status_code == 302 and response["Location"].startswith("/sign-in")


def test_every_route_is_in_the_table():
    named = {pattern.name for pattern in urls.urlpatterns}
    assert named == set(MEMBERS) | set(ANYONE) | set(ADMINISTRATOR)
    assert set(ROUTES) == set(MEMBERS)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_a_stranger_is_asked_to_sign_in(name: str, method: str, world: World):
    assert asks_to_sign_in(call(Client(), method, address(name, world)))


@pytest.mark.parametrize(("name", "method"), CASES)
def test_each_role_may_do_what_its_rank_allows_and_no_more(name: str, method: str, world: World):
    least = MEMBERS[name][1]
    for role in ORDER:
        someone = people.join(world.owner, f"a-{role}", role)
        status = call(someone.client(), method, address(name, world)).status_code
        if name in PERSONAL or name == "switch":
            assert status == 404
        elif ORDER.index(role) < ORDER.index(least):
            assert status == 403, role
        else:
            assert status in {200, 302, 400, 409}, role
        if (
            name
            in {
                "person-erase",
                "list-archive",
                "message-remove",
                "suppression-lift",
                "image-remove",
                "member-remove",
                "members-leave",
            }
            and status == 302
        ):
            break  # it is gone now


@pytest.mark.parametrize(("name", "method"), WITH_ID)
def test_another_workspaces_object_is_not_found_even_for_an_owner(
    name: str, method: str, world: World, charlie: Person
):
    assert call(charlie.client(), method, address(name, world)).status_code == 404


@pytest.mark.parametrize(("name", "method"), WITH_ID)
def test_a_low_role_elsewhere_finds_nothing_either(
    name: str, method: str, world: World, charlie: Person
):
    """404 before 403: what is not mine must not be told apart from what is not there."""
    low = people.join(charlie, "low", Role.VIEWER)
    assert call(low.client(), method, address(name, world)).status_code == 404


@pytest.mark.parametrize(("name", "method"), WITH_ID)
def test_guessed_ids_are_not_found(name: str, method: str, world: World):
    own = world.kwargs(name)
    kinds = {"outbox": "outbox", "token": "token", "draft": "message", "message": "message",
             "list": "list", "person": "subscriber", "suppression": "suppression",
             "member": "membership", "invitation": "invitation", "sender": "sender",
             "session": "session", "delivery": "delivery", "dkim": "dkim",
             "domain": "list"}  # fmt: skip
    kinds |= {"image": "image", "version": "message"}
    kinds |= {"bulk": "bulk"}
    for part, what in ROUTES[name].items():
        if what not in kinds:
            continue
        for guess in (worlds.foreign(kinds[what]), "x", "1", "0" * 39, "%00", "..", "é"):
            url = reverse(f"web:{name}", kwargs={**own, part: guess})
            assert call(world.owner.client(), method, url).status_code == 404, (part, guess)


@pytest.mark.parametrize("name", [*MEMBERS, *(name for name in ANYONE if not name.endswith("z"))])
def test_other_methods_are_refused(name: str, world: World):
    methods = MEMBERS[name][0] if name in MEMBERS else ANYONE[name]
    if name in MEMBERS:
        url = address(name, world)
    else:
        url = reverse(f"web:{name}", kwargs=OF_ANYONE.get(name, {}))
        url = url.replace("the-list", world.list.public_id)
    client = world.owner.client()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(methods.split()):
        assert client.generic(method, url).status_code == 405, method


@pytest.mark.parametrize("name", [name for name, (m, _) in MEMBERS.items() if "POST" in m])
def test_every_write_of_a_member_needs_the_csrf_token(name: str, world: World):
    client = world.owner.client(enforce_csrf_checks=True)
    response = client.post(address(name, world))
    assert response.status_code == 403
    assert b"too old" in response.content


def test_who_works_nowhere_is_told_so_and_sees_nothing(alice: Person):
    alice.member.delete()
    for name in ("overview", "lists", "messages", "settings"):
        response = alice.client().get(reverse(f"web:{name}"))
        assert response.status_code == 403
        assert b"You are in no workspace" in response.content


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name, methods in ADMINISTRATOR.items() for method in methods.split()],
)
def test_the_system_is_for_the_administrator_of_the_instance_alone(
    name: str, method: str, alice: Person, bob: Person
):
    url = reverse(f"web:{name}")
    data = {"task": "delivery.wake", "on": "no", "domain": "x.example", "domain_per_hour": "9"}
    ask = (lambda client: client.get(url)) if method == "GET" else (lambda c: c.post(url, data))
    assert asks_to_sign_in(ask(Client()))
    for someone in (alice, bob):
        assert ask(someone.client()).status_code == 404
    bob.user.is_admin = True
    bob.user.save()
    assert ask(bob.client()).status_code in {200, 302}
    other = "POST" if method == "GET" else "GET"
    assert bob.client().generic(other, url).status_code == 405
    if method == "POST":
        refused = bob.client(enforce_csrf_checks=True).post(url, data)
        assert refused.status_code == 403


def test_the_administrator_of_the_instance_is_no_member_of_a_workspace(
    world: World, charlie: Person
):
    charlie.user.is_admin = True
    charlie.user.save()
    assert charlie.client().get(address("list", world)).status_code == 404
    assert charlie.client().get(address("outbox-mail", world)).status_code == 404
