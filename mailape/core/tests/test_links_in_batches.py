"""Tokens made for a whole batch at once are the tokens that each person would get alone."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailape.core import keys, links
from mailape.core.links import Named, Purpose
from mailape.core.models import LinkKey

pytestmark = pytest.mark.django_db

people = st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=40)
no_reset = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def spelled_out(message_id: int, subscriber_id: int) -> list[str]:
    """The four tokens by the words of the module's head, one step after the other."""
    secret = keys.by_id(keys.newest_id())
    block = message_id.to_bytes(6) + subscriber_id.to_bytes(6) + bytes(4)
    hashed = hashlib.blake2b(block, key=secret, person=b"person".ljust(16, b"\0")).digest()
    names = links._cipher(keys.newest_id()).encryptor().update(block)

    def text(raw: bytes) -> str:
        return base64.b64encode(raw, altchars=b"~_").decode().rstrip("=")

    head = f"{keys.newest_id()}-{text(names)}-"  # the first key's number is one figure
    return [head + text(hashed[start : start + 16]) for start in (0, 16, 32, 48)]


@no_reset
@given(message_id=st.integers(0, 2**48 - 1), subscribers=people)
def test_each_person_gets_the_tokens_that_the_format_says(
    message_id: int, subscribers: list[int]
) -> None:
    made = links.for_people(message_id, subscribers)
    assert [list(one) for one in made] == [spelled_out(message_id, s) for s in subscribers]
    assert made == [links.for_person(message_id, s) for s in subscribers]


@no_reset
@given(message_id=st.integers(0, 2**48 - 1), subscribers=people)
def test_what_a_batch_made_is_read_again(message_id: int, subscribers: list[int]) -> None:
    made = links.for_people(message_id, subscribers, occasion=3)
    named = [links.read(Purpose.CLICK, one.click) for one in made]
    assert named == [Named(message_id, subscriber, 3) for subscriber in subscribers]


def test_message_keys_are_those_of_one_at_a_time() -> None:
    alone = [links.message_key(7, subscriber, 2) for subscriber in range(50)]
    assert links.message_keys(7, range(50), 2) == alone
    assert len(set(alone)) == 50


def test_a_batch_keeps_to_the_key_it_is_told() -> None:
    before = links.for_people(7, [9])
    old = keys.newest_id()
    keys.add()
    assert links.for_people(7, [9], key_id=old) == before != links.for_people(7, [9])


def test_a_key_that_never_was_makes_nothing() -> None:
    with pytest.raises(LinkKey.DoesNotExist):
        links.for_people(7, [9], key_id=99)


def test_nobody_gets_nothing() -> None:
    assert links.for_people(7, []) == []
    assert links.message_keys(7, []) == []
