"""What must hold when the faults are over and the queue is drained: I1 to I10 of the promise.

Each function takes the evidence and returns what speaks against it; an empty list is what we want.
`judge` calls them all. None of them looks at a database or a clock, so that a test can show of each
that it would see what it is there to see.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from chaos.evidence import Attempt, Evidence, Person, Row, Sent

OPEN = {"queued", "sending", "deferred"}
# Mail that is sent again when nobody knows whether it arrived; a newsletter is held instead.
RESENT = {"confirmation", "account", "transactional", "test", "welcome"}
# How long after an unsubscribe, a pause, a cancel a mail may still begin. The second stands for
# what lies between the server's clock and the answer that the person read.
LEAVING, STOPPING, SLACK = 5.0, 2.0, 0.25
MOST_DEATHS = 3
DATE_SPAN = 7200.0
_TOO_LARGE = re.compile(r"5\.3\.4 The mail has (\d+) octets and the server takes (\d+)")
_SIZE_REFUSED = "Refused: 552 "
MEGABYTES, FILES, GROWN_UP = 300.0, 200, 20.0
# With so few open files a process has not begun: on a busy machine that takes a minute.
STARTING = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be."""

    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


@dataclass(frozen=True)
class Verdict:
    """All findings, and the numbers that people ask for."""

    findings: list[Finding]
    explained: int  # duplicates of mail that is sent again when in doubt
    unsaved: int  # what only a journal could have known: sent twice, or sent and recorded otherwise

    def of(self, *invariants: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.invariant in invariants]


def judge(evidence: Evidence) -> Verdict:
    """Checks everything."""
    findings = [Finding(name, text) for name, check in CHECKS.items() for text in check(evidence)]
    reasons = Counter(why for _, _, why in duplicates(evidence))
    forgotten = 0 if evidence.journal else sum(1 for _ in misrecorded(evidence))
    return Verdict(findings, reasons["explained"], reasons["unsaved"] + forgotten)


# --- I1: nothing is lost -------------------------------------------------------------------------


def lost(e: Evidence) -> Iterator[str]:
    """Who was on the list all the time has the mail, or a reason that the evidence bears out."""
    rows = {(row.message, row.to.lower()): row for row in e.rows if row.kind == "newsletter"}
    for sent in e.sent:
        for person in e.people.values():
            if person.workspace == sent.workspace and person.surely_in(sent.lists, sent.began):
                yield from _missed(e, sent, person, rows.get((sent.message, person.address)))


def _missed(e: Evidence, sent: Sent, person: Person, row: Row | None) -> Iterator[str]:
    if row is None:
        if sent.status not in {"cancelled", "failed"}:
            yield f"{person.address} has no delivery of {sent.subject!r}"
    elif row.key not in e.copies and not _explained(e, sent, row):
        yield f"{person.address} never got {sent.subject!r}: {row.state} {row.reason}".strip()


def _explained(e: Evidence, sent: Sent, row: Row) -> bool:
    tries = _tries(e, row)
    match row.state:
        case "failed":
            return any(a.refused_for_good for a in tries) or _unsendable(e, row)
        case "skipped":
            return sent.status in {"cancelled", "failed"}
        case "unknown":
            return e.window > 1 or any(a.in_doubt for a in tries)
        case "quarantined":
            return e.kills >= MOST_DEATHS and _died_on(e, row)
    return row.state in OPEN  # stuck, which is another finding


def _unsendable(e: Evidence, row: Row) -> bool:
    """Whether it could not be put to the server at all, by what that offered."""
    if e.utf8_withheld and "beyond ASCII" in row.reason:
        return not row.to.rpartition("@")[0].isascii()
    if size := _TOO_LARGE.search(row.reason):
        return int(size[1]) > int(size[2]) and int(size[2]) in e.sizes
    sent = e.newsletters.get(row.message)
    return row.reason.startswith(_SIZE_REFUSED) and any(
        a.stage == "MAIL" and a.answer.startswith("552") and sent and a.sender == sent.sender
        for a in e.attempts
    )


def _died_on(e: Evidence, row: Row) -> bool:
    return e.poisoned is None or row.to.partition("@")[0] in e.poisoned


def unheard(e: Evidence) -> Iterator[str]:
    """What a person was told is done is done: who signed up got her mail, who left is gone."""
    taken = {letter.to.lower() for letter in e.letters}
    refused = {attempt.to.lower() for attempt in e.attempts if attempt.refused_for_good}
    for address in e.asked - taken - refused:
        yield f"{address} signed up, was told to look, and got no mail"
    for address in e.pasted - e.suppressed:
        yield f"{address} was suppressed among many, and is not"
    yield from e.holes
    for person in e.people.values():
        held = any(act.kind == "suppressed" and act.ended for act in person.acts)
        if held and person.address not in e.suppressed:
            yield f"{person.address} was suppressed, and is not"
        for one in {one for act in person.acts for one in act.lists}:
            wanted, found = person.standing(one), e.standing.get((person.address, one), "nothing")
            if wanted and found != wanted:
                yield f"{person.address} is {found} on list {one} and was told: {wanted}"


