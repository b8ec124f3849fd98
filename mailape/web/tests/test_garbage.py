"""Whatever somebody types into a form is taken, or refused with what was typed still there; and
what belongs to another workspace cannot be named in one."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import reverse

from mailape.accounts.models import Invitation, Membership
from mailape.campaigns.models import Image, Message
from mailape.lists.models import BulkDeed, MailingList, Subscriber, Subscription, Suppression
from mailape.senders.models import DkimKey, Sender
from mailape.web.tests import worlds
from mailape.web.tests.test_every_page import FILES
from mailape.web.tests.test_rights import ADMINISTRATOR, MEMBERS
from mailape.web.tests.worlds import ROUTES, World
from tests.house.people import Person

pytestmark = pytest.mark.usefixtures("first_world")
GARBAGE = {
    "long": "x" * 10_000,
    "letters": "🍎\u202eé\u200f\u0301\u2028ﷺ" * 40,
    "nul": "a\x00b\x01\x7f",
    "markup": "<b>\"'>{{ 7 }}{% if %}&amp;",
    "blanks": " \u00a0\u3000\t ",
    "number": "99999999999999999999999",
    "negative": "-1",
    "nothing": "",
    "not utf-8": b"\xff\xfe\xed\xa0\x80",
}
EXAMPLES = {"design", "design-ask"}  # what they are handed leads nowhere
PAGES = [
    name
    for name, (methods, _) in MEMBERS.items()
    if "GET" in methods and name not in FILES | EXAMPLES
]
SYSTEM = [name for name, methods in ADMINISTRATOR.items() if "GET" in methods]
TRAP = "website"  # for machines that fill in forms: no person sees it
NO_TEXT = {"file", "submit", "button", "checkbox", "radio", "password", "hidden"}


@dataclass
class Form:
    """A form as a page has it: where it goes, and what it would send untouched."""

    action: str
    method: str
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)  # kind and value, by name
    offered: dict[str, set[str]] = field(default_factory=dict)  # values to choose from, by name

    def untouched(self) -> dict[str, str]:
        return {name: value for name, (kind, value) in self.fields.items() if kind != "file"}


class _Reader(HTMLParser):
    """The forms of a page. A field may stand outside of its form and name it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.forms, self.named = url, [], {}
        self.form: Form | None = None
        self.select: tuple[Form, str] | None = None
        self.elsewhere: list[tuple[str, str, dict[str, str]]] = []

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.form = Form(given.get("action") or self.url, given.get("method", "get").lower())
            self.forms.append(self.form)
            self.named[given.get("id", "")] = self.form
        elif tag == "option" and self.select:
            self.option(*self.select, given)
        elif tag in {"input", "select", "textarea", "button"}:
            if "form" in given:
                self.elsewhere.append((given["form"], tag, given))
            elif self.form is not None:
                self.take(self.form, tag, given)

    def close(self):
        super().close()
        for form, tag, given in self.elsewhere:
            self.take(self.named[form], tag, given)

    def take(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "csrfmiddlewaretoken")
        if name == "csrfmiddlewaretoken":
            return
        kind = given.get("type", "text") if tag in {"input", "button"} else tag
        form.offered.setdefault(name, set()).add(given.get("value", ""))
        self.select = (form, name) if tag == "select" else None
        unchecked = kind in {"checkbox", "radio"} and "checked" not in given
        if not unchecked and (tag != "button" or name not in form.fields):
            form.fields[name] = (kind, given.get("value", ""))

    def option(self, form: Form, name: str, given: dict[str, str]) -> None:
        value = given.get("value", "")
        first = len(form.offered[name]) == 1  # of the select itself
        form.offered[name].add(value)
        if first or "selected" in given:
            form.fields[name] = ("select", value)

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None


def forms(client: Client, url: str) -> list[Form]:
    reader = _Reader(url)
    reader.feed(client.get(url).content.decode())
    reader.close()
    return reader.forms


def spoilt(form: Form) -> Iterator[tuple[str, str, dict[str, str | bytes]]]:
    """The form with one field after the other full of garbage, and with all of them."""
    clean = form.untouched()
    kinds = {name: form.fields.get(name, ("checkbox", ""))[0] for name in form.offered}
    texts = [name for name, kind in kinds.items() if kind not in {"file", "button"}]
    for kind, garbage in GARBAGE.items():
        for name in texts:
            yield name, kind, {**clean, name: garbage}
        yield "all", kind, {**clean, **dict.fromkeys(texts, garbage)}
    yield "all", "missing", {}


def sent(client: Client, form: Form, values: Mapping[str, str | bytes], look=lambda: None):
    """The answer, and what `look` sees after it; then what it changed is taken back."""
    data = urlencode(values)
    with transaction.atomic():
        if form.method == "post":
            kind = "application/x-www-form-urlencoded"
            answer = client.post(form.action, data, content_type=kind)
        else:
            answer = client.get(f"{form.action.partition('?')[0]}?{data}")
        seen = look()
        transaction.set_rollback(True)
    return answer, seen


def wrong(client: Client, form: Form) -> list[str]:
    found = []
    for name, kind, values in spoilt(form):
        try:
            answer, _seen = sent(client, form, values)
        except Exception as fault:
            found.append(
                f"{form.action} {name}: {kind} raised {type(fault).__name__} {fault}"[:300]
            )
            continue
        if answer.status_code >= 500:
            found.append(f"{form.action} {name}: {kind} is answered with {answer.status_code}")
        elif (
            answer.status_code == 400
            and form.method == "post"
            and not _kept(answer.content.decode(), form, values)
        ):
            found.append(f"{form.action} {name}: {kind} is refused, and what was typed is gone")
    return found


