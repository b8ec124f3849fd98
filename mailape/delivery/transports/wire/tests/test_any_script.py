"""Whatever the server does, however the bytes are cut: the promises of the core hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hypothesis import event, given, settings
from hypothesis import strategies as st

from mailape.delivery.transports.base import Fate, Outcome
from mailape.delivery.transports.wire.core import Core, Stage
from mailape.delivery.transports.wire.tests.simulated import (
    CONSENTS,
    OFFERS,
    Caller,
    Does,
    StrictServer,
    converse,
    letters,
)

REFUSALS = [
    Does(b"450 4.2.1 Not now\r\n"),
    Does(b"452 4.5.3 Too many\r\n"),
    Does(b"550-5.1.1 Nobody\r\n550 5.1.1 is called that\r\n"),
    Does(b"554 5.7.1 No\r\n"),
]
ENDS = [
    Does(b"421 4.3.2 Closing\r\n", closes=True),
    Does(closes=True),
    Does(takes=True, closes=True),
    Does(b"what?\r\n", takes=True),
    Does(b"what?\r\n"),
    Does(b"250 Ok\r\n", takes=True, closes=True),  # and closes right behind it
    Does(b"25", takes=True, closes=True),  # half an answer
    Does(b"999 Ok\r\n", takes=True),
    Does(b"2" * 5000, takes=True),
]
ACTIONS = st.one_of(
    st.just(CONSENTS), st.just(CONSENTS), st.sampled_from(REFUSALS), st.sampled_from(ENDS)
)
SCRIPTS = st.lists(ACTIONS, max_size=40)
CUTS = st.lists(st.integers(1, 60), max_size=8)


def follows(actions: list[Does]) -> Callable[[Stage, str], Does]:
    """A script that does one after the other, whatever the command, and then consents.

    An answer that consents where it must not (250 to DATA) is left to a test of its own: here the
    server's ledger has to mean something.
    """
    left = iter(actions)

    def script(stage: Stage, recipient: str) -> Does:
        does = next(left, CONSENTS)
        if does.answer.startswith(b"25") and stage is not Stage.CONTENT:
            return CONSENTS
        return does

    return script


def run(
    actions: list[Does], offer_no: int, cuts: list[int], lose: int, window: int, lone_dots: bool
) -> tuple[Core, Caller, StrictServer]:
    core, caller = Core(OFFERS[offer_no], window=window), Caller(letters(12))
    core.asks = caller
    server = StrictServer(follows(actions), lone_dots)
    converse(core, server, cuts, lose)
    return core, caller, server


EVERYTHING = {
    "actions": SCRIPTS,
    "offer_no": st.integers(0, len(OFFERS) - 1),
    "cuts": CUTS,
    "lose": st.integers(0, 60),
    "window": st.integers(1, 6),
    "lone_dots": st.booleans(),
}


@settings(max_examples=400, deadline=None)
@given(**EVERYTHING)
def test_each_mail_has_one_fate_and_the_ledger_agrees(
    actions: list[Does], offer_no: int, cuts: list[int], lose: int, window: int, lone_dots: bool
) -> None:
    core, caller, server = run(actions, offer_no, cuts, lose, window, lone_dots)
    assert server.faults == []
    # One outcome, or given back, for each that was begun. (Twice is an assertion of the caller.)
    assert sorted([*caller.outcomes, *caller.returned]) == sorted(caller.begun)
    if core.ended is None:
        assert len(caller.outcomes) == 12
    taken = Counter(
        int("".join(filter(str.isdigit, recipient[:9]))) for recipient, _ in server.taken
    )
    assert set(taken.values()) <= {1}
    for key in caller.begun:
        fate = caller.fates().get(key)
        event(str(fate))
        if fate is Fate.SENT:
            assert key in taken
        elif fate is not Fate.IN_DOUBT:
            assert key not in taken, f"{fate} and yet the server has it"
    doubtful = caller.having(Fate.IN_DOUBT)
    assert len(doubtful) <= (window if OFFERS[offer_no].chunking and offer_no == 1 else 1)
    assert set(doubtful) <= set(caller.dots)
    for recipient, content in server.taken:
        number = int(recipient[6:].partition("@")[0])
        assert content == letters(12)[number - 1].content


@settings(max_examples=200, deadline=None)
@given(**EVERYTHING)
def test_any_cutting_of_the_bytes_gives_the_same_events(
    actions: list[Does], offer_no: int, cuts: list[int], lose: int, window: int, lone_dots: bool
) -> None:
    def outcome(cut_at: list[int]) -> tuple[dict[int, Outcome], list[int], object]:
        core, caller, _ = run(actions, offer_no, cut_at, lose, window, lone_dots)
        return caller.outcomes, caller.returned, core.ended

    assert outcome(cuts) == outcome([])
