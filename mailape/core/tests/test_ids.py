"""Opaque ids: they come back, kinds do not mix, and garbage is NotFound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.core import ids
from mailape.core.errors import NotFound

pytestmark = pytest.mark.django_db


@given(st.integers(1, 2**63 - 1))
def test_an_id_comes_back(pk):
    assert ids.private("list", ids.public("list", pk)) == pk


def test_a_list_s_id_is_no_message_s():
    with pytest.raises(NotFound):
        ids.private("message", ids.public("list", 5))


def test_neighbours_do_not_look_alike():
    assert ids.public("list", 1)[:4] != ids.public("list", 2)[:4]


@given(st.text(max_size=60))
def test_garbage_is_not_found(text):
    ids.public("list", 1)
    try:
        pk = ids.private("list", text)
    except NotFound:
        return
    assert ids.public("list", pk) == text
