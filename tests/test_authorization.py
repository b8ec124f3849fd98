"""Every route × every caller × own, foreign and guessed ids, generated from the URL resolver.

A route or method that is in no table fails. The rights of pages stand in the table beside the
pages (`mailape/web/tests/test_rights.py`), those of the API here; docs/api/README.md shows both
as one.

What must hold everywhere: without a good token or session nothing (401, or the sign-in page);
another workspace's object is 404 for everybody, whatever the role in one's own, as is one that is
not there; in one's own workspace with too low a role it is 403; and a refused call writes nothing.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from mailape.accounts import tokens
from mailape.accounts.models import ApiToken, Role
from mailape.core import clock, ids
from mailape.lists import suppress
from mailape.web.tests import worlds
from mailape.web.tests.test_rights import ADMINISTRATOR, ANYONE, MEMBERS
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person

# Once: who may do what is asked of no database in another way than of the other.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

VIEWER, EDITOR, ADMIN, OWNER = Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER
RANKS = [VIEWER, EDITOR, ADMIN, OWNER]
# The API: what each method of each route takes, and a body that it would accept.
API: dict[str, dict[str, tuple[Role | None, Any]]] = {
    "openapi": {"GET": (None, None)},
    "docs": {"GET": (None, None)},
    "me": {"GET": (VIEWER, None)},
    "senders": {"GET": (VIEWER, None)},
    "lists": {"GET": (VIEWER, None), "POST": (ADMIN, {"name": "New"})},
    "list": {
        "GET": (VIEWER, None),
        "PATCH": (ADMIN, {"name": "Other"}),
        "DELETE": (ADMIN, None),
    },
    "list-subscribers": {
        "GET": (VIEWER, None),
        "POST": (EDITOR, {"email": "new@example.org", "confirmed": True}),
    },
    "subscription": {"DELETE": (EDITOR, None)},
    "subscriber": {
        "GET": (VIEWER, None),
        "PATCH": (EDITOR, {"name": "Other"}),
        "DELETE": (ADMIN, None),
    },
    "messages": {
        "GET": (VIEWER, None),
        "POST": (EDITOR, {"lists": ["{list_id}"], "subject": "New", "body": "Text"}),
    },
    "message": {
        "GET": (VIEWER, None),
        "PATCH": (EDITOR, {"subject": "Other"}),
        "DELETE": (EDITOR, None),
    },
    "send": {"POST": (EDITOR, {})},
    "take-back": {"POST": (EDITOR, {})},
    "pause": {"POST": (EDITOR, {})},
    "resume": {"POST": (EDITOR, {})},
    "cancel": {"POST": (EDITOR, {})},
    "resend-unknown": {"POST": (EDITOR, {})},
    "leave-unknown": {"POST": (EDITOR, {})},
    "retry-failed": {"POST": (EDITOR, {})},
    "deliveries": {"GET": (VIEWER, None)},
    "suppressions": {
        "GET": (VIEWER, None),
        "POST": (ADMIN, {"domain": "new.example"}),
        "DELETE": (ADMIN, None),  # of the domain in QUERY
    },
    "suppression": {"DELETE": (ADMIN, None)},
    "system": {"GET": (VIEWER, None)},
}
# For the administrator of the instance, whatever her role; for all others it is not there.
HIDDEN = {"system"}
CASES = [
    (name, method)
    for name, methods in API.items()
    for method in methods
    if methods[method][0] and name not in HIDDEN
]
QUERY = {("suppressions", "DELETE"): "?value=example.net"}
# A draft can be neither paused nor resumed, nothing of it is in doubt: no question of rights.
NOT_OF_A_DRAFT = {"take-back", "pause", "resume", "cancel", "resend-unknown", "leave-unknown",
                  "retry-failed"}  # fmt: skip
KINDS = {
    "list_id": "list",
    "subscriber_id": "subscriber",
    "message_id": "message",
    "suppression_id": "suppression",
}
# What a call may write although it is refused: its own count, and when its token was last used.
BOOKKEEPING = re.compile(r'(core_ratecounter|"accounts_apitoken" SET "last_used_at"|SAVEPOINT)')
WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|CREATE|DROP|ALTER)\b", re.I)


def routes(under: URLResolver | None = None, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route of the site with its full name."""
    for pattern in (under or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, f"{pattern.namespace}:" if pattern.namespace else space)
        else:
            yield f"{space}{pattern.name}", pattern