# --- I2: nobody else gets it ---------------------------------------------------------------------


def strangers(e: Evidence) -> Iterator[str]:
    """Each letter belongs to a delivery to that person, and she had asked for it."""
    for letter in e.letters:
        row = e.row_of.get(letter.key)
        if row is None:
            yield f"{letter.to} got {letter.subject!r}, of which there is no delivery"
        elif row.to.lower() != letter.to.lower():
            yield f"{letter.to} got the mail of {row.to}"
        elif row.kind == "newsletter":
            yield from _unwanted(e, letter, row)


def _unwanted(e: Evidence, letter: Attempt, row: Row) -> Iterator[str]:
    sent, person = e.newsletters.get(row.message), e.people.get(letter.to.lower())
    if sent is None or person is None:
        yield f"{letter.to} got {letter.subject!r}, and nobody sent her that"
    elif person.workspace != sent.workspace:
        yield f"{letter.to} got {letter.subject!r} of another workspace"
    elif all(person.off_since(sent.lists, at) < at for at in (sent.began, letter.begun)):
        yield f"{letter.to} got {letter.subject!r} and was not on its list"


# --- I3: nobody gets it twice --------------------------------------------------------------------


def duplicates(e: Evidence) -> Iterator[tuple[Row | None, Attempt, str]]:
    """Every copy after the first, with its delivery: explained, unsaved, or unexplained.

    The copy that should not have been is explained by the one before it, whose answer nobody read.
    """
    for key, copies in e.copies.items():
        row = e.row_of.get(key)
        for before, again in pairwise(copies):
            if row is not None and row.kind in RESENT and not before.heard:
                yield row, again, "explained"
            elif not e.journal and row is not None:
                yield row, again, "unsaved"
            else:
                yield row, again, "unexplained"


def twice(e: Evidence) -> Iterator[str]:
    """No duplicate is unexplained, and what explains one is listed by the dead worker's journal."""
    for row, letter, why in duplicates(e):
        if why == "unexplained":
            kind = row.kind if row else "unknown mail"
            yield f"{letter.to} got a {kind} twice: {letter.subject!r} at {letter.taken:.3f}"


# --- I4: copies are alike ------------------------------------------------------------------------


def unlike(e: Evidence) -> Iterator[str]:
    """One delivery has one Message-ID and one content, on every attempt that got to its dot.

    Only the Date of a mail that waited for hours may be another one.
    """
    by_key: dict[str, set[str]] = defaultdict(set)
    by_person: dict[tuple[str, str], set[str]] = defaultdict(set)
    for attempt in e.attempts:
        if attempt.key:
            date = attempt.date if e.clock_moved < DATE_SPAN else ""
            by_key[attempt.key].add(f"{attempt.digest} {date}")
            if attempt.sender.lower() in e.message_of:
                by_person[attempt.sender.lower(), attempt.to.lower()].add(attempt.key)
    for key, digests in by_key.items():
        if len(digests) > 1:
            yield f"{len(digests)} contents under one Message-ID {key}"
    for (_, to), keys in by_person.items():
        if len(keys) > 1:
            yield f"{to} was sent one message under {len(keys)} Message-IDs"


# --- I5: what is shown is so ---------------------------------------------------------------------


def miscounted(e: Evidence) -> Iterator[str]:
    """Every number shown is the number of deliveries, and every delivery's state is what happened.

    One in doubt may have arrived or not: that is what its state says.
    """
    real = Counter((row.message, row.state) for row in e.rows)
    for count in e.counts:
        if count.number != real[count.message, count.state]:
            yield (
                f"{count.where} shows {count.number} {count.state} of message {count.message}"
                f" and there are {real[count.message, count.state]}"
            )
    for row in e.rows:
        if row.kind == "newsletter" and row.state == "sent" and row.key not in e.copies:
            yield f"{row.to}: sent by the record, and the server never took it"
    if e.journal:
        yield from misrecorded(e)


def misrecorded(e: Evidence) -> Iterator[str]:
    """What the server took and the record calls something else, and doubt where there was none."""
    yield from _needless_doubt(e)
    for row in e.rows:
        if row.key in e.copies and row.state not in {"sent", "unknown"} | _not_yet(e, row):
            yield f"{row.to}: the server took it, and the record says {row.state} ({row.reason})"


def _needless_doubt(e: Evidence) -> Iterator[str]:
    """In doubt is a mail whose end was out and whose answer was not read: one on each connection
    that was lost, or with CHUNKING a whole window, of which the server need not have read any."""
    unknown = [row for row in e.rows if row.state == "unknown"]
    if len(unknown) > e.lines_lost * e.window:
        yield f"{len(unknown)} unknown, and {e.lines_lost} connections lost of {e.window} each"
    for row in unknown if e.window == 1 else []:
        tries = _tries(e, row)
        if not any(attempt.in_doubt for attempt in tries):
            seen = "; ".join(map(str, tries)) or "no attempt"
            yield f"{row.to}: unknown by the record, and its sender could have known: {seen}"


