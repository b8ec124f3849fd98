"""Looking back: the report, each mail's story, who did not get it, the file, trying again."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.accounts.models import Role
from mailape.campaigns.models import Message
from mailape.core import clock
from mailape.delivery import export, outcome, try_again
from mailape.delivery.models import DeliveryBatch, State, SubscriberMessage
from mailape.lists import manage, subscribe, suppress
from mailape.lists.models import Method, Subscriber, Subscription
from mailape.lists.subscribe import Origin
from mailape.web.meanings import meaning, why_skipped
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person

FULL = "552 5.2.2 Over quota, message AB12CD34"
GONE = "550 5.1.1 No such user here"


def path(message: Message, more: str = "") -> str:
    return f"/messages/{message.public_id}{more}"


@pytest.fixture
def over(world: World) -> Message:
    """A message to Vera (sent) and nine more: five full boxes, two gone, one left, one put off."""
    states = [
        *[{"state": "failed", "answer": FULL.replace("AB12", f"{n}B12")} for n in range(5)],
        *[{"state": "failed", "answer": GONE}] * 2,
        {"state": "skipped", "reason": "unsubscribed"},
        {"state": "deferred", "answer": "451 4.7.1 Greylisted", "not_before": clock.now()},
    ]  # fmt: skip
    for number, more in enumerate(states):
        her = worlds.on_list(world.list, f"r{number}@example.org")
        SubscriberMessage.objects.create(
            message=world.sent, workspace_id=her.workspace_id, subscriber_id=her.pk, batch=1,
            list_id=world.list.pk, to_address=her.email, attempts=1, tried_at=clock.now(), **more,
        )  # fmt: skip
    last = SubscriberMessage.objects.latest("pk").pk
    DeliveryBatch.objects.filter(message=world.sent).update(
        size=10, failed=7, skipped=1, deferred=1, last_id=last
    )
    outcome.want(world.sent.pk)
    assert outcome.one()
    return world.sent


def html_of(person: Person, url: str) -> str:
    page = person.client().get(url)
    assert page.status_code == 200
    return page.content.decode()


# --- the report -----------------------------------------------------------------------------------


def test_reasons_are_grouped_explained_and_lead_to_their_mails(world: World, over: Message):
    html = html_of(world.owner, path(over))
    assert "What did not go out, and why" in html
    assert "The mailbox is full" in html
    assert "No such address" in html
    assert "Trying again does no good" in html
    full = over.fault_groups.get(number=5)
    assert f"{path(over)}/deliveries?group={full.key}" in html
    page = world.owner.client().get(path(over, f"/deliveries?group={full.key}"))
    assert len(page.context["page"].rows) == 5
    assert "Try these again" in page.content.decode()


def test_domains_and_when_it_was_added_up_are_said(world: World, over: Message):
    html = html_of(world.owner, path(over))
    assert "By receiving domain" in html
    assert "example.org" in html
    assert "were added up" in html


def test_before_it_was_added_up_the_page_says_so(world: World):
    assert "are added up in some seconds" in html_of(world.owner, path(world.sent))


def test_times_become_a_chart_that_is_a_table_too(world: World, over: Message):
    rows = over.deliveries.filter(state="failed").order_by("pk")
    for number, row in enumerate(rows):
        at = clock.now() + timedelta(seconds=40 * number)
        SubscriberMessage.objects.filter(pk=row.pk).update(tried_at=at)
    outcome.want(over.pk)
    outcome.one()
    chart = world.owner.client().get(path(over)).context["chart"]
    assert sum(sum(one.values) for one in chart.series) == 8
    assert len(chart.labels) <= 60
    assert "Over time" in html_of(world.owner, path(over))


@pytest.mark.parametrize("where", ["", "/deliveries", "/send"])
def test_the_number_of_queries_does_not_grow_with_the_message(
    world: World, over: Message, where: str
):
    browser = world.owner.client()
    url = path(world.draft, where) if where == "/send" else path(over, where)

    def queries() -> int:
        browser.get(url)
        with CaptureQueriesContext(connection) as asked:
            browser.get(url)
        return len(asked)

    before = queries()
    for number in range(30):
        worlds.on_list(world.list, f"more{number}@d{number}.example")
    SubscriberMessage.objects.bulk_create(
        SubscriberMessage(
            message=over, workspace_id=world.owner.workspace.pk, subscriber_id=10_000 + number,
            batch=2, to_address=f"x@d{number}.example", state="failed",
            answer=f"550 words {chr(97 + number % 26)}",
            tried_at=clock.now() + timedelta(minutes=number),
        )
        for number in range(30)
    )  # fmt: skip
    first = SubscriberMessage.objects.filter(batch=2).earliest("pk").pk
    DeliveryBatch.objects.create(
        message=over, number=2, first_id=first, last_id=first + 29, size=30, failed=30, done=True
    )
    outcome.want(over.pk)
    outcome.one()
    assert queries() == before
    assert before <= 24


# --- did she get it, and why not? -----------------------------------------------------------------


def asked(world: World, message: Message, address: str) -> str:
    return html_of(world.owner, path(message, f"/deliveries?q={address}"))


def test_somebody_who_is_unknown_is_said_to_be(world: World):
    assert "Nobody with this address is known" in asked(world, world.sent, "no@example.net")


def test_somebody_on_no_list_of_it(world: World):
    other = manage.create(world.owner.workspace, "Other")
    worlds.on_list(other, "kim@example.net")
    assert "on none of the lists" in asked(world, world.sent, "kim@example.net")


def test_somebody_suppressed_left_unconfirmed_or_late(world: World):
    held = worlds.on_list(world.list, "held@example.net")
    suppress.suppress(held.workspace, held.email)
    left = worlds.on_list(world.list, "left@example.net")
    subscribe.unsubscribe(left.pk, [world.list.pk], Origin(Method.LINK))
    worlds.on_list(world.list, "shy@example.net", confirmed=False)
    worlds.on_list(world.list, "late@example.net")
    early = worlds.on_list(world.list, "early@example.net")
    Subscription.objects.filter(subscriber=early).update(confirmed_at=None)
    said = {
        "held": "This address is suppressed (Owner&#x27;s word) since",
        "left": "This person left Apples on",
        "shy": "This person has not confirmed Apples yet",
        "late": "This person confirmed Apples only when this message was on its way",
        "early": "This person was not confirmed, or was suppressed, when the deliveries were made",
    }
    for who, words in said.items():
        assert words in asked(world, world.sent, f"{who}@example.net"), who


def test_somebody_suppressed_who_is_nobody_here(world: World):
    suppress.suppress(world.owner.workspace, "trap.example")
    assert "This address is suppressed" in asked(world, world.sent, "any@trap.example")


def test_while_it_is_built_nobody_is_said_to_be_left_out(world: World):
    her = worlds.on_list(world.list, "new@example.net")
    Message.objects.filter(pk=world.sent.pk).update(built_at=None, status="sending")
    assert "still being built" in asked(world, world.sent, her.email)


def test_the_beginning_of_an_address_is_no_question_about_somebody(world: World):
    assert "No delivery fits “zz”" in asked(world, world.sent, "zz")


# --- one mail -------------------------------------------------------------------------------------


def story(world: World, one: SubscriberMessage) -> str:
    return html_of(world.owner, path(one.message, f"/deliveries/{one.public_id}"))


def test_a_mail_that_was_taken_tells_when_and_by_whose_word(world: World):
    html = story(world, world.sent.deliveries.get())
    assert "The server took it" in html
    assert "journal" in html
    assert world.person.public_id in html


def test_a_mail_that_failed_tells_the_servers_words_and_what_they_mean(world: World, over: Message):
    one = over.deliveries.filter(answer=GONE)[0]
    html = story(world, one)
    assert GONE in html
    assert "No such address" in html
    assert "Tried 1 time" in html


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "queued", "sent_at": None}, "It waits for its turn."),
        ({"state": "sending", "sent_at": None}, "A worker is sending it just now."),
        ({"state": "skipped", "sent_at": None, "reason": "unsubscribed"}, "This person had left"),
        (
            {"state": "skipped", "sent_at": None, "reason": "suppressed: bounced"},
            "This address is suppressed (bounced)",
        ),
        ({"state": "unknown", "sent_at": None, "reason": "Left as it is, by a person"},
         "Left as it is"),
        ({"state": "quarantined", "sent_at": None}, "Set aside"),
        ({"to_address": "", "subscriber_id": 999}, "An erased person"),
    ],
)  # fmt: skip
def test_each_state_has_its_story(world: World, fields: dict[str, object], said: str):
    world.sent.deliveries.update(answer="", **fields)
    assert said in story(world, world.sent.deliveries.get())


def test_a_mail_that_is_put_off_tells_when_it_is_tried_again(world: World, over: Message):
    over.deliveries.filter(state="deferred").update(not_before=clock.now() + timedelta(hours=2))
    html = story(world, over.deliveries.get(state="deferred"))
    assert "It is tried again:" in html
    assert "in 1\xa0hour" in html


def test_a_delivery_of_another_message_is_not_found_under_this_one(world: World):
    other = worlds.sent(world.owner, [world.list], "Other")
    one = other.deliveries.get()
    assert (
        world.owner.client().get(path(world.sent, f"/deliveries/{one.public_id}")).status_code
        == 404
    )


# --- the file -------------------------------------------------------------------------------------


def table(world: World, url: str) -> list[list[str]]:
    answer = world.owner.client().get(url)
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_every_delivery_is_a_row_also_over_several_pieces(world: World, over: Message, monkeypatch):
    monkeypatch.setattr(export, "AT_ONCE", 3)
    rows = table(world, path(over, "/deliveries.csv"))
    assert rows[0] == list(export.HEAD)
    assert len(rows) == 11
    assert {row[1] for row in rows[1:]} == {
        "vera@example.org",
        *(f"r{n}@example.org" for n in range(9)),
    }


def test_a_state_or_a_reason_is_a_file_of_its_own(world: World, over: Message):
    assert len(table(world, path(over, "/deliveries.csv?state=failed"))) == 8
    full = over.fault_groups.get(number=5)
    assert len(table(world, path(over, f"/deliveries.csv?group={full.key}"))) == 6
    assert len(table(world, path(over, "/deliveries.csv?state=deferred"))) == 2


def test_what_a_stranger_wrote_is_no_formula(world: World):
    world.sent.deliveries.update(to_address="=cmd()@example.org", answer="@SUM(1)")
    (row,) = table(world, path(world.sent, "/deliveries.csv"))[1:]
    assert row[1] == "'=cmd()@example.org"
    assert row[-1] == "'@SUM(1)"


def test_a_viewer_may_look_and_not_carry_it_away(world: World):
    viewer = people.join(world.owner, "vic", Role.VIEWER)
    assert viewer.client().get(path(world.sent, "/deliveries.csv")).status_code == 403
    assert "deliveries.csv" not in html_of(viewer, path(world.sent))


# --- trying again ---------------------------------------------------------------------------------


def test_the_page_says_what_trying_again_will_do(world: World, over: Message):
    suppress.suppress(world.owner.workspace, "r0@example.org")
    html = html_of(world.owner, path(over, "/retry"))
    assert "who left, or are suppressed or erased, since" in html
    assert "Try 6 mails again" in html
    group = over.fault_groups.get(number=2)
    html = html_of(world.owner, path(over, f"/retry?group={group.key}"))
    assert "Try 2 mails again" in html
    assert "Trying again does no good" in html


def test_a_second_click_tries_nothing_twice(world: World, over: Message):
    browser = world.owner.client()
    form = {"seen": clock.now().isoformat()}
    first = browser.post(path(over, "/retry"), form, follow=True)
    assert "7 mails are tried again." in first.content.decode()
    second = browser.post(path(over, "/retry"), form, follow=True)
    assert str(try_again.NOTHING) in second.content.decode()
    assert over.deliveries.filter(state=State.QUEUED).count() == 7
    over.refresh_from_db()
    assert over.status == "sending"


def test_where_nothing_failed_there_is_nothing_to_press(world: World):
    html = html_of(world.owner, path(world.sent, "/retry"))
    assert "Nothing of this message has failed." in html
    assert "mails again</span>" not in html


def test_a_viewer_cannot_try_again(world: World, over: Message):
    viewer = people.join(world.owner, "vic", Role.VIEWER).client()
    assert viewer.post(path(over, "/retry")).status_code == 403
    assert "/retry" not in viewer.get(path(over)).content.decode()
    assert Subscriber.objects.exists()


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words", "means"),
    [
        ("failed", FULL, "The mailbox is full"),
        ("failed", "550 5.7.26 not authenticated", "The sender’s domain is not vouched for"),
        ("failed", "550 5.7.1 spam", "Refused by a rule of the server"),
        ("failed", "554 go away", "Refused by a rule of the server"),
        ("failed", "552 Over quota", "The mailbox is full"),
        ("failed", "552 message size exceeds fixed maximum message size", "The mail is too large"),
        ("failed", "it broke", "Refused"),
        ("deferred", "451 4.7.1 Greylisted", "Not now, said the server"),
        ("quarantined", "", "Set aside"),
    ],
)
def test_answers_are_said_in_words(state: str, words: str, means: str):
    found = meaning(state, words)
    assert found is not None
    assert str(found.text) == means
    assert meaning("sent", "250 ok") is None


def test_a_reason_that_nobody_foresaw_is_said_as_it_is():
    assert why_skipped("of its own") == "of its own"
    assert why_skipped("suppressed") == "This address is suppressed: nothing is mailed to it."
