"""The one door to the deliveries of a message: what became of them, and where their links lead."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.db.models import F, Max, Min, QuerySet
from django.utils.translation import gettext as _

from mailape.campaigns.models import Message, MessageRevision
from mailape.core import ids, links, rows
from mailape.core.errors import NotFound
from mailape.core.links import Named, Purpose
from mailape.delivery import outcome
from mailape.delivery.mime import tracking
from mailape.delivery.models import (
    EXCEPTIONS,
    DeliveryBatch,
    FaultGroup,
    State,
    SubscriberMessage,
)
from mailape.delivery.render import Person
from mailape.lists import search
from mailape.lists.models import Subscriber

# What a batch carries before its first pass is over; everything else is found by an index.
_WAITING = (State.QUEUED, State.SENDING)


def of_message(
    message: Message, *, state: str = "", q: str = "", group: FaultGroup | None = None
) -> list[QuerySet[SubscriberMessage]]:
    """A newsletter's deliveries, by state, what was said of them, and whom `q` may mean.

    Querysets to be merged by key, each of which follows an index. Raises Invalid for a `q` that
    cannot be searched for.
    """
    # By who she is, not by `to_address`, which has no index and is empty once she is erased.
    few = search.few(message.workspace_id or 0, q) if q else None
    walked = few is None and state not in EXCEPTIONS
    if state in _WAITING:
        querysets = _waiting(message, state, walked)
    else:
        querysets = [_in_batches(message, walked)]
    if state:
        column = "exception" if state in EXCEPTIONS else "state"
        querysets = [found.filter(**{column: state}) for found in querysets]
    if group is not None:
        querysets = [outcome.in_group(found, group) for found in querysets]
    if q:
        querysets = [found.filter(search.hers(q, few)) for found in querysets]
    return querysets


def delivery(message: Message, public_id: str) -> SubscriberMessage:
    """The delivery of this message with this opaque id. Raises NotFound."""
    pk = ids.private("delivery", public_id)
    return rows.first(
        SubscriberMessage.objects.filter(pk=pk, message=message), _("There is no such delivery.")
    )


def group(message: Message, key: str) -> FaultGroup | None:
    """The group of reasons with this key, if what was said is still there."""
    return message.fault_groups.filter(key=key).first() if key else None


def _in_batches(message: Message, walked: bool, **some: bool) -> QuerySet[SubscriberMessage]:
    """The deliveries that lie in the message's batches; `walked`: one after the other by key."""
    # There is no index by message and key: it would cost every insert of a million. The batches
    # know between which keys the message lies, so the primary key serves as well.
    keys = DeliveryBatch.objects.filter(message=message, **some).aggregate(
        first=Min("first_id"), last=Max("last_id")
    )
    found = SubscriberMessage.objects.filter(pk__gte=keys["first"] or 0, pk__lte=keys["last"] or 0)
    return _aside(found, message) if walked else found.filter(message=message)


def _aside(found: QuerySet[SubscriberMessage], message: Message) -> QuerySet[SubscriberMessage]:
    """Those of the message, by another index than its own: SQLite, which has no statistics, would
    take that one for the best, and look at each of a million to sort them."""
    return found.alias(of=F("message_id") + 0).filter(of=message.pk)


def _waiting(message: Message, state: str, walked: bool) -> list[QuerySet[SubscriberMessage]]:
    """Those that go singly, which their `not_before` tells, and those of batches still open."""
    # All that go singly by their own index, of whichever message.
    single = _aside(SubscriberMessage.objects.filter(not_before__isnull=False), message)
    singly = SubscriberMessage.objects.filter(pk__in=single.values("pk"))
    if state == State.SENDING:  # while a batch is leased its own stay queued
        return [singly]
    return [singly, _in_batches(message, walked, done=False).filter(not_before__isnull=True)]


# --- tracked links --------------------------------------------------------------------------------


def target(token: str, number: int) -> str:
    """Where link `number` of her mail leads: a URL that was stored when the message was compiled.

    Nothing that comes with the request has a part in it. Merge tags in the link are filled in with
    what is known of her now; with nothing once she is erased. It works for as long as the message
    is there, and her delivery need not be. Raises NotFound for a token or number that is not ours.
    """
    named = links.read(Purpose.CLICK, token)
    row = SubscriberMessage.objects.filter(
        message_id=named.message_id, subscriber_id=named.subscriber_id, occasion=named.occasion
    )
    on, revision_id = row.values_list("list_id", "revision_id").first() or (None, None)
    targets, lists = _stored(named.message_id, revision_id)
    url = tracking.target(targets, number, _values(named, lists, on))
    if url is None or not _is_web(url):
        raise NotFound(_("There is no such link in this message."))
    return url


def _stored(message_id: int, revision_id: int | None) -> tuple[list[str], dict[str, Any]]:
    """The targets and lists of a message as they were compiled, without all the rest of it."""
    found = MessageRevision.objects.filter(message_id=message_id)
    if revision_id is None:
        found = found.filter(pk__in=Message.objects.filter(pk=message_id).values("revision_id"))
    else:
        found = found.filter(pk=revision_id)
    kept = found.values_list("compiled__program__targets", "compiled__lists").first()
    return (kept[0] or [], kept[1] or {}) if kept else ([], {})


def _values(named: Named, lists: dict[str, Any], on: int | None) -> dict[str, Any]:
    """What the merge tags in a link stand for, as in the mail itself."""
    workspace = Message.objects.filter(pk=named.message_id).values("workspace_id")
    her = Subscriber.objects.filter(pk=named.subscriber_id, workspace_id__in=workspace).first()
    person = Person(her.name, her.first_name, her.email, her.fields) if her else Person()
    which: dict[str, str] = lists.get(str(on)) or next(iter(lists.values()), {})
    return {"subscriber": person.values, "list": {"name": which.get("name", "")}}


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme.lower() in {"http", "https"} and bool(urlsplit(url).hostname)
    except ValueError:
        return False
