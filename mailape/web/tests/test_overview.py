"""The first page: what goes on, what happened, what to do next."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.accounts.models import Role
from mailape.campaigns import dispatch, write
from mailape.campaigns.models import Message, Status
from mailape.core import clock
from mailape.lists import manage, numbers, subscribe
from mailape.lists.numbers import Day
from mailape.web import growth
from mailape.web.growth import Growth
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from tests.house import people
from tests.house.people import Person


def overview(person: Person, query: str = "") -> str:
    response = person.client().get(f"/{query}")
    assert response.status_code == 200
    return response.content.decode()


def done(html: str) -> list[bool]:
    return [kind == "done" for kind in re.findall(r'<li class="(done|now|)"', html)]


# --- what to do next ------------------------------------------------------------------------------


def test_an_empty_workspace_is_led_to_its_first_message_and_each_step_is_ticked(alice: Person):
    assert done(overview(alice)) == [False] * 5
    which = manage.create(alice.workspace, "Apples")
    assert done(overview(alice)) == [True, False, False, False, False]
    worlds.on_list(which, "ida@example.org")
    assert done(overview(alice)) == [True, True, False, False, False]
    draft = write.create(
        alice.workspace, alice.user, write.Draft(lists=[which], subject="One", body="Hello\n")
    )
    assert done(overview(alice)) == [True, True, True, False, False]
    dispatch.send(draft, None)
    assert done(overview(alice)) == [True, True, True, True, False]
    browser = alice.client()
    browser.get(f"/messages/{draft.public_id}")
    assert "Five steps" not in browser.get("/").content.decode()


def test_the_next_step_is_the_one_main_button(alice: Person):
    html = overview(alice)
    assert html.count('class="button main"') == 1
    assert 'aria-current="step"' in html


def test_who_may_not_write_is_not_led_to_it(alice: Person):
    vera = people.join(alice, "vera", Role.VIEWER)
    html = overview(vera)
    assert "Five steps" not in html
    assert "Nothing has happened here yet" in html


# --- what goes on ---------------------------------------------------------------------------------


def sending(world: World, **changes) -> Message:
    message = worlds.sent(world.owner, [world.list], "On its way")
    started = clock.now() - timedelta(seconds=10)
    Message.objects.filter(pk=message.pk).update(
        **{"status": Status.SENDING, "started_at": started, "finished_at": None, **changes}
    )
    message.refresh_from_db()
    return message


def test_what_is_being_sent_is_shown_with_its_rate_and_the_time_left(world: World):
    message = sending(world, built_at=None, audience_frozen={"people": 61})
    html = overview(world.owner)
    assert "On its way" in html
    assert "1 of 61" in html
    assert "0.1 a second" in html
    assert "about 10 minutes left" in html
    assert f'data-live="/overview/now?at={message.public_id}-sending"' in html


def test_the_region_says_when_another_look_at_the_page_is_due(world: World):
    message = sending(world)
    browser = world.owner.client()
    url = f"/overview/now?at={message.public_id}-sending"
    response = browser.get(url)
    assert response["X-Live"] == "on"
    assert "<html" not in response.content.decode()
    Message.objects.filter(pk=message.pk).update(status=Status.SENT)
    assert browser.get(url)["X-Live"] == "over"


def test_what_waits_for_its_time_says_when(world: World):
    sending(world, status=Status.QUEUED, not_before=clock.now() + timedelta(days=2, minutes=5))
    assert "in 2\xa0days" in overview(world.owner)


def test_another_workspaces_sending_is_not_shown(world: World, charlie: Person):
    sending(world)
    assert "On its way" not in overview(charlie)


# --- what happened --------------------------------------------------------------------------------


def test_growth_is_shown_for_thirty_days_or_ninety(world: World):
    with clock.moved(-timedelta(days=60)):
        worlds.on_list(world.list, "early@example.org")
    html = overview(world.owner)
    assert "From 1 to 2 confirmed in 30 days" in html
    assert '<a href="?days=90">90 days</a>' in html
    assert "From 0 to 2 confirmed in 90 days" in overview(world.owner, "?days=90")
    assert "in 30 days" in overview(world.owner, "?days=7000")


def test_every_day_is_in_the_table_too(world: World):
    html = overview(world.owner)
    assert html.count('<th scope="row">') == 60  # thirty days, two charts


def test_growth_adds_up():
    days = [Day(date(2026, 3, 1), 3, 2, 0, 10), Day(date(2026, 3, 2), 5, 4, 1, 13)]
    grown = Growth(days)
    assert (grown.total, grown.gained, grown.joined, grown.left) == (13, 3, 8, 1)
    assert grown.change == "+3"
    assert Growth(days[::-1]).change == "−3"
    assert Growth([]).change == "±0"
    assert grown.line.rows == [("1 Mar", [10]), ("2 Mar", [13])]
    assert grown.spark.startswith("M0.0 22.0L")


@pytest.mark.parametrize("asked", ["", "30", "7", "x", "٣٠"])
def test_any_other_span_is_thirty_days(asked: str, rf):
    assert growth.span(rf.get("/", {"days": asked})) == 30


def test_the_largest_lists_stand_first_with_their_growth(world: World):
    small = manage.create(world.owner.workspace, "Small")
    assert small.pk > world.list.pk
    html = overview(world.owner)
    assert html.index(">Apples</a>") < html.index(">Small</a>")


def test_taking_people_off_is_no_negative_bar(world: World):
    subscribe.unsubscribe(world.person.pk, [world.list.pk], worlds.WORD)
    html = overview(world.owner)
    assert not re.search(r'(height|width)="-', html)
    assert numbers.counts([world.list])[world.list.pk]["unsubscribed"] == 1


def test_however_many_lists_and_days_it_takes_as_many_queries(world: World):
    browser = world.owner.client()
    browser.get("/")

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            browser.get(path)
        return len(seen)

    before = queries("/")
    for number in range(8):
        worlds.on_list(manage.create(world.owner.workspace, f"L{number}"), "x@example.org")
    assert queries("/") == queries("/?days=90") == before <= 14
