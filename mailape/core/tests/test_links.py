"""Tokens: bound to one purpose and one person, good across keys, worthless when altered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.core import keys, links
from mailape.core.errors import NotFound
from mailape.core.links import Purpose

pytestmark = pytest.mark.django_db

TOKENS = {
    Purpose.UNSUBSCRIBE: lambda: links.for_person(7, 9).unsubscribe,
    Purpose.PREFERENCES: lambda: links.for_person(7, 9).preferences,
    Purpose.CLICK: lambda: links.for_person(7, 9).click,
    Purpose.OPEN: lambda: links.for_person(7, 9).open,
    Purpose.CONFIRM: lambda: links.confirm(7, 9, 0),
}


@pytest.mark.parametrize("made_for", Purpose)
@pytest.mark.parametrize("used_for", Purpose)
def test_a_token_is_good_for_its_own_purpose_only(made_for, used_for):
    token = TOKENS[made_for]()
    if made_for is used_for:
        named = links.read(used_for, token)
        assert (named.message_id, named.subscriber_id) == (7, 9)
    else:
        with pytest.raises(NotFound):
            links.read(used_for, token)


def test_links_outlive_a_new_key():
    old = links.for_person(7, 9).unsubscribe
    keys.add()
    new = links.for_person(7, 9).unsubscribe
    assert old != new
    assert links.read(Purpose.UNSUBSCRIBE, old) == links.read(Purpose.UNSUBSCRIBE, new)


def test_every_altered_letter_is_noticed():
    token = links.for_person(7, 9).unsubscribe
    for place, letter in enumerate(token):
        altered = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(NotFound):
            links.read(Purpose.UNSUBSCRIBE, altered)


@pytest.mark.parametrize(
    "wrong", ["", "-", "--", "1--", "1-a-b", "zzzzzzzzzzzzzzzzzzzzzz-a-b", "1-" + "A" * 22, "é-é-é",
              "-1-" + "A" * 22 + "-" + "A" * 22, "1-" + "A" * 22 + "-" + "A" * 22, "\x00" * 50]
)  # fmt: skip
def test_garbage_is_not_found(wrong):
    with pytest.raises(NotFound):
        links.read(Purpose.UNSUBSCRIBE, wrong)


@given(st.text(max_size=80))
def test_no_text_at_all_breaks_the_reader(text):
    keys.newest_id()
    with pytest.raises(NotFound):
        links.read(Purpose.CLICK, text)


@pytest.mark.parametrize("spelling", ["+1", "01", "0_1", "１"])
def test_a_token_has_one_spelling(spelling):
    token = links.for_person(7, 8).unsubscribe
    assert token.startswith("1-")
    with pytest.raises(NotFound):
        links.read(Purpose.UNSUBSCRIBE, spelling + token[1:])


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**32 - 1))
def test_what_goes_in_comes_out(message, subscriber, occasion):
    named = links.read(Purpose.CONFIRM, links.confirm(message, subscriber, occasion))
    assert (named.message_id, named.subscriber_id, named.occasion) == (
        message,
        subscriber,
        occasion,
    )


def test_a_token_tells_no_counts_and_fits_a_url():
    first, second = links.for_person(1, 1).click, links.for_person(1, 2).click
    assert first.split("-")[1][:6] != second.split("-")[1][:6]
    assert len(first) == len(second) == 47
    assert all(letter.isalnum() or letter in "-_~" for letter in first)


def test_a_message_id_is_the_same_on_every_attempt_and_differs_by_occasion():
    before = links.message_key(7, 9, 1)
    keys.add()
    assert links.message_key(7, 9, 1) == before != links.message_key(7, 9, 2)
