"""How many queries a call costs: the same for one row and for fifty."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailape.campaigns.models import Message
from mailape.core import address
from mailape.delivery.models import DeliveryBatch, SubscriberMessage
from mailape.lists.models import MailingList, Status, Subscriber, Subscription, Suppression
from mailape.senders.models import Sender
from tests.house.people import Person

pytestmark = pytest.mark.django_db

# Token, membership, and two for the rate; then the endpoint's own.
EVERY = 4
COSTS = {
    "me": 0,
    "senders": 1,
    "lists": 2,  # lists, counts
    "lists/{list}": 2,
    "lists/{list}/subscribers": 4,  # the list; one for each status
    "lists/{list}/subscribers?status=confirmed": 2,
    "lists/{list}/subscribers?q=p": 4,  # the list, its numbers, its people, the page
    "subscribers/{subscriber}": 2,
    "messages": 1,
    "messages/{message}": 2,
    "messages/{message}/deliveries": 3,  # the message, its batches, the page
    # The message, its batches, the page; whom it may mean by address, name and its last word.
    "messages/{message}/deliveries?state=failed&q=p": 6,
    "messages/{message}/deliveries?state=queued": 4,  # those of open batches, and single ones
    "messages/{message}/deliveries?state=sending": 2,
    "suppressions": 1,
    "suppressions?value=d0.example": 1,
}


@pytest.fixture
def ids(alice: Person, a_list: MailingList) -> dict[str, str]:
    """Fifty-one of everything, and the id of one of each."""
    message = Message.objects.create(workspace=alice.workspace, audience={"lists": [a_list.pk]})
    deliveries = []
    for n in range(51):
        MailingList.objects.create(workspace=alice.workspace, name=f"L{n}")
        Message.objects.create(workspace=alice.workspace, audience={"lists": [a_list.pk]})
        Sender.objects.create(workspace=alice.workspace, email="x@example.org")
        Suppression.objects.create(
            workspace=alice.workspace, kind="domain", value=f"d{n}.example", reason="owner"
        )
        who = address.parse(f"p{n}@example.org")
        person = Subscriber.objects.create(
            workspace=alice.workspace, email=who.typed, email_key=who.key, domain=who.domain
        )
        status = Status.values[n % 3]
        Subscription.objects.create(list=a_list, subscriber=person, status=status)
        deliveries.append(
            SubscriberMessage.objects.create(
                message=message, subscriber_id=person.pk, to_address=person.email, batch=1
            )
        )
    first, last = deliveries[0].pk, deliveries[-1].pk
    DeliveryBatch.objects.create(message=message, number=1, first_id=first, last_id=last, size=51)
    return {
        "list": a_list.public_id,
        "subscriber": person.public_id,
        "message": message.public_id,
    }


@pytest.mark.parametrize("path", COSTS)
def test_a_call_has_a_fixed_price(api: Any, alice: Person, ids: dict[str, str], path: str) -> None:
    call = api(alice)
    call.get("me")  # the token's last use and the keys of ids are written and read once
    for more in ("", "limit=2", "limit=50"):
        url = path.format(**ids)
        if more and url.endswith((ids["list"], ids["subscriber"], ids["message"], "me")):
            continue
        url += f"{'&' if '?' in url else '?'}{more}" if more else ""
        with CaptureQueriesContext(connection) as queries:
            assert call.get(url).status_code == 200
        seen = "\n".join(query["sql"] for query in queries)
        assert len(queries) == EVERY + COSTS[path], seen
        assert "OFFSET" not in seen
        if path.partition("?")[0].partition("/")[0] != "lists":
            assert "COUNT(" not in seen
