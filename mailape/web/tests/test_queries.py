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
    "overview": 11,
    "lists": 8,
    "list-new": 4,
    "list": 8,
    "list?days=365": 8,
    "list-edit": 5,
    "subscribers": 11,
    "subscribers?q=r": 12,
    "subscribers?status=confirmed": 12,
    "subscribers?sort=email": 12,
    "subscriber-new": 5,
    "person": 9,
    "person-edit": 5,
    "person-erase": 7,
    "people": 9,
    "people?q=r": 14,
    "people?q=vera@": 12,
    "people?q=@example.org": 10,
    "people?status=confirmed": 10,
    "people?sort=name": 9,
    "people?since=2000-01-01": 9,
    "people-export": 7,
    "bulk": 5,
    "bulk-progress": 4,
    "suppressions": 5,
    "suppressions?q=s": 5,
    "suppression-new": 4,
    "messages": 6,
    "messages?q=letter": 6,
    "messages?status=sent": 6,
    "message-new": 9,
    "message-readers": 3,
    "message": 11,
    "message-edit": 10,
    "message-state": 4,
    "message-history": 6,
    "message-earlier": 6,
    "message-tests": 4,
    "images": 5,
    "image-remove": 6,
    "message-preview": 9,
    "message-html": 8,
    "message-send": 15,
    "message-later": 10,
    "message-looks": 8,
    "message-progress": 5,
    "message-retry": 7,
    "deliveries": 8,
    "deliveries?state=sent": 8,
    "deliveries?q=vera": 11,
    "deliveries-csv": 6,
    "delivery": 9,
    "outbox": 5,
    "outbox-mail": 5,
    "outbox-mail?view=text": 5,
    "outbox-html": 4,
    "go": 7,
    "go?q=vera": 7,
    "overview-now": 4,
    "design": 4,
    "design-ask": 4,
    "settings": 4,
    "members": 6,
    "senders": 8,
    "sender-new": 4,
    "sender-edit": 5,
    "signing": 8,
    "invite": 4,
    "member": 5,
    "member-remove": 5,
    "member-owner": 5,
    "members-leave": 6,
    "tokens": 5,
    "list-wording": 6,
    "list-wording-mail": 7,
    "list-wording-welcome": 7,
    "list-wording-page": 5,
    "workspace-new": 4,
    "account": 5,
    "account-close": 4,
    "system": 13,
    "system-failures": 5,
    "system-log": 4,
    "system-instance": 7,
    "system-limits": 6,
    "system-signing": 6,
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
    "system-instance": 8,  # its version is asked of the server
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