def _kept(page: str, form: Form, values: dict[str, str | bytes]) -> bool:
    """Whether each text stands in the page again, but for what no page can show."""
    if not page.startswith("<!"):
        return True  # for a script, which has it
    shown = html.unescape(page)
    for name, (kind, _value) in form.fields.items():
        typed = values.get(name, "")
        if kind in NO_TEXT | {"select"} or name == TRAP or isinstance(typed, bytes):
            continue
        if typed.replace("\x00", "").strip() not in shown:
            return False
    return True


@pytest.mark.parametrize("name", PAGES)
def test_no_garbage_breaks_a_form_or_is_lost(world: World, name: str):
    client = world.owner.client()
    url = reverse(f"web:{name}", kwargs=world.kwargs(name))
    assert [one for form in forms(client, url) for one in wrong(client, form)] == []


@pytest.mark.parametrize("name", SYSTEM)
def test_no_garbage_breaks_a_form_of_the_system(world: World, name: str):
    world.owner.user.is_admin = True
    world.owner.user.save()
    client = world.owner.client()
    url = reverse(f"web:{name}", kwargs=world.kwargs(name) if name in ROUTES else {})
    assert [one for form in forms(client, url) for one in wrong(client, form)] == []


def test_no_garbage_breaks_a_form_of_readers_and_strangers(world: World):
    stranger, tokens = Client(), world.links
    urls = [
        f"/subscribe/{world.list.public_id}", f"/u/{tokens.unsubscribe}",
        f"/p/{tokens.preferences}", "/sign-in", "/sign-up", "/forgot",
        f"/confirm/{worlds.confirmation(world.list, world.person)}",
    ]  # fmt: skip
    found = [one for url in urls for form in forms(stranger, url) for one in wrong(stranger, form)]
    assert found == []


@pytest.mark.parametrize("name", [name for name in PAGES if name in ROUTES])
def test_what_belongs_to_another_workspace_cannot_be_named_in_a_form(
    world: World, charlie: Person, name: str
):
    theirs = worlds.build(charlie, "Pears", "paul@example.org")
    own, foreign, before = ids_of(world), ids_of(theirs), state(theirs, world)
    client = world.owner.client()
    for form in forms(client, reverse(f"web:{name}", kwargs=world.kwargs(name))):
        for field_name, offered in form.offered.items():
            for kind in [kind for kind, public_id in own.items() if public_id in offered]:
                values = {**form.untouched(), field_name: foreign[kind]}
                answer, after = sent(client, form, values, lambda: state(theirs, world))
                said = f"{form.action} {field_name}: {answer.status_code}"
                assert answer.status_code < 500, said
                assert "Pears" not in answer.content.decode(), said
                assert after == before, said


def state(theirs: World, own: World) -> list[object]:
    """All that stands in their workspace, and what of ours points there."""
    workspace = theirs.owner.workspace
    tables = (MailingList, Subscriber, Message, Sender, DkimKey, Suppression, Membership,
              Invitation, Image, BulkDeed)  # fmt: skip
    rows = [list(one.objects.filter(workspace=workspace).order_by("pk").values()) for one in tables]
    on = Subscription.objects.filter(list=theirs.list).order_by("pk").values()
    mine = Message.objects.filter(workspace=own.owner.workspace)
    return [
        rows,
        list(on),
        mine.filter(sender=theirs.sender).count(),
        [one for one in mine if theirs.list.pk in one.audience.get("lists", [])],
        BulkDeed.objects.filter(workspace=own.owner.workspace, list=theirs.list).count(),
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_form_that_is_sent_twice_is_no_fault(world: World, name: str):
    client = world.owner.client()
    for form in forms(client, reverse(f"web:{name}", kwargs=world.kwargs(name))):
        if form.method == "post":
            with transaction.atomic():
                seen = [client.post(form.action, form.untouched()).status_code for _ in range(2)]
                transaction.set_rollback(True)
            assert max(seen) < 500, form.action


FILES_SENT = {
    "empty": (b"", "a.png"),
    "no picture": (b"x" * 5_000, "a.png"),
    "a page": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>x()</script></svg>", "a.svg"),
    "half a picture": (worlds.PNG[:40], "a.png"),
    "an odd name": (worlds.PNG, "../..\u202e\U0001f34e<b>" + "x" * 500 + ".png"),
}


@pytest.mark.parametrize("kind", FILES_SENT)
@pytest.mark.parametrize(("path", "name"), [("/images", "image"), ("/settings/look", "logo")])
def test_no_file_breaks_a_form(world: World, path: str, name: str, kind: str):
    content, called = FILES_SENT[kind]
    file = SimpleUploadedFile(called, content)
    answer = world.owner.client().post(path, {name: file, "accent": "#123456"})
    assert answer.status_code == (302 if kind == "an odd name" else 400)
    if path == "/settings/look" and answer.status_code == 400:
        assert "#123456" in answer.content.decode()


def ids_of(world: World) -> dict[str, str]:
    """The opaque ids in this world by kind of thing."""
    things = (
        world.list, world.person, world.draft, world.sent, world.sender, world.dkim,
        world.suppression, world.member, world.invitation, world.token, world.bulk,
    )  # fmt: skip
    found = {f"{type(one).__name__}{place}": one.public_id for place, one in enumerate(things)}
    return {**found, "image": world.image.token, "domain": world.dkim.domain}


def test_the_walk_meets_what_can_be_chosen(world: World):
    client, own = world.owner.client(), set(ids_of(world).values())
    met = {
        name: {
            field_name
            for form in forms(client, reverse(f"web:{name}", kwargs=world.kwargs(name)))
            for field_name, offered in form.offered.items()
            if offered & own
        }
        for name in ("message-edit", "people", "signing")
    }
    assert met == {
        "message-edit": {"lists", "sender"},
        "people": {"list", "pick"},
        "signing": {"key"},
    }
