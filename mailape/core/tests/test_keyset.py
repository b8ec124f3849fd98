"""Rows behind a key: of several querysets in one order, bounded by the key first of all."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.core import keyset
from mailape.core.models import InstanceSetting

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def letters() -> None:
    InstanceSetting.objects.bulk_create(InstanceSetting(name=one, value=1) for one in "bdfhk")


def names(*some: str, key: str | None = None, ascending: bool = True) -> str:
    found = [InstanceSetting.objects.filter(name__in=list(one)) for one in some]
    return "".join(row.name for row in keyset.nearest(found, key, 3, ascending=ascending))


def test_several_querysets_are_one_order_in_both_directions() -> None:
    assert names("bh", "dfk") == "bdf"
    assert names("bh", "dfk", key="d") == "fhk"
    assert names("bh", "dfk", key="h", ascending=False) == "fdb"
    assert names("bh", "dfk", key="b", ascending=False) == ""


def test_the_key_is_the_first_bound_which_is_the_one_that_sqlite_takes() -> None:
    found = InstanceSetting.objects.filter(pk__gte="a", pk__lte="z")
    with CaptureQueriesContext(connection) as seen:
        assert [row.name for row in keyset.nearest(found, "f", 9, ascending=True)] == ["h", "k"]
    where = seen[0]["sql"].partition("WHERE")[2]
    assert where.index("> 'f'") < where.index(">= 'a'")
