"""From a rig that has come to rest to plain evidence: the database's rows, the sink's attempts,
what is shown in the API and on the pages, what stands in the logs.

Django must be set up for the rig's database before this module is imported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from chaos.crowd import Crowd
from chaos.evidence import Attempt, Count, Evidence, Limit, Row
from chaos.faults import poison
from chaos.rig import Rig
from chaos.rows import Row as ChaosRow
from chaos.scene import Scene
from chaos.sink import WINDOW
from chaos.world import signed_in
from mailape.campaigns.models import Message
from mailape.core import ids, images, links
from mailape.delivery import tally
from mailape.delivery.models import State, SubscriberMessage
from mailape.lists.models import Subscription, Suppression

# A block that Python writes about an exception: its last line says which one it was.
_TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*?(\S.*)$", re.MULTILINE
)
_CHAINED = ("During handling of the above", "The above exception was the")
_NUMBER = re.compile(r'\?state=(\w+)">([^<]+)</a>')
_ROWS_AT_ONCE = 2000


def evidence(rig: Rig, crowd: Crowd, scene: Scene, row: ChaosRow) -> Evidence:
    """All that is known. Everything must be at rest."""
    for sent in crowd.sent:
        sent.message = ids.private("message", sent.public)
        sent.status = Message.objects.values_list("status", flat=True).get(pk=sent.message)
    return Evidence(
        attempts=_attempts(rig),
        rows=list(_rows()),
        people=crowd.people,
        sent=crowd.sent,
        counts=list(_counts(crowd)),
        asked={a for a in crowd.asked if not a.startswith("u")},
        standing={(row[0], row[1]): row[2] for row in _standing()},
        pasted=crowd.pasted,
        holes=list(_holes(crowd)),
        suppressed=set(Suppression.objects.values_list("value", flat=True)),
        recoveries=scene.recoveries,
        samples=rig.samples,
        errors=[*_errors(rig, row.errors), *crowd.given_up, *rig.ended],
        kills=rig.killed,
        poisoned=scene.poisoned if set(row.faults) == {poison} else None,
        journal=keeps_journal(rig),
        tls=rig.plan.tls,
        sizes=frozenset(rig.sink.sizes),
        utf8_withheld=rig.plan.smtputf8,
        limit=_limit(rig.plan.per_second),
        window=WINDOW if "CHUNKING" in rig.plan.extensions else 1,
        lines_lost=rig.sink.lines_lost,
        clock_moved=rig.moved_most,
    )


def _limit(per_second: int) -> Limit | None:
    """What any second may hold, as a mail server sees it that shares its cores with all the rest:
    what was handed to it in time it may read somewhat later, together with the next."""
    return Limit(round(per_second * 1.25), 1.0) if per_second else None


def keeps_journal(rig: Rig) -> bool:
    """Whether the engine of this instance writes a journal."""
    return any(rig.instance.data.rglob("*/identity"))


def _attempts(rig: Rig) -> list[Attempt]:
    return list(rig.sink.attempts)


def _rows() -> Iterator[Row]:
    found = SubscriberMessage.objects.select_related("message").order_by("pk")
    for row in found.iterator(_ROWS_AT_ONCE):
        key = links.message_key(row.message_id, row.subscriber_id or row.pk, row.occasion)
        yield Row(
            row.pk, row.message.kind, row.message_id, row.to_address, row.state, row.reason,
            row.occasion, key,
        )  # fmt: skip


def _counts(crowd: Crowd) -> Iterator[Count]:
    """What the API shows, what the page is made of, and what its list of deliveries adds up to."""
    for sent in crowd.sent:
        shown = crowd.web.api("GET", f"messages/{sent.public}").data["counts"]
        summed = tally.counts(Message.objects.get(pk=sent.message))
        listed = Counter(_listed(crowd, sent.public))
        for state in State.values:
            yield Count("the API", sent.message, state, shown.get(state, 0))
            yield Count("the tally", sent.message, state, summed[state])
            yield Count("the API's list", sent.message, state, listed[state])
        for state, number in _on_page(crowd, sent.public):
            yield Count("the page", sent.message, state, number)


def _on_page(crowd: Crowd, public: str) -> Iterator[tuple[str, int]]:
    """The numbers on the message's page, as its owner sees it, signed in."""
    cookie = {"Cookie": signed_in(crowd.world.owner)}
    page = crowd.web.call("GET", f"/messages/{public}/progress", None, cookie)
    found = _NUMBER.findall(page.text)
    if not found:
        raise ValueError(f"no number on the page: {page.status} {page.text[:300]}")
    for state, number in found:
        yield state, int(re.sub(r"\D", "", number))


def _holes(crowd: Crowd) -> Iterator[str]:
    """Pictures that were taken in and are not served as they were."""
    for url, size in crowd.pictures.items():
        answer = crowd.web.fetch(url)
        if answer.status != 200 or images.read(answer.raw, widest=size[0]).width != size[0]:
            yield f"{url} was taken in and is not there: {answer.status}"


def _standing() -> Iterator[tuple[str, int, str]]:
    found = Subscription.objects.values_list("subscriber__email_key", "list_id", "status")
    yield from found.iterator(_ROWS_AT_ONCE)


def _listed(crowd: Crowd, public: str) -> Iterator[str]:
    path: str | None = f"messages/{public}/deliveries?limit=1000"
    while path:
        page = crowd.web.api("GET", path).data
        yield from (row["state"] for row in page["results"])
        path = page["next"] and page["next"].partition("/api/v1/")[2]


def _errors(rig: Rig, tolerated: str) -> Iterator[str]:
    """Each sort of exception in the logs once, with how often it was there."""
    output = rig.instance.output()
    found: Counter[str] = Counter()
    for block in _TRACEBACK.finditer(output):
        # Of a chain only the last one got to the top.
        if not output[block.end() : block.end() + 40].lstrip().startswith(_CHAINED):
            found[block.group(1)] += 1
    for line, number in found.items():
        if not tolerated or not re.search(tolerated, line):
            yield f"{number} × {line[:300]}"