def keys_of(name: str) -> list[str]:
    """The ids that a route's address holds."""
    return list(dict(routes())[name].pattern.converters)


def test_every_route_stands_in_exactly_one_table() -> None:
    known = {f"api:{name}" for name in API} | {
        f"web:{name}" for name in {**MEMBERS, **ANYONE, **ADMINISTRATOR}
    }
    assert {name for name, _ in routes()} == known
    assert not set(MEMBERS) & set(ANYONE)


def test_every_method_of_the_api_stands_in_the_table_with_its_role() -> None:
    for name, pattern in routes():
        if name.startswith("api:"):
            view = pattern.callback.view_class
            said = {m: role or VIEWER for m, (role, _) in API[name.removeprefix("api:")].items()}
            assert said == view.roles, name
            assert view.public == (None in {r for r, _ in API[name[4:]].values()})


@dataclass
class Target:
    """One workspace with one of everything, and the ids that paths name."""

    world: World
    ids: dict[str, str]

    def path(self, name: str, **others: str) -> str:
        wanted = keys_of(f"api:{name}")
        return reverse(f"api:{name}", kwargs={key: {**self.ids, **others}[key] for key in wanted})

    def body(self, name: str, method: str) -> bytes:
        given = API[name][method][1]
        if given is None:
            return b""
        return json.dumps(given).replace("{list_id}", self.ids["list_id"]).encode()


def target(owner: Person) -> Target:
    world = worlds.build(owner)
    row, _ = suppress.suppress(owner.workspace, "example.net")
    return Target(
        world,
        {
            "list_id": world.list.public_id,
            "subscriber_id": world.person.public_id,
            "message_id": world.draft.public_id,
            "suppression_id": row.public_id,
        },
    )


@pytest.fixture(scope="module")
def both(standing: Callable[[Callable[[], list[Target]]], list[Target]]) -> list[Target]:
    """Alice's and Charlie's, made once for all tests here."""
    return standing(lambda: [target(people.open_workspace(who)) for who in ("alice", "charlie")])


@pytest.fixture
def ours(both: list[Target], db: None) -> Target:
    return copy.deepcopy(both[0])


@pytest.fixture
def theirs(both: list[Target], db: None) -> Target:
    return copy.deepcopy(both[1])


