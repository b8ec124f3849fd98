"""A date, a time and a zone: what they mean, and when they mean nothing, or two things."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailape.campaigns import schedule
from mailape.campaigns.schedule import Twice
from mailape.core import clock
from mailape.core.errors import Invalid

BERLIN = "Europe/Berlin"


@pytest.fixture(autouse=True)
def in_march():
    """It is the 1st of March 2026, noon in London."""
    with clock.moved(datetime(2026, 3, 1, 12, tzinfo=UTC) - clock.now()):
        yield


def test_a_time_is_meant_where_its_clock_hangs():
    assert schedule.moment("2026-03-02", "09:30", BERLIN).at == datetime(
        2026, 3, 2, 8, 30, tzinfo=UTC
    )
    assert schedule.moment("2026-07-01", "09:30", BERLIN).at == datetime(
        2026, 7, 1, 7, 30, tzinfo=UTC
    )
    assert schedule.moment("2026-03-02", "09:30", "UTC").at.hour == 9
    assert schedule.moment("2026-03-02", "09:30", "Asia/Kolkata").at.hour == 4


def test_seconds_that_a_browser_adds_are_cut_off():
    assert schedule.moment("2026-03-02", "09:30:59", "UTC").at.second == 0


def test_a_time_that_the_clocks_skip_is_refused_with_one_that_is_there():
    with pytest.raises(Invalid, match=r"there is no 02:30\. Choose .* 03:30") as refused:
        schedule.moment("2026-03-29", "02:30", BERLIN)
    assert refused.value.field == "time"


def test_a_time_that_the_clocks_show_twice_is_asked_about():
    with pytest.raises(Twice, match="show 02:30 twice") as asked:
        schedule.moment("2026-10-25", "02:30", BERLIN)
    assert (asked.value.first.tzname(), asked.value.second.tzname()) == ("CEST", "CET")
    first = schedule.moment("2026-10-25", "02:30", BERLIN, "first")
    second = schedule.moment("2026-10-25", "02:30", BERLIN, "second")
    assert second.at - first.at == timedelta(hours=1)
    assert first.at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "time", "zone", "field"),
    [
        ("", "09:30", BERLIN, "date"),
        ("29.3.2026", "09:30", BERLIN, "date"),
        ("2026-02-30", "09:30", BERLIN, "date"),
        ("9999-12-31", "23:59", "America/New_York", "date"),
        ("2026-03-02", "", BERLIN, "time"),
        ("2026-03-02", "9.30", BERLIN, "time"),
        ("2026-03-02", "09:30+01:00", BERLIN, "time"),
        ("2026-03-02", "09:30", "", "zone"),
        ("2026-03-02", "09:30", "../../etc/passwd", "zone"),
        ("2026-03-02", "09:30", "Mars/Phobos", "zone"),
        ("2026-03-01", "11:59", "UTC", "at"),
        ("2026-03-01", "12:59", BERLIN, "at"),
        ("2027-03-03", "12:00", "UTC", "at"),
    ],
)
def test_what_names_no_time_to_come_is_refused_at_its_field(day, time, zone, field):
    with pytest.raises(Invalid) as refused:
        schedule.moment(day, time, zone)
    assert refused.value.field == field


def test_a_time_without_its_offset_is_no_time():
    with pytest.raises(Invalid, match="offset from UTC"):
        schedule.ahead(datetime(2026, 3, 2, 9))


def test_zones_are_places_and_utc():
    found = schedule.zones()
    assert found[0] == "UTC"
    assert {BERLIN, "America/New_York", "Asia/Kolkata", "Pacific/Auckland"} <= set(found)
    assert not [name for name in found if name.startswith("Etc/")]
