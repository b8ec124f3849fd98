"""The last look, ten seconds to take it back, a time to come, and how fast it goes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from mailape.accounts.models import Role
from mailape.campaigns import dispatch, links
from mailape.campaigns.models import LinkLook, Message, Status
from mailape.core import clock
from mailape.delivery.models import DeliveryBatch
from mailape.lists import manage, suppress
from mailape.senders.models import DomainLook
from mailape.web.tests import worlds
from mailape.web.tests.worlds import World
from mailape.web.views.reports import Look, in_words, pace, report
from tests.house import people
from tests.house.people import Person


def path(message: Message, more: str = "") -> str:
    return f"/messages/{message.public_id}{more}"


def now_of(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


# --- the last look --------------------------------------------------------------------------------


def test_it_says_why_it_goes_to_that_many(world: World):
    second = manage.create(world.owner.workspace, "Second")
    for name in ("ida", "kim", "lea"):
        worlds.on_list(second, f"{name}@example.org")
    worlds.on_list(second, world.person.email)
    suppress.suppress(world.owner.workspace, "kim@example.org")
    world.draft.audience = {"lists": [world.list.pk, second.pk]}
    world.draft.save()
    page = world.owner.client().get(path(world.draft, "/send"))
    who = page.context["who"]
    assert (who.confirmed, who.doubles, who.suppressed, who.people) == (5, 1, 1, 3)
    html = page.content.decode()
    assert "counted once" in html
    assert "Send to 3 people on Apples, Second" in html


def test_of_many_lists_the_button_says_how_many(world: World):
    lists = [manage.create(world.owner.workspace, f"List {n}") for n in range(4)]
    world.draft.audience = {"lists": [one.pk for one in lists]}
    world.draft.save()
    html = world.owner.client().get(path(world.draft, "/send")).content.decode()
    assert "Send to 0 people on 4 lists" in html


def test_each_thing_to_mend_leads_to_its_line(world: World):
    Message.objects.filter(pk=world.draft.pk).update(body="Hello\n\n[x](/about)\n")
    html = world.owner.client().get(path(world.draft, "/send")).content.decode()
    assert "“/about” leads nowhere in a mail" in html
    assert f'{path(world.draft, "/edit")}?line=3#body">Mend it in line 3' in html


def test_links_are_tried_by_a_worker_and_what_is_dead_is_said(world: World):
    Message.objects.filter(pk=world.draft.pk).update(body="[x](https://a.example/gone)")
    browser, url = world.owner.client(), path(world.draft, "/send")
    assert "1 link was not tried yet." in browser.get(url).content.decode()
    assert browser.post(path(world.draft, "/look"))["Location"] == f"{url}#outside"
    html = browser.get(url).content.decode()
    assert f'data-live="{path(world.draft, "/looks")}"' in html
    assert browser.get(path(world.draft, "/looks"))["X-Live"] == "on"
    LinkLook.objects.update(found="dead", words="HTTP 404", wanted_at=None, looked_at=clock.now())
    assert not links.wanted().exists()
    over = browser.get(path(world.draft, "/looks"))
    assert over["X-Live"] == "over"
    assert "https://a.example/gone – There is nothing (HTTP 404)" in over.content.decode()


def test_the_senders_domain_is_judged_once_mail_leaves_this_machine(world: World, settings):
    url = path(world.draft, "/send")
    assert "example.org was not looked at" not in world.owner.client().get(url).content.decode()
    settings.SMTP_URL = "smtp://mail.example.org"
    assert "example.org was not looked at yet" in world.owner.client().get(url).content.decode()
    world.owner.client().post(path(world.draft, "/look"))
    seen = DomainLook.objects.get(domain="example.org")
    assert seen.wanted_at
    DomainLook.objects.update(wanted_at=None, looked_at=clock.now(), answered=False)
    html = world.owner.client().get(url).content.decode()
    assert "example.org could not be checked: the DNS does not answer." in html


# --- ten seconds ----------------------------------------------------------------------------------


def test_after_the_click_it_waits_and_can_be_taken_back(world: World):
    browser = world.owner.client()
    browser.post(path(world.draft, "/send"), {"version": "1"})
    page = browser.get(path(world.draft))
    html = page.content.decode()
    assert 9 <= page.context["seconds"] <= 10
    assert "To 1 person on Apples." in html
    assert "data-countdown" in html
    for deed in ("pause", "cancel"):
        assert path(world.draft, f"/{deed}") not in html
    back = browser.post(path(world.draft, "/take-back"))
    assert back["Location"] == path(world.draft, "/edit")
    assert now_of(world.draft).status == Status.DRAFT
    assert "nothing was sent" in browser.get(back["Location"]).content.decode()
    again = browser.post(path(world.draft, "/take-back"))
    assert again["Location"] == path(world.draft, "/edit")


def test_once_a_worker_has_it_it_is_said_that_it_is_too_late(world: World):
    browser = world.owner.client()
    browser.post(path(world.draft, "/send"), {"version": "1"})
    Message.objects.filter(pk=world.draft.pk).update(status="sending", started_at=clock.now())
    late = browser.post(path(world.draft, "/take-back"), follow=True)
    assert "too late to take it back" in late.content.decode()
    assert now_of(world.draft).status == "sending"


def test_the_form_posted_again_after_taking_it_back_sends_nothing(world: World):
    browser = world.owner.client()
    for deed in ("/send", "/take-back", "/send"):
        answer = browser.post(path(world.draft, deed), {"version": "1"})
    assert answer.status_code == 409
    assert now_of(world.draft).status == Status.DRAFT


def test_a_viewer_sees_it_wait_without_a_button(world: World):
    dispatch.send(world.draft, wait=dispatch.GRACE)
    viewer = people.join(world.owner, "vic", Role.VIEWER).client()
    html = viewer.get(path(world.draft)).content.decode()
    assert "data-countdown" in html
    assert "take-back" not in html
    assert viewer.post(path(world.draft, "/take-back")).status_code == 403


# --- a time to come -------------------------------------------------------------------------------


@pytest.fixture
def in_october():
    """It is the 1st of October 2026."""
    with clock.moved(datetime(2026, 10, 1, 12, tzinfo=UTC) - clock.now()):
        yield


def form(**more: str) -> dict[str, str]:
    given = {"date": "2026-10-25", "time": "09:30", "zone": "Europe/Berlin", "version": "1"}
    return given | more


def test_it_goes_out_at_the_time_of_the_zone_and_says_so(world: World, in_october: None):
    browser = world.owner.client()
    assert browser.post(path(world.draft, "/later"), form())["Location"] == path(world.draft)
    planned = now_of(world.draft)
    assert planned.not_before == datetime(2026, 10, 25, 8, 30, tzinfo=UTC)
    html = browser.get(path(world.draft)).content.decode()
    assert "Sun 25 Oct 2026, 09:30" in html
    assert "Europe/Berlin" in html
    browser.post(path(world.draft, "/take-back"))
    assert now_of(world.draft).status == Status.DRAFT


def test_an_hour_that_comes_twice_is_asked_about(world: World, in_october: None):
    browser = world.owner.client()
    asked = browser.post(path(world.draft, "/later"), form(time="02:30"))
    html = asked.content.decode()
    assert asked.status_code == 400
    assert "show 02:30 twice" in html
    assert "02:30 CEST, UTC+0200" in html
    assert 'value="2026-10-25"' in html
    browser.post(path(world.draft, "/later"), form(time="02:30", which="second"))
    assert now_of(world.draft).not_before == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"date": "2027-03-28", "time": "02:30"}, "there is no 02:30"),
        ({"date": "2026-09-01"}, "over already"),
        ({"date": "x"}, "year-month-day"),
        ({"zone": "Nowhere/Land"}, "Choose the time zone"),
        ({"version": "7"}, "changed or sent meanwhile"),
    ],
)
def test_what_is_no_time_is_refused_and_what_was_typed_is_kept(
    world: World, in_october: None, more: dict[str, str], said: str
):
    refused = world.owner.client().post(path(world.draft, "/later"), form(**more))
    assert refused.status_code == 400
    assert said in refused.content.decode()
    assert f'value="{form(**more)["time"]}"' in refused.content.decode()
    assert now_of(world.draft).status == Status.DRAFT


def test_the_page_offers_tomorrow_morning_and_every_zone(world: World):
    page = world.owner.client().get(path(world.draft, "/later"))
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    assert f'value="{tomorrow}"' in page.content.decode()
    assert "Europe/Berlin" in page.content.decode()
    assert "Schedule for 1 person" in page.content.decode()


def test_what_began_late_says_so(world: World):
    meant = clock.now() - timedelta(hours=5)
    Message.objects.filter(pk=world.sent.pk).update(not_before=meant, zone="UTC")
    html = world.owner.client().get(path(world.sent)).content.decode()
    assert "It was meant for" in html
    assert "no worker was at work" in html


# --- while it goes --------------------------------------------------------------------------------


def going(world: World, size: int = 101, sent: int = 1) -> Message:
    DeliveryBatch.objects.filter(message=world.sent).update(size=size, sent=sent, done=False)
    started = clock.now() - timedelta(seconds=10)
    Message.objects.filter(pk=world.sent.pk).update(
        status="sending", finished_at=None, reason="", started_at=started
    )
    return now_of(world.sent)


def test_the_pace_is_seen_between_two_looks(world: World):
    numbers = report(going(world, 101, 21))
    now = clock.now()
    seen = pace(numbers, Look(now - timedelta(seconds=5), 11), now)
    assert seen is not None
    assert (seen.shown, seen.left_shown) == ("2.0", "40 seconds")
    since_start = pace(numbers, None, now)
    assert since_start is not None
    assert since_start.shown == "2.1"
    assert pace(numbers, Look(now - timedelta(seconds=5), 21), now) is None


def test_the_next_look_knows_what_the_last_one_saw(world: World):
    message = going(world, 101, 21)
    first = world.owner.client().get(path(message, "/progress?status=sending"))
    assert "had=21" in first["X-Live-Next"]
    with clock.moved(timedelta(seconds=4)):
        DeliveryBatch.objects.update(sent=61)
        second = world.owner.client().get(first["X-Live-Next"])
        rate = re.search(r"([\d.]+) a second · about (\d+) seconds left", second.content.decode())
        assert rate is not None
        assert 6 < float(rate[1]) <= 10  # forty in four seconds, on a machine that may be slow
        assert 4 <= int(rate[2]) < 8
        assert "had=21" in second["X-Live-Next"]
    with clock.moved(timedelta(seconds=12)):
        assert "had=61" in world.owner.client().get(second["X-Live-Next"])["X-Live-Next"]


@pytest.mark.parametrize("query", ["since=x&had=1", "since=nan&had=1", "since=1e99&had=1",
                                   "since=0&had=9999999999999999999999", "since=1"])  # fmt: skip
def test_a_look_that_never_was_breaks_nothing(world: World, query: str):
    message = going(world)
    assert world.owner.client().get(path(message, f"/progress?{query}")).status_code == 200


def test_cancel_names_how_many_will_not_get_it(world: World):
    message = going(world, 1205, 1)
    html = world.owner.client().get(path(message)).content.decode()
    assert "1,204 people will not get it" in html
    assert "Cancel it for 1,204 people" in html


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "1 second"), (89, "89 seconds"), (95, "2 minutes"), (3600, "60 minutes"),
     (7300, "2 hours")],
)  # fmt: skip
def test_spans_are_said_in_their_largest_unit(seconds: int, said: str):
    assert in_words(timedelta(seconds=seconds)) == said


def test_another_workspace_can_do_none_of_it(world: World, charlie: Person):
    for deed in ("/take-back", "/look", "/later"):
        assert charlie.client().post(path(world.draft, deed)).status_code == 404


def test_the_list_of_messages_says_when_a_planned_one_goes_out(world: World, in_october: None):
    browser = world.owner.client()
    browser.post(path(world.draft, "/later"), form())
    html = browser.get("/messages").content.decode()
    assert "Scheduled" in html
    assert "Sun 25 Oct 2026, 09:30" in html