def bearer(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


def tried(client: Client, method: str, url: str, body: bytes = b"") -> HttpResponse:
    """The answer to a call whose effect is undone. A refused one must have written nothing."""
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        answer = client.generic(method, url, body, "application/json")
        transaction.set_rollback(True)
    if answer.status_code in {401, 403, 404}:
        written = [q["sql"] for q in queries if WRITES.match(q["sql"])]
        assert [sql for sql in written if not BOOKKEEPING.search(sql)] == []
    return answer  # type: ignore[return-value]


def outsiders(member: Person) -> dict[str, Client]:
    """Those who have no good token or session."""
    revoked, revoked_text = tokens.add(member.member, "revoked")
    tokens.revoke(revoked)
    expired, expired_text = tokens.add(member.member, "expired")
    ApiToken.objects.filter(pk=expired.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    left = people.join(member, "left", OWNER)
    left_text = left.token()
    left.member.delete()
    asleep = people.join(member, "asleep", OWNER)
    asleep_text = asleep.token()
    type(asleep.user).objects.filter(pk=asleep.user.pk).update(is_active=False)
    return {
        "nobody": Client(),
        "a wrong token": bearer("ma_" + "x" * 43),
        "a revoked token": bearer(revoked_text),
        "an expired token": bearer(expired_text),
        "a token of one who left": bearer(left_text),
        "a token of one who is deactivated": bearer(asleep_text),
        "a session of one who is deactivated": asleep.client(),
    }


def insiders(owner: Person) -> dict[str, tuple[Role, Client]]:
    """Each role, by token and by session."""
    found = {}
    for role in RANKS:
        person = people.join(owner, f"the-{role}", role)
        found[f"{role} by token"] = (role, bearer(person.token()))
        found[f"{role} by session"] = (role, person.client())
    return found


def strangers_of_other_workspaces(theirs: Target) -> dict[str, Client]:
    """People with a good token elsewhere; one of them administers the instance."""
    low = people.join(theirs.world.owner, "low", VIEWER)
    admin = people.join(theirs.world.owner, "root", OWNER)
    admin.user.is_admin = True
    admin.user.save()
    return {
        "another's owner": bearer(theirs.world.owner.token()),
        "another's viewer": bearer(low.token()),
        "the instance's administrator": bearer(admin.token()),
        "another's owner by session": theirs.world.owner.client(),
    }


@pytest.mark.parametrize(("name", "method"), CASES)
def test_without_a_good_token_or_session_there_is_nothing(
    name: str, method: str, ours: Target
) -> None:
    guessed = {key: ids.public(kind, 10**6) for key, kind in KINDS.items()}
    for who, client in outsiders(ours.world.owner).items():
        for url in {ours.path(name), ours.path(name, **guessed)}:
            answer = tried(client, method, url, ours.body(name, method))
            assert answer.status_code == 401, who
            assert "WWW-Authenticate" in answer


@pytest.mark.parametrize(("name", "method"), CASES)
def test_each_role_may_what_its_rank_allows_and_no_more(
    name: str, method: str, ours: Target
) -> None:
    least, url = API[name][method][0], ours.path(name) + QUERY.get((name, method), "")
    for who, (role, client) in insiders(ours.world.owner).items():
        answer = tried(client, method, url, ours.body(name, method))
        if RANKS.index(role) < RANKS.index(least):
            assert answer.status_code == 403, who
            assert answer.json()["code"] == "not_allowed"
        else:
            allowed = {409} if name in NOT_OF_A_DRAFT else {200, 201, 202, 204}
            assert answer.status_code in allowed, who


@pytest.mark.parametrize(("name", "method"), [c for c in CASES if keys_of(f"api:{c[0]}")])
def test_foreign_and_guessed_ids_are_404_for_every_role(
    name: str, method: str, ours: Target, theirs: Target
) -> None:
    callers = {who: client for who, (_, client) in insiders(ours.world.owner).items()}
    owner = {"the owner": bearer(ours.world.owner.token())}
    for key in keys_of(f"api:{name}"):
        near = [theirs.ids[key], ids.public(KINDS[key], 10**6)]
        far = [ids.public("token", 1), "x", "1", "0" * 60, "%00", "..", "é", "'"]
        for guess in (*near, *far):
            url = ours.path(name, **{key: guess})
            for who, client in (callers if guess in near else owner).items():
                answer = tried(client, method, url, ours.body(name, method))
                assert answer.status_code == 404, (who, guess)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_from_another_workspace_ours_is_not_there(
    name: str, method: str, ours: Target, theirs: Target
) -> None:
    for who, client in strangers_of_other_workspaces(theirs).items():
        answer = tried(client, method, ours.path(name), ours.body(name, method))
        if keys_of(f"api:{name}"):
            assert answer.status_code == 404, who
        elif method == "GET":
            assert answer.status_code == 200, who
            shown = answer.content.decode()
            assert not [one for one in (*ours.ids.values(), "alice@") if one in shown], who


@pytest.mark.parametrize("name", sorted(HIDDEN))
def test_what_is_of_the_instance_is_for_its_administrator_alone(name: str, ours: Target) -> None:
    url = ours.path(name)
    for who, client in outsiders(ours.world.owner).items():
        assert tried(client, "GET", url).status_code == 401, who
    for who, (_, client) in insiders(ours.world.owner).items():
        assert tried(client, "GET", url).status_code == 404, who
    admin = people.join(ours.world.owner, "root", VIEWER)
    admin.user.is_admin = True
    admin.user.save()
    for client in (bearer(admin.token()), admin.client()):
        assert tried(client, "GET", url).status_code == 200
        assert tried(client, "POST", url).status_code == 405


def test_in_a_body_too_anothers_list_is_as_unknown_as_a_guessed_one(
    ours: Target, theirs: Target
) -> None:
    client = bearer(theirs.world.owner.token())
    body = theirs.body("messages", "POST").replace(
        theirs.ids["list_id"].encode(), ours.ids["list_id"].encode()
    )
    answer = tried(client, "POST", "/api/v1/messages", body)
    assert answer.status_code == 400
    assert answer.json()["errors"].keys() == {"lists"}


# --- pages ---------------------------------------------------------------------------------------

# One’s own, not the workspace’s: nobody else’s is found.
PERSONAL = {"token-revoke", "switch", "session-end"}
PAGES = [(name, method) for name, (methods, _) in MEMBERS.items() for method in methods.split()]


def page(world: World, name: str) -> str:
    return reverse(f"web:{name}", kwargs=world.kwargs(name))


@pytest.mark.parametrize(("name", "method"), PAGES)
def test_a_page_asks_those_without_a_session_to_sign_in(
    name: str, method: str, ours: Target
) -> None:
    for who, client in outsiders(ours.world.owner).items():
        answer = tried(client, method, page(ours.world, name))
        assert answer.status_code == 302, who
        assert answer["Location"].startswith("/sign-in"), who
    # A token is for the API: it opens no page, however good it is.
    answer = tried(bearer(ours.world.owner.token()), method, page(ours.world, name))
    assert answer.status_code == 302


@pytest.mark.parametrize(("name", "method"), PAGES)
def test_a_page_shows_each_role_what_its_rank_allows(name: str, method: str, ours: Target) -> None:
    least = MEMBERS[name][1]
    for role in RANKS:
        client = people.join(ours.world.owner, f"p-{role}", role).client()
        status = tried(client, method, page(ours.world, name)).status_code
        if name in PERSONAL:
            assert status == 404, role
        elif RANKS.index(role) < RANKS.index(least):
            assert status == 403, role
        else:
            assert status in {200, 302, 400, 409}, role


@pytest.mark.parametrize(("name", "method"), [c for c in PAGES if worlds.ROUTES[c[0]]])
def test_a_page_of_another_workspace_is_not_there(
    name: str, method: str, ours: Target, theirs: Target
) -> None:
    low = people.join(theirs.world.owner, "low", VIEWER)
    theirs.world.owner.user.is_admin = True
    theirs.world.owner.user.save()
    for person in (theirs.world.owner, low):
        assert tried(person.client(), method, page(ours.world, name)).status_code == 404


@pytest.mark.parametrize("name", [name for name, methods in ANYONE.items() if "GET" in methods])
def test_looking_at_a_page_for_everybody_writes_nothing(name: str, ours: Target) -> None:
    """GET and HEAD change nothing, on any link of any mail."""
    link: Callable[[], str] = {
        "subscribe": lambda: ours.world.list.public_id,
        "confirm": lambda: worlds.confirmation(ours.world.list, ours.world.person),
        "unsubscribe": lambda: ours.world.links.unsubscribe,
        "preferences": lambda: ours.world.links.preferences,
        "view": lambda: ours.world.links.click,
        "click": lambda: ours.world.links.click,
    }.get(name, lambda: "x" * 20)
    wanted = keys_of(f"web:{name}")
    url = reverse(f"web:{name}", kwargs={key: 0 if key == "number" else link() for key in wanted})
    for method in ("GET", "HEAD"):
        with CaptureQueriesContext(connection) as queries:
            Client().generic(method, url)
        written = [q["sql"] for q in queries if WRITES.match(q["sql"])]
        assert [sql for sql in written if not BOOKKEEPING.search(sql)] == []