def _tries(e: Evidence, row: Row) -> list[Attempt]:
    sent = e.newsletters.get(row.message)
    return e.tries.get((sent.sender.lower(), row.to.lower()), []) if sent else []


def _not_yet(e: Evidence, row: Row) -> set[str]:
    # Mail that is sent again when in doubt may wait for its next turn, be overtaken by her
    # confirming by the copy that did arrive, or be set aside after deaths of which each left it so.
    if row.kind not in RESENT:
        return set()
    unread = e.kills >= MOST_DEATHS and not any(copy.heard for copy in e.copies[row.key])
    return {"deferred", "queued", "skipped"} | ({"quarantined"} if unread else set())


# --- I6: nothing is stuck ------------------------------------------------------------------------


def stuck(e: Evidence) -> Iterator[str]:
    """Every message came to its end in time, and none of its deliveries is open."""
    for sent in e.sent:
        if not sent.over_in_time:
            yield f"{sent.subject!r} was still {sent.status} long after everything was whole again"
    for row in e.rows:
        if row.state in OPEN:
            yield f"{row.to}: {row.kind} still {row.state} {row.reason}".strip()


# --- I7, I8: who leaves, and what is stopped -----------------------------------------------------


def after_leaving(e: Evidence) -> Iterator[str]:
    """No MAIL for a person later than 5 s after she left, or was suppressed."""
    for attempt in e.attempts:
        sent, person = e.message_of.get(attempt.sender.lower()), e.people.get(attempt.to.lower())
        if sent is None or person is None:
            continue
        out = person.off_since(sent.lists, attempt.surely_begun)
        late = attempt.surely_begun - out
        if out and late > LEAVING + SLACK:
            yield f"{person.address} was written to {late:.1f} s after she left ({sent.subject!r})"


def after_stopping(e: Evidence) -> Iterator[str]:
    """No MAIL of a message later than 2 s after it was paused or cancelled."""
    for attempt in e.attempts:
        sent = e.message_of.get(attempt.sender.lower())
        for stop in sent.stops if sent else []:
            if stop.at + STOPPING + SLACK < attempt.surely_begun < stop.until:
                late = attempt.surely_begun - stop.at
                yield f"{attempt} was written to {late:.1f} s after the {stop.kind}"


# --- I9: the rate --------------------------------------------------------------------------------


def too_fast(e: Evidence) -> Iterator[str]:
    """In no window of the limit's length did more mails begin than it allows."""
    if e.limit is None:
        return
    begun = sorted(attempt.begun for attempt in e.attempts if attempt.to)
    for place in range(len(begun) - e.limit.mails):
        length = begun[place + e.limit.mails] - begun[place]
        if length < e.limit.seconds:
            yield f"{e.limit.mails + 1} mails within {length:.2f} s, allowed in {e.limit.seconds} s"
            return


# --- TLS -----------------------------------------------------------------------------------------


def in_clear(e: Evidence) -> Iterator[str]:
    """Where TLS is demanded, no mail ever begins without it."""
    for attempt in e.attempts if e.tls else []:
        if attempt.clear:
            yield f"{attempt.to} was written to in clear"


# --- what the server can take --------------------------------------------------------------------


def unfit(e: Evidence) -> Iterator[str]:
    """No mail asks more of the server than it offered: eight bits, other letters, parameters."""
    for letter in e.letters:
        if letter.unfit:
            yield f"{letter.to} was written to with {letter.unfit}"


# --- I10: the processes --------------------------------------------------------------------------


def unwell(e: Evidence) -> Iterator[str]:
    """No exception that nobody caught; memory and open files flat."""
    yield from e.errors
    for sample in e.samples:
        if sample.megabytes > MEGABYTES or sample.files > FILES:
            yield f"{sample.role} {sample.pid}: {sample.megabytes:.0f} MB, {sample.files} files"
    by_process = defaultdict(list)
    for sample in e.samples:
        if sample.age > GROWN_UP and sample.files > STARTING:
            by_process[sample.pid].append(sample)
    for samples in by_process.values():
        first, last = samples[0], samples[-1]
        if last.files > first.files + 20 or last.megabytes > first.megabytes * 1.5 + 20:
            memory = f"{first.megabytes:.0f} to {last.megabytes:.0f} MB"
            files = f"{first.files} to {last.files} open files"
            yield f"{last.role} {last.pid} grew from {memory}, {files}"


def slow_to_recover(e: Evidence) -> Iterator[str]:
    """After a fault the mails went on within the time that was promised."""
    for one in e.recoveries:
        if one.seconds > one.limit:
            yield f"{one.seconds:.1f} s after {one.fault}, at most {one.limit:.0f} s"


CHECKS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "I1": lost,
    "I1 acts": unheard,
    "I2": strangers,
    "I3": twice,
    "I4": unlike,
    "I5": miscounted,
    "I6": stuck,
    "I7": after_leaving,
    "I8": after_stopping,
    "I9": too_fast,
    "I10": unwell,
    "TLS": in_clear,
    "offer": unfit,
    "recovery": slow_to_recover,
}
