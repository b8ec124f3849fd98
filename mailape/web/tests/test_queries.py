"""How often each page asks the database: exactly so often, whatever there is in it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mailape.accounts.models import Role
from mailape.delivery import outcome
from mailape.lists import manage, suppress
from mailape.senders.models import Sender
from mailape.web.tests import pages, worlds
from mailape.web.tests.worlds import World
from mailape.web.views import status
from tests.house import people

MOST = 16
FEW, MANY = 2, 7
GOOD = {200, 302, 404, 503}  # 404 of a set-up that is over, 503 of /readyz without a worker
# Each page, some of them in other lights: what makes a page dear is not seen without. Counted are
# reads and writes, without what begins and ends transactions and sets their limits: of those
# PostgreSQL needs more. With an empty cache, so that both stacks fetch the same.
TABLE = {
    "overview": 10,
    "lists": 7,
    "list-new": 3,
    "list": 7,
    "list?days=365": 7,
    "list-edit": 4,
    "subscribers": 10,
    "subscribers?q=r": 11,
    "subscribers?status=confirmed": 11,
    "subscribers?sort=email": 11,
    "subscriber-new": 4,
    "person": 8,
    "person-edit": 4,
    "person-erase": 6,
    "people": 8,
    "people?q=r": 13,
    "people?q=vera@": 11,
    "people?q=@example.org": 9,
    "people?status=confirmed": 9,
    "people?sort=name": 8,
    "people?since=2000-01-01": 8,
    "people-export": 7,
    "bulk": 4,
    "bulk-progress": 4,
    "suppressions": 4,
    "suppressions?q=s": 4,
    "suppression-new": 3,
    "messages": 5,
    "messages?q=letter": 5,
    "messages?status=sent": 5,
    "message-new": 8,
    "message-readers": 3,
    "message": 10,
    "message-edit": 9,
    "message-state": 4,
    "message-history": 5,
    "message-earlier": 5,
    "message-tests": 4,
    "images": 4,
    "image-remove": 5,
    "message-preview": 8,
    "message-html": 8,
    "message-send": 14,
    "message-later": 9,
    "message-looks": 8,
    "message-progress": 5,
    "message-retry": 6,
    "deliveries": 7,
    "deliveries?state=sent": 7,
    "deliveries?q=vera": 10,
    "deliveries-csv": 6,
    "delivery": 8,
    "outbox": 4,
    "outbox-mail": 4,
    "outbox-mail?view=text": 4,
    "outbox-html": 4,
    "go": 6,
    "go?q=vera": 6,
    "overview-now": 4,
    "design": 3,
    "design-ask": 3,
    "settings": 3,
    "members": 5,
    "senders": 7,
    "sender-new": 3,
    "sender-edit": 4,
    "signing": 7,
    "invite": 3,
    "member": 4,
    "member-remove": 4,
    "member-owner": 4,
    "members-leave": 5,
    "tokens": 4,
    "list-wording": 5,
    "list-wording-mail": 7,
    "list-wording-welcome": 7,
    "list-wording-page": 5,
    "workspace-new": 3,
    "account": 4,
    "account-close": 3,
    "system": 11,
    "system-failures": 4,
    "system-log": 3,
    "system-instance": 6,
    "system-limits": 5,
    "system-signing": 5,
    "setup": 3,
    "sign-in": 0,
    "sign-up": 1,
    "forgot": 0,
    "reset": 1,
    "sign-up-end": 2,
    "invitation": 2,
    "address-new": 1,
    "brand": 0,
    "logo": 1,
    "subscribe": 1,
    "confirm": 4,
    "unsubscribe": 3,
    "preferences": 4,
    "view": 3,
    "click": 3,
    "favicon": 0,
    "status": 4,
    "image": 2,
    "healthz": 0,
    "readyz": 4,
}
OTHERWISE = {  # on PostgreSQL
    "system-instance": 7,  # its version is asked of the server
}
_AROUND = re.compile(r"(?i)\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET LOCAL)\b")


@pytest.fixture
def world(world: World, settings: Any) -> World:
    """Alice is the instance's administrator, too, and everybody may open an account."""
    settings.SIGNUP_OPEN = True
    world.owner.user.is_admin = True
    world.owner.user.save()
    return world


def test_every_page_is_in_the_table():
    there = {*pages.OF_MEMBERS, *pages.OF_THE_ADMINISTRATOR, *pages.OF_ANYONE}
    assert {name.partition("?")[0] for name in TABLE} == there
    assert max(TABLE.values()) <= MOST


@pytest.mark.parametrize("number", [(FEW,), (FEW, MANY)], ids=["few", "many"])
def test_every_page_asks_exactly_so_often(world: World, number: tuple[int, ...]):
    for some in number:
        more(world, some)
    inside, outside = pages.of_members(world), pages.of_anyone(world)
    wrong = []
    table = TABLE | (OTHERWISE if connection.vendor == "postgresql" else {})
    for page, right in table.items():
        name, _, query = page.partition("?")
        url = f"{(inside | outside)[name]}?{query}"
        asked = statements(world.owner.client() if name in inside else Client(), url)
        if len(asked) != right:
            wrong.append(told(page, right, asked))
    assert not wrong, "\n\n".join(["", *wrong])


def statements(client: Client, url: str) -> list[str]:
    """What the page asks the second time that it is seen: the first notes that it was."""
    assert client.get(url).status_code in GOOD, url
    cache.clear()
    status.kept.forget()
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(url)
        if answer.streaming:
            list(answer.streaming_content)
    return [one["sql"] for one in seen if not _AROUND.match(one["sql"])]


def told(page: str, right: int, asked: list[str]) -> str:
    """What a failure says: the statements, from the table that each is of on."""
    lines = (re.sub(r"SELECT (?!COUNT).*? FROM", "SELECT … FROM", one)[:240] for one in asked)
    return "\n   ".join([f"{page}: {len(asked)} queries, and {right} in the table", *lines])


def more(world: World, number: int) -> None:
    """More of everything that a page may list."""
    owner = world.owner
    for n in range(number):
        text = f"{number}-{n}"
        which = manage.create(owner.workspace, f"List {text}")
        for m in range(3):
            worlds.on_list(which, f"r{text}-{m}@example.org", "Reader")
            worlds.on_list(world.list, f"r{text}-{m}@example.org")
        worlds.on_list(which, world.person.email)
        worlds.sent(owner, [which, world.list], subject=f"Letter {text}")
        worlds.outbox(owner, f"Mail {text}", f"r{text}-0@example.org")
        suppress.suppress(owner.workspace, f"s{text}.example")
        people.join(owner, f"m{text}", Role.EDITOR)
        owner.token()
        Sender.objects.create(workspace=owner.workspace, name=text, email=f"{text}@x.example")
    outcome.want(world.sent.pk)
    while outcome.one():
        pass
