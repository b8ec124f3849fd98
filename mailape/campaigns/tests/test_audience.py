"""How many people a message goes to, and why that many."""

from __future__ import annotations

import pytest

from mailape.campaigns import audience, dispatch
from mailape.campaigns.models import Message
from mailape.campaigns.tests.test_dispatch import a_draft
from mailape.lists import manage, subscribe, suppress
from mailape.lists.models import MailingList, Method
from mailape.lists.subscribe import Origin


@pytest.fixture
def draft(db: None) -> Message:
    """To Letter (Ann) and Other (Ann and Bea; Cleo is not confirmed)."""
    return a_draft()


def reasons(message: Message) -> tuple[list[int], int, int, int]:
    who = audience.explained(message, fresh=True)
    return [number for _, number in who.lists], who.doubles, who.suppressed, who.people


def test_who_is_on_two_lists_is_counted_once(draft):
    assert reasons(draft) == ([1, 2], 1, 0, 2)


def test_who_is_suppressed_is_taken_off_once_whatever_holds_her(draft):
    suppress.suppress(draft.workspace, "bea@example.org")
    assert reasons(draft) == ([1, 2], 1, 1, 1)
    suppress.suppress(draft.workspace, "example.org")
    assert reasons(draft) == ([1, 2], 1, 2, 0)


def test_those_who_are_suppressed_and_on_none_of_the_lists_count_for_nothing(draft):
    suppress.suppress(draft.workspace, "cleo@example.org")
    suppress.suppress(draft.workspace, "nobody@example.net")
    third = manage.create(draft.workspace, "Third")
    subscribe.add(third, "dora@example.org", "", Origin(Method.OWNER), confirmed=True)
    suppress.suppress(draft.workspace, "dora@example.org")
    assert reasons(draft) == ([1, 2], 1, 0, 2)


def test_archived_lists_and_other_workspaces_are_left_out(draft):
    manage.archive(MailingList.objects.get(name="Other"))
    assert reasons(draft) == ([1], 0, 0, 1)


def test_what_is_frozen_explains_itself(draft):
    suppress.suppress(draft.workspace, "bea@example.org")
    dispatch.send(draft)
    frozen = draft.audience_frozen
    assert {name: frozen[name] for name in ("confirmed", "doubles", "suppressed", "people")} == {
        "confirmed": [1, 2], "doubles": 1, "suppressed": 1, "people": 1,
    }  # fmt: skip
