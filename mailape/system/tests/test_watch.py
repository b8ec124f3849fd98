"""How the parts are, what becomes an incident, and what the public sees of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client

from mailape.core import clock, minutes
from mailape.core.models import Incident, PartState, WorkerSign
from mailape.delivery.models import SubscriberMessage
from mailape.system import status
from mailape.system.watch import Watch
from mailape.web.tests import worlds
from mailape.web.views.status import kept
from tests.house.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh():
    kept.forget()
    minutes._waiting.clear()
    yield
    kept.forget()


def signs(*roles: str) -> None:
    """These processes and no others give a sign of life now."""
    WorkerSign.objects.all().delete()
    now = clock.now()
    for role in roles:
        queues = "wake,send,bulk" if role == "worker" else ""
        WorkerSign.objects.create(
            name=f"host:1:{role}",
            role=role,
            queues=queues,
            version="1",
            started_at=now,
            seen_at=now,
        )


def look(watch: Watch, *roles: str) -> None:
    signs(*roles)
    watch._next = 0.0
    watch.look()


ALL = ("web", "worker", "beat")


def test_what_works_is_well_and_no_incident():
    watch = Watch()
    look(watch, *ALL)
    with clock.moved(timedelta(seconds=12)):
        look(watch, *ALL)
        assert status.look().is_well
    assert not Incident.objects.exists()


def test_a_worker_that_is_away_for_a_minute_is_one_incident_that_ends_when_it_is_back():
    watch, other = Watch(), Watch()
    look(watch, *ALL)
    for seconds in (12, 24, 36, 48, 60, 72, 84, 96):
        with clock.moved(timedelta(seconds=seconds)):
            look(watch, "web", "beat")
            look(other, "web", "beat")
    (incident,) = Incident.objects.all()
    assert (incident.part, incident.ended_at) == ("workers", None)
    assert not status.look().is_well
    with clock.moved(timedelta(seconds=108)):
        look(other, *ALL)
        assert status.look().is_well
    incident.refresh_from_db()
    assert incident.ended_at is not None
    assert 90 < (incident.ended_at - incident.began_at).total_seconds() < 100


def test_a_short_restart_is_no_incident():
    watch = Watch()
    look(watch, *ALL)
    for seconds in (12, 24, 36):
        with clock.moved(timedelta(seconds=seconds)):
            look(watch, "web", "beat")
    with clock.moved(timedelta(seconds=48)):
        look(watch, *ALL)
    assert not Incident.objects.exists()


def test_a_time_without_notes_was_the_database_for_whoever_was_there_and_else_everything():
    was_there = Watch()
    look(was_there, *ALL)
    with clock.moved(timedelta(minutes=5)):
        look(was_there, *ALL)
        look(was_there, *ALL)
    assert [one.part for one in Incident.objects.all()] == ["database"]
    with clock.moved(timedelta(minutes=20)):
        look(Watch(), *ALL)
    assert sorted(one.part for one in Incident.objects.all()) == ["database", "web"]


def test_mail_that_is_due_and_does_not_go_out_for_five_minutes_is_seen(alice: Person):
    world = worlds.build(alice)
    SubscriberMessage.objects.filter(message=world.sent).update(
        state="queued", not_before=clock.now(), attempts=0
    )
    world.sent.__class__.objects.filter(pk=world.sent.pk).update(status="sending")
    watch = Watch()
    look(watch, *ALL)
    assert PartState.objects.get(name="mail").is_well
    with clock.moved(timedelta(minutes=6)):
        look(watch, *ALL)
        assert not PartState.objects.get(name="mail").is_well
        minutes.add({"sent": 1})
        minutes.write()
        look(watch, *ALL)
        assert PartState.objects.get(name="mail").is_well


def test_incidents_are_forgotten_after_90_days():
    watch = Watch()
    old = clock.now() - timedelta(days=91)
    Incident.objects.create(part="web", began_at=old, ended_at=old + timedelta(hours=1))
    look(watch, *ALL)
    assert not Incident.objects.exists()


# --- the page ------------------------------------------------------------------------------------


def test_the_public_page_is_not_there_unless_it_is_switched_on():
    assert Client().get("/status").status_code == 404
    status.switch(True)
    kept.forget()
    assert Client().get("/status").status_code == 200
    status.switch(False)
    kept.forget()
    assert Client().get("/status").status_code == 404


def test_the_public_page_says_in_plain_words_what_works_and_what_does_not(alice: Person):
    status.switch(True)
    watch = Watch()
    look(watch, *ALL)
    well = Client().get("/status")
    assert b"Everything works" in well.content
    assert "max-age" in well["Cache-Control"]
    kept.forget()
    with clock.moved(timedelta(seconds=70)):
        look(watch, "web", "beat")
        page = Client().get("/status").content.decode()
    assert "Something does not work" in page
    assert "does not work</span>" in page
    assert alice.workspace.name not in page


def test_the_public_page_is_kept_for_some_seconds(django_assert_num_queries):
    status.switch(True)
    with django_assert_num_queries(4):
        Client().get("/status")
    with django_assert_num_queries(0):
        Client().get("/status")


def test_without_the_database_the_public_page_still_answers(monkeypatch: pytest.MonkeyPatch):
    status.switch(True)
    Client().get("/status")

    def away() -> bool:
        raise OperationalError("away")

    monkeypatch.setattr(status, "is_on", away)
    kept._at = -kept_for()
    page = Client().get("/status")
    assert page.status_code == 200
    assert b"Something does not work" in page.content


def kept_for() -> float:
    from mailape.web.views.status import FRESH

    return FRESH
