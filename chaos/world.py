"""What a run begins with: two workspaces, lists, people, made by the product's own deeds.

Django must be set up for the rig's database before this module is imported.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.test import Client

from chaos.evidence import Act, Person
from mailape.accounts import tokens
from mailape.accounts.models import Membership
from mailape.delivery import limits
from mailape.lists import manage, subscribe
from mailape.lists.models import MailingList, Method
from mailape.lists.subscribe import Origin
from mailape.senders.models import Sender
from mailape.senders.open_account import open_account
from tests.house.environment import PASSWORD

SENDERS = 400
AT_ONCE = 100


def limit(per_second: int) -> None:
    """The operator allows so many mails a second; 0 is as many as there are."""
    if per_second:
        limits.set_account(
            limits.way_out(), per_second=per_second, per_hour=None, connections=None,
            mails_per_connection=None, relay_signs=False,
        )  # fmt: skip


@dataclass
class World:
    """Who and what is there. `senders` are the From addresses that no message has used yet."""

    owner: Membership
    token: str
    weekly: MailingList
    daily: MailingList
    strangers: MailingList  # of another workspace
    senders: list[tuple[str, str]]  # opaque id, address
    people: dict[str, Person] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)  # a person's opaque id by her address
    cookie: str = ""  # the owner's browser, signed in


def make(people: int, *, beyond_ascii: bool = False) -> World:
    """Two workspaces; `people` confirmed on the weekly list, some on both, a few elsewhere.

    With `beyond_ascii` some more have local parts that need SMTPUTF8.
    """
    owner = open_account("owner@chaos.example", PASSWORD, workspace_name="Chaos", admin=True)
    other = open_account("other@chaos.example", PASSWORD, workspace_name="Others")
    world = World(
        owner=owner,
        token=tokens.add(owner, "chaos")[1],
        weekly=manage.create(owner.workspace, "Weekly"),
        daily=manage.create(owner.workspace, "Daily"),
        strangers=manage.create(other.workspace, "Elsewhere"),
        senders=_senders(owner),
    )
    world.cookie = signed_in(owner)
    _join(world, world.weekly, [f"p{n}@d{n % 7}.example" for n in range(people)])
    if beyond_ascii:
        _join(world, world.weekly, [f"jürgen{n}@d{n % 7}.example" for n in range(people // 20)])
    # A tenth of them is on both lists: a message to both must reach each of them once.
    _join(world, world.daily, [f"p{n}@d{n % 7}.example" for n in range(0, people, 10)])
    _join(world, world.daily, [f"q{n}@d{n % 7}.example" for n in range(people // 10)])
    _join(world, world.strangers, [f"s{n}@other.example" for n in range(max(3, people // 20))])
    _wait_unconfirmed(world, [f"u{n}@d{n % 7}.example" for n in range(max(3, people // 20))])
    return world


def signed_in(owner: Membership) -> str:
    """The cookie of a browser in which the owner is signed in."""
    browser = Client()
    browser.force_login(owner.user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={browser.cookies[name].value}"


def _senders(owner: Membership) -> list[tuple[str, str]]:
    made = Sender.objects.bulk_create(
        Sender(workspace=owner.workspace, name="Chaos", email=f"m{n}@news.example")
        for n in range(SENDERS)
    )
    return [(one.public_id, one.email) for one in made]


def _join(world: World, to: MailingList, addresses: list[str]) -> None:
    origin = Origin(Method.OWNER, source="chaos")
    for start in range(0, len(addresses), AT_ONCE):
        began = time.time()
        with transaction.atomic():
            for address in addresses[start : start + AT_ONCE]:
                row, _ = subscribe.add(to, address, _name(address), origin, confirmed=True)
                person = world.people.setdefault(address, Person(address, to.workspace_id))
                person.acts.append(Act("joined", began, began, frozenset([to.pk])))
                world.ids[address] = row.subscriber.public_id


def _wait_unconfirmed(world: World, addresses: list[str]) -> None:
    """People who signed up and never confirm: they get one mail, and it is no newsletter."""
    origin = Origin(Method.FORM, source="chaos")
    for address in addresses:
        subscribe.sign_up(world.weekly, address, "", origin)
        world.people[address] = Person(address, world.weekly.workspace_id)


def _name(address: str) -> str:
    # Some with names that need encoding, so that copies can differ if anything does.
    number = sum(address.encode())
    return ["", "Ann", "Łucja Ónová", 'Eve "the" Fox', "日本 花子", "B. O'Neil, Jr."][number % 6]
