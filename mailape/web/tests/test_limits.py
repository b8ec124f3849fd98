"""The page of sending limits, for the administrator of the instance."""

from __future__ import annotations

import pytest
from django.urls import reverse

from mailape.core import clock
from mailape.delivery import limits
from mailape.delivery.models import Pace
from tests.house.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(alice: Person):
    alice.user.is_admin = True
    alice.user.save()
    return alice.client()


def shown(client) -> str:
    response = client.get(reverse("web:system-limits"))
    assert response.status_code == 200
    return response.content.decode()


def post(client, name: str, **data):
    return client.post(reverse(f"web:{name}"), data, follow=True)


def test_nothing_is_limited_at_first(client):
    page = shown(client)
    assert "No domain has a limit" in page
    way_out = limits.way_out()
    assert (way_out.per_second, way_out.per_hour, way_out.connections) == (None, None, None)


def test_the_limits_of_the_way_out_are_set_and_taken_away(client):
    given = {"per_second": "14", "per_hour": "50,000", "connections": "3"}
    assert "Saved." in post(client, "system-limits-save", **given).content.decode()
    way_out = limits.way_out()
    assert (way_out.per_second, way_out.per_hour, way_out.connections) == (14, 50_000, 3)
    post(client, "system-limits-save")
    assert limits.way_out().per_second is None


@pytest.mark.parametrize("typed", ["0", "-1", "many", "1.5", "9" * 30, "٣", "1000001"])
def test_what_is_no_limit_is_refused_and_kept_to_be_mended(client, typed):
    response = post(client, "system-limits-save", per_second=typed, per_hour="7")
    assert response.status_code == 400
    page = response.content.decode()
    assert f'value="{typed}"' in page
    assert 'value="7"' in page
    assert limits.way_out().per_hour is None


def test_a_domain_gets_a_limit_and_loses_it(client):
    post(client, "system-domain-set", domain="Ann@Slow.Example ", domain_per_second="5")
    page = shown(client)
    assert "slow.example" in page
    assert "5 a second" in page
    post(client, "system-domain-set", domain="slow.example", domain_per_hour="900")
    assert "900 an hour" in shown(client)
    for _ in range(2):
        post(client, "system-domain-remove", domain="slow.example")
    assert "slow.example" not in shown(client)
    assert Pace.objects.get().hasten


@pytest.mark.parametrize(
    ("domain", "number", "said"),
    [
        ("", "5", "This is no domain"),
        ("exa mple", "5", "This is no domain"),
        ("slow.example", "", "Give a number"),
        ("slow.example", "x", "Type a whole number"),
        ("slow.example", "0", "Type a number from 1"),
    ],
)
def test_a_domains_limit_that_cannot_be_is_refused(client, domain, number, said):
    response = post(client, "system-domain-set", domain=domain, domain_per_second=number)
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not Pace.objects.exists()


def test_a_slowed_domain_says_how_fast_it_is_and_why_and_may_go_on(client):
    Pace.objects.create(
        account=limits.way_out(), domain="slow.example", speed=2.5, full_speed=40.0,
        slowed_at=clock.now(), why="421 4.7.0 <b>Too many</b>",
    )  # fmt: skip
    page = shown(client)
    assert "2.5 a second" in page
    assert "40.0 a second before" in page
    assert "421 4.7.0 &lt;b&gt;Too many&lt;/b&gt;" in page
    for _ in range(2):
        post(client, "system-full-speed", domain="slow.example")
    assert Pace.objects.get().speed is None
    assert "slow.example" not in shown(client)


def test_the_number_of_queries_does_not_grow_with_the_domains(client, django_assert_num_queries):
    way_out = limits.way_out()

    def count() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as seen:
            shown(client)
        return len(seen)

    Pace.objects.create(account=way_out, domain="one.example", per_hour=1)
    before = count()
    Pace.objects.bulk_create(
        Pace(account=way_out, domain=f"d{number}.example", per_hour=1) for number in range(50)
    )
    assert count() == before


def test_a_domain_beyond_ascii_is_kept_as_its_label(client):
    post(client, "system-domain-set", domain="münchen.example", domain_per_hour="5")
    assert Pace.objects.get().domain == "xn--mnchen-3ya.example"
