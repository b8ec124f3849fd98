"""Every page that can be looked at, with its address: for what must hold on each of them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from mailape.accounts import invitations, opening, profile, reset, workspaces
from mailape.accounts.models import Workspace
from mailape.delivery import compile, sources
from mailape.system import status
from mailape.web.tests import test_rights as rights
from mailape.web.tests import worlds
from mailape.web.tests.worlds import ROUTES, World

OF_MEMBERS = [name for name, (methods, _) in rights.MEMBERS.items() if "GET" in methods]
OF_THE_ADMINISTRATOR = [name for name, some in rights.ADMINISTRATOR.items() if "GET" in some]
OF_ANYONE = [name for name, methods in rights.ANYONE.items() if "GET" in methods]


def of_members(world: World) -> dict[str, str]:
    """The pages of who is signed in, and those of the administrator."""
    names = [*OF_MEMBERS, *OF_THE_ADMINISTRATOR]
    return {
        name: reverse(f"web:{name}", kwargs=world.kwargs(name) if name in ROUTES else {})
        for name in names
    }


def of_anyone(world: World) -> dict[str, str]:
    """The pages for everybody, each behind a link that works, but for the set-up that is over."""
    tokens = {
        "reset": reset.token(world.owner.user),
        "sign-up-end": opening.token("mara@example.org", "Mara", "Orchard"),
        "invitation": _invitation(world),
        "address-new": _new_address(world),
        **of_readers(world),
    }
    given: dict[str, dict[str, Any]] = {
        **rights.OF_ANYONE,
        **{name: {"token": token} for name, token in tokens.items()},
        **_by_other_names(world),
    }
    return {name: reverse(f"web:{name}", kwargs=given.get(name, {})) for name in OF_ANYONE}


def of_readers(world: World) -> dict[str, str]:
    """The tokens in a mail of the world's message, which is compiled, and in a confirmation."""
    if world.sent.revision is None:
        world.sent.body = "[Hello](https://orchard.example/)"
        world.sent.revision = compile.revision(world.sent, sources.newsletter(world.sent))
        world.sent.save(update_fields=["revision"])
    return {
        "confirm": worlds.confirmation(world.list, world.person),
        "unsubscribe": world.links.unsubscribe,
        "preferences": world.links.preferences,
        "view": world.links.click,
    }


def _invitation(world: World) -> str:
    link = invitations._new_link(world.invitation, world.owner.member)  # `again` has its limit
    return link.rpartition("/")[2]


def _new_address(world: World) -> str:
    user = world.owner.user
    user.new_email = "other@example.org"
    user.save(update_fields=["new_email"])
    return f"{user.public_id}.{profile._tokens.make_token(user)}"  # asking has its limit, too


def _by_other_names(world: World) -> dict[str, dict[str, Any]]:
    """What stands in the addresses without a token; and the status page is switched on."""
    status.switch(on=True)
    workspace = Workspace.objects.get(pk=world.owner.workspace.pk)
    workspaces.set_logo(workspace, worlds.PNG)
    return {
        "subscribe": {"list": world.list.public_id},
        "logo": {"id": workspace.public_id, "digest": workspace.logo_digest},
        "image": {"name": f"{world.image.token}{world.image.extension}"},
        "click": {"token": world.links.click, "number": 0},
    }
