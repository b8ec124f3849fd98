"""Limits: counted by all processes together, with no double share round a window's edge."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from mailape.core import clock, limits
from mailape.core.errors import TooMany
from mailape.core.models import RateCounter

TEN = limits.rate("10/min")


@pytest.mark.django_db
def test_the_eleventh_in_a_minute_is_refused_with_a_time_to_wait():
    for _ in range(10):
        limits.count("call", "ann", TEN)
    with pytest.raises(TooMany) as refused:
        limits.count("call", "ann", TEN)
    assert 1 <= refused.value.retry_after <= 60


@pytest.mark.django_db
def test_another_caller_has_a_share_of_her_own():
    for _ in range(10):
        limits.count("call", "ann", TEN)
    limits.count("call", "bea", TEN)
    limits.count("other", "ann", TEN)


@pytest.mark.django_db
def test_two_minutes_later_all_is_forgiven():
    for _ in range(10):
        limits.count("call", "ann", TEN)
    with clock.moved(timedelta(minutes=2)):
        limits.count("call", "ann", TEN)


@pytest.mark.django_db
def test_the_table_of_counters_keeps_no_address():
    limits.count("call", "ann@example.org", TEN)
    assert "ann" not in RateCounter.objects.get().key


@pytest.mark.django_db(transaction=True)
def test_threads_count_together():
    passed, lock = [], threading.Lock()

    def call():
        try:
            limits.count("call", "ann", TEN)
            with lock:
                passed.append(1)
        except TooMany:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 10


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_a_network_is_a_24_or_a_64(address, network):
    assert limits.network(address) == network
