"""No page asks the database more often because there is more in it."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailape.accounts.models import Role
from mailape.lists import manage, suppress
from mailape.senders.models import Sender
from mailape.web.tests import test_rights as rights
from mailape.web.tests import worlds
from mailape.web.tests.worlds import ROUTES, World
from tests.house import people

MOST = 22
MANY = 7
ADMINISTRATOR = [name for name, methods in rights.ADMINISTRATOR.items() if "GET" in methods]
PAGES = [name for name, (methods, _) in rights.MEMBERS.items() if "GET" in methods]


def asked(client: Client, world: World) -> dict[str, int]:
    """How many queries each page takes, the second time that it is seen."""
    found = {}
    for name in [*PAGES, *ADMINISTRATOR]:
        url = reverse(f"web:{name}", kwargs=world.kwargs(name) if name in ROUTES else {})
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200, name
        found[name] = len(queries)
    return found


def test_no_page_takes_more_queries_when_there_is_more(world: World):
    world.owner.user.is_admin = True
    world.owner.user.save()
    more(world, 2)
    client = world.owner.client()
    few = asked(client, world)
    more(world, MANY)
    many = asked(client, world)
    assert {name: (few[name], many[name]) for name in few if many[name] > few[name]} == {}
    assert {name: number for name, number in many.items() if number > MOST} == {}


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
        Sender.objects.create(workspace=owner.workspace, name=text, email=f"{text}@x.example")
