"""Tracked links: from the mail to where its writer pointed, and nowhere else."""

from __future__ import annotations

import email
import email.policy
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mailape.campaigns import dispatch, write
from mailape.campaigns.models import Message
from mailape.core import links
from mailape.delivery import tasks
from mailape.delivery.models import DeliveryBatch, OutboxMail, SubscriberMessage
from mailape.lists import people as persons
from mailape.privacy.erase import erase
from mailape.web.tests.worlds import World

pytestmark = pytest.mark.django_db(transaction=True)

PLAIN = "https://orchard.example/way?a=1&b=2#gate"
HERS = "https://orchard.example/hello?who={{ subscriber.email }}&on={{ list.name }}"
BODY = f"""\
[the way]({PLAIN}) and [you]({HERS})

[leave]({{{{ unsubscribe_url }}}}), [write](mailto:mara@orchard.example)
"""


@pytest.fixture
def sent(world: World) -> Message:
    """A newsletter that went out to one person, through the engine."""
    draft = write.Draft(lists=[world.list], subject="Links", body=BODY)
    message = dispatch.send(write.create(world.owner.workspace, world.owner.user, draft))
    OutboxMail.objects.all().delete()
    tasks.build()
    tasks.send()
    message.refresh_from_db()
    assert message.status == "sent"
    return message


def clicks() -> list[str]:
    """The paths of the tracked links in the HTML of the one mail, in their order."""
    mail = email.message_from_bytes(
        bytes(OutboxMail.objects.get().content), policy=email.policy.default
    )
    html = mail.get_body(("html",)).get_content()
    return re.findall(r'href="https?://[^/"]+(/c/[^"]+)"', html)


def test_each_link_of_a_mail_leads_where_its_writer_pointed(sent: Message, stranger: Client):
    first, second = clicks()
    for call in (stranger.get, stranger.head):
        answer = call(first)
        assert (answer.status_code, answer["Location"]) == (302, PLAIN)
        assert answer.content == b""
    where = stranger.get(second)["Location"]
    assert where == "https://orchard.example/hello?who=vera%40example.org&on=Apples"


def test_the_token_goes_nowhere_and_nothing_is_kept_or_read(sent: Message, stranger: Client):
    path = clicks()[0]
    with CaptureQueriesContext(connection) as seen:
        answer = stranger.get(path)
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Robots-Tag"] == "noindex"
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    assert not [q for q in seen if not q["sql"].lstrip().startswith("SELECT")]
    assert not [q for q in seen if "session" in q["sql"]]


def test_what_was_altered_or_is_another_links_token_is_404(
    sent: Message, world: World, stranger: Client
):
    path = clicks()[0]
    token = path.split("/")[2]
    hers = links.for_person(sent.pk, world.person.pk)
    other = links.for_person(world.sent.pk, world.person.pk).click  # has no tracked link
    wrong = [token[:-1] + ("a" if token[-1] != "a" else "b"), token[:-1], "x", hers.unsubscribe,
             hers.preferences, hers.open, other, "0-0-0", "é"]  # fmt: skip
    for one in wrong:
        answer = stranger.get(f"/c/{one}/0")
        assert answer.status_code == 404, one
        assert "This link does not work" in answer.content.decode()
        assert "Location" not in answer
        assert answer["Referrer-Policy"] == "no-referrer"
    for number in ("2", "99", "-1", "x", "1e3", "0.0", "9" * 30, "9" * 5000, "", "0/1"):
        assert stranger.get(f"/c/{token}/{number}").status_code == 404, number


@pytest.mark.parametrize(
    "query",
    ["?url=https://evil.example", "?next=//evil.example", "?to=javascript:alert(1)", "?0=x"],
)
def test_nothing_in_the_request_says_where_to(sent: Message, stranger: Client, query: str):
    assert stranger.get(clicks()[0] + query)["Location"] == PLAIN
    headers = {
        "Host": "testserver",
        "X-Forwarded-Host": "evil.example",
        "Referer": "//evil.example",
    }
    assert stranger.get(clicks()[0], headers=headers)["Location"] == PLAIN


def test_a_person_cannot_make_it_lead_elsewhere(sent: Message, world: World, stranger: Client):
    """What she calls herself stays a value in the address that its writer gave."""
    _, hers = clicks()
    for name in ("@evil.example/", "\r\nSet-Cookie: a=b", "//evil.example", "#&on=x"):
        persons.change(world.person, first_name=name)
        where = stranger.get(hers)["Location"]
        assert where.startswith("https://orchard.example/hello?who=")


def test_it_works_without_her_and_without_the_delivery(
    sent: Message, world: World, stranger: Client
):
    plain, hers = clicks()
    erase(world.person)
    assert stranger.get(plain)["Location"] == PLAIN
    assert "vera" not in stranger.get(hers)["Location"]
    SubscriberMessage.objects.filter(message=sent).delete()
    DeliveryBatch.objects.filter(message=sent).delete()
    assert stranger.get(plain)["Location"] == PLAIN
    assert stranger.get(hers)["Location"].startswith("https://orchard.example/hello?who=&on=Apples")


def test_it_works_after_the_message_was_taken_off_the_list(
    sent: Message, world: World, stranger: Client
):
    write.remove(sent)
    assert stranger.get(clicks()[0])["Location"] == PLAIN


def test_a_message_that_was_never_compiled_has_no_links(world: World, stranger: Client):
    for message in (world.sent, world.draft):
        token = links.for_person(message.pk, world.person.pk).click
        assert stranger.get(f"/c/{token}/0").status_code == 404


def test_a_long_address_and_one_beyond_ascii_arrive(world: World, stranger: Client):
    long = "https://orchard.example/?q=" + "x" * 3000
    body = f"[a]({long}) <a href='https://orchard.example/pfirsich-ä?q=\"<>'>b</a>\n"
    draft = write.Draft(lists=[world.list], subject="Long", body=body)
    dispatch.send(write.create(world.owner.workspace, world.owner.user, draft))
    OutboxMail.objects.all().delete()
    tasks.build()
    tasks.send()
    first, *rest = clicks()
    assert stranger.get(first)["Location"] == long
    for path in rest:
        where = stranger.get(path)["Location"]
        assert where.isascii()
        assert where.startswith("https://orchard.example/pfirsich-%C3%A4")


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/lists", "ftp://x/"]
)
def test_only_the_web_is_a_target_whatever_was_stored(sent: Message, stranger: Client, target: str):
    """Even if somebody wrote into the database: we never lead to a script or into ourselves."""
    stored = sent.revision.compiled
    stored["program"]["targets"][0] = target
    type(sent.revision).objects.filter(pk=sent.revision_id).update(compiled=stored)
    assert stranger.get(clicks()[0]).status_code == 404
