"""The signed time in a form."""

from datetime import timedelta

import pytest

from mailape.core import clock, stamps

pytestmark = pytest.mark.django_db


def test_it_says_how_old_the_form_is():
    stamp = stamps.make("subscribe", "a")
    with clock.moved(timedelta(seconds=90)):
        assert stamps.age("subscribe", "a", stamp) == pytest.approx(90, abs=1)


def test_it_is_good_for_one_purpose_and_one_subject():
    stamp = stamps.make("subscribe", "a")
    assert stamps.age("subscribe", "b", stamp) is None
    assert stamps.age("other", "a", stamp) is None


@pytest.mark.parametrize("stamp", ["", "-", "x-y", "0-é", "ffff", "-1-" + "0" * 32, "f" * 200])
def test_what_is_not_ours_has_no_age(stamp: str):
    assert stamps.age("subscribe", "a", stamp) is None


def test_the_time_in_it_cannot_be_moved():
    number, _, mac = stamps.make("subscribe", "a").partition("-")
    assert stamps.age("subscribe", "a", f"{int(number, 16) - 5000:x}-{mac}") is None
