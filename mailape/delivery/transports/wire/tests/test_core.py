"""What is said when, and what each answer means, without a socket."""

from __future__ import annotations

import pytest

from mailape.delivery.transports.base import Fate, Mail
from mailape.delivery.transports.wire.core import Core, End, Stage
from mailape.delivery.transports.wire.envelope import Offer
from mailape.delivery.transports.wire.tests.simulated import (
    CHUNKED,
    OFFERS,
    PIPELINED,
    PLAIN,
    Caller,
    Does,
    StrictServer,
    by_recipient,
    converse,
    letters,
)

SENT, LATER, REFUSED = Fate.SENT, Fate.TRY_LATER, Fate.REFUSED


def talk(
    offer: Offer,
    count: int = 3,
    *,
    window: int = 16,
    lone_dots: bool = False,
    withhold: set[int] | None = None,
    **rules: Does,
) -> tuple[Core, Caller, StrictServer, list[bytes]]:
    """A core with `count` mails against a strict server; nothing is cut."""
    core, caller = Core(offer, window=window), Caller(letters(count))
    core.asks, caller.withhold = caller, withhold or set()
    server = StrictServer(by_recipient(**rules), lone_dots)
    writes = converse(core, server)
    assert server.faults == []
    return core, caller, server, writes


@pytest.mark.parametrize("offer", OFFERS)
def test_every_mail_arrives_as_it_was(offer: Offer) -> None:
    _, caller, server, _ = talk(offer, 40)
    assert caller.fates() == dict.fromkeys(range(1, 41), SENT)
    assert server.taken == [(mail.recipient, mail.content) for mail in letters(40)]


def test_pipelined_the_next_group_rides_behind_the_dot() -> None:
    _, _, _, writes = talk(PIPELINED, 2)
    first, second = letters(2)
    group = b"MAIL FROM:<news@example.org> SIZE=%d\r\nRCPT TO:<%b>\r\nDATA\r\n"
    assert writes == [
        group % (len(first.content), first.recipient.encode()),
        first.content + b".\r\n" + group % (len(second.content), second.recipient.encode()),
        second.content + b".\r\n",
    ]


def test_one_by_one_each_command_waits_for_its_answer() -> None:
    _, _, _, writes = talk(PLAIN, 1)
    assert [write[:4] for write in writes] == [b"MAIL", b"RCPT", b"DATA", b"Subj"]


def test_with_chunking_a_window_of_mails_goes_out_at_once() -> None:
    _, caller, _, writes = talk(CHUNKED, 10, window=4)
    assert writes[0].count(b"BDAT") == 4
    assert writes[0].count(b"RSET") == 3
    assert len(caller.outcomes) == 10


def test_the_window_is_bounded_in_octets_too() -> None:
    big = [Mail(n, "a@b.example", "c@d.example", b"x" * 400_000 + b"\r\n") for n in range(8)]
    core, caller = Core(CHUNKED), Caller(big)
    core.asks = caller
    core.fill()
    assert len(caller.begun) == 3
    huge = Mail(1, "a@b.example", "c@d.example", b"x" * 5_000_000 + b"\r\n")
    core, caller = Core(CHUNKED), Caller([huge, huge])
    core.asks = caller
    core.fill()
    assert len(caller.begun) == 1


@pytest.mark.parametrize(
    ("offer", "stage"),
    [
        (offer, stage)
        for offer in OFFERS
        for stage in ("RCPT", "DATA", "CONTENT")
        if not (offer.chunking and stage == "DATA")
    ],
)
@pytest.mark.parametrize("lone_dots", [False, True])
@pytest.mark.parametrize(
    ("answer", "fate"),
    [(b"400", LATER), (b"450", LATER), (b"499", LATER), (b"500", REFUSED), (b"550", REFUSED)],
)
def test_a_refusal_after_mail_concerns_that_recipient(
    offer: Offer, lone_dots: bool, answer: bytes, fate: Fate, stage: str
) -> None:
    does = {f"{stage}_2": Does(answer + b" 5.1.1 Nobody is called that\r\n")}
    core, caller, server, _ = talk(offer, 4, lone_dots=lone_dots, **does)
    assert caller.fates() == {1: SENT, 2: fate, 3: SENT, 4: SENT}
    assert [recipient for recipient, _ in server.taken] == [
        f"reader{n}@example.org" for n in (1, 3, 4)
    ]
    outcome = caller.outcomes[2]
    assert (outcome.code, outcome.enhanced) == (int(answer), "5.1.1")
    assert outcome.text == "5.1.1 Nobody is called that"
    assert core.ended is None


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize(
    ("answer", "fate"),
    [(b"451", Fate.ROUTE_DOWN), (b"500", Fate.ROUTE_BROKEN), (b"530", Fate.ROUTE_BROKEN)],
)
def test_a_refusal_at_mail_concerns_the_route(offer: Offer, answer: bytes, fate: Fate) -> None:
    _, caller, _, _ = talk(offer, 3, MAIL_2=Does(answer + b" 5.7.0 Not you\r\n"))
    assert caller.fates() == {1: SENT, 2: fate, 3: SENT}


@pytest.mark.parametrize(
    ("offer", "words", "fate"),
    [
        (PIPELINED, b"5.3.4 Too big", Fate.TOO_LARGE),
        (PIPELINED, b"5.2.3 Too big for the mailbox", Fate.TOO_LARGE),
        (PIPELINED, b"message size exceeds the fixed limit", Fate.TOO_LARGE),
        (PIPELINED, b"5.2.2 Your mailbox is full", Fate.ROUTE_BROKEN),
        (PLAIN, b"exceeded storage allocation", Fate.ROUTE_BROKEN),  # we said no SIZE
    ],
)
def test_552_to_the_size_that_we_said_is_about_the_mail(
    offer: Offer, words: bytes, fate: Fate
) -> None:
    _, caller, _, _ = talk(offer, 3, MAIL_2=Does(b"552 " + words + b"\r\n"))
    assert caller.fates() == {1: SENT, 2: fate, 3: SENT}


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "CONTENT"])
def test_after_421_the_rest_is_untouched(offer: Offer, stage: str) -> None:
    does = {f"{stage}_2": Does(b"421 4.3.2 Closing\r\n", closes=True)}
    core, caller, _, _ = talk(offer, 4, **does)
    assert core.ended is End.CLOSING
    assert caller.outcomes[1].fate is SENT
    if stage == "MAIL":
        assert 2 in caller.returned
    else:
        assert caller.outcomes[2].fate is LATER
    assert caller.having(Fate.IN_DOUBT) == []
    assert set(caller.outcomes) | set(caller.returned) == set(caller.begun)


def test_421_without_being_asked_closes_and_harms_nobody() -> None:
    core, caller, _, _ = talk(PIPELINED, 2)
    core.receive(b"421 4.4.2 You said nothing for so long\r\n")
    assert core.ended is End.CLOSING
    assert not core.interrupted
    assert caller.fates() == {1: SENT, 2: SENT}


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("answer", [b"", b"what?\r\n", b"354 Go on\r\n", b"250-and\r\n251 so\r\n"])
@pytest.mark.parametrize("offer", [PIPELINED, PLAIN])
def test_no_answer_to_the_dot_leaves_one_mail_in_doubt(
    offer: Offer, answer: bytes, taken: bool
) -> None:
    does = Does(answer, takes=taken, closes=not answer)
    core, caller, _, _ = talk(offer, 4, CONTENT_2=does)
    assert core.ended in (End.LOST, End.GARBAGE)
    assert caller.having(Fate.IN_DOUBT) == [2]
    assert caller.outcomes[1].fate is SENT
    assert caller.returned == [key for key in caller.begun if key > 2]


def test_with_chunking_the_window_is_in_doubt_and_no_more() -> None:
    _, caller, _, _ = talk(CHUNKED, 20, window=5, CONTENT_3=Does(closes=True))
    assert caller.having(SENT) == [1, 2]
    assert caller.having(Fate.IN_DOUBT) == [3, 4, 5, 6, 7]
    assert caller.returned == []


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("offer", [PIPELINED, PLAIN])
def test_a_drop_before_the_dot_leaves_nobody_in_doubt(offer: Offer, stage: str) -> None:
    core, caller, _, _ = talk(offer, 3, **{f"{stage}_2": Does(closes=True)})
    assert core.ended is End.LOST
    assert caller.fates() == {1: SENT}
    assert caller.returned == [2]
    assert caller.suspects == ([] if stage == "MAIL" else [2])


def test_what_certainly_did_not_leave_is_not_in_doubt() -> None:
    core, caller = Core(PIPELINED), Caller(letters(2))
    core.asks = caller
    core.fill()
    core.take()
    core.receive(b"250 Ok\r\n250 Ok\r\n354 Go on\r\n")
    core.break_off(End.SLOW, "The server does not read", unsent=True)
    assert caller.outcomes == {}
    assert caller.returned == [1, 2]


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("MAIL", b"354 Go on\r\n"),
        ("RCPT", b"334 \r\n"),
        ("DATA", b"250 Ok\r\n"),
        ("DATA", b"334 Go on\r\n"),
    ],
)
def test_an_answer_to_something_else_ends_the_session(stage: str, answer: bytes) -> None:
    core, caller, _, _ = talk(PIPELINED, 3, **{f"{stage}_2": Does(answer)})
    assert core.ended is End.GARBAGE
    assert "Out of step" in core.why
    assert caller.fates() == {1: SENT}


def test_a_recipient_taken_after_a_refused_sender_ends_the_session() -> None:
    core, caller = Core(PIPELINED), Caller(letters(1))
    core.asks = caller
    core.fill()
    core.receive(b"550 5.7.1 Not you\r\n250 2.1.5 Ok\r\n")
    assert core.ended is End.GARBAGE
    assert caller.fates() == {1: Fate.ROUTE_BROKEN}


@pytest.mark.parametrize("offer", [PIPELINED, PLAIN])
def test_after_354_only_a_cut_keeps_a_mail_back(offer: Offer) -> None:
    core, caller, server, _ = talk(offer, 3, withhold={2})
    assert core.ended is End.WITHHELD
    assert caller.fates() == {1: SENT, 2: Fate.NOT_BEGUN}
    assert [recipient for recipient, _ in server.taken] == ["reader1@example.org"]


def test_with_chunking_a_mail_is_kept_back_without_a_cut() -> None:
    for offer in (CHUNKED, Offer(chunking=True)):
        core, caller, server, _ = talk(offer, 3, withhold={2})
        assert core.ended is None
        assert caller.fates() == {1: SENT, 2: Fate.NOT_BEGUN, 3: SENT}
        assert len(server.taken) == 2


def test_the_last_question_comes_before_the_bytes_with_the_dot() -> None:
    core, caller = Core(PIPELINED), Caller(letters(2))
    core.asks = caller
    core.fill()
    core.take()
    core.receive(b"250 Ok\r\n250 Ok\r\n")
    assert caller.dots == []
    core.receive(b"354 Go on\r\n")
    assert caller.dots == [1]


def test_what_a_mail_became_is_told_before_the_next_is_asked_about() -> None:
    told_at_dot: list[list[int]] = []
    caller = Caller(letters(2))
    core = Core(PIPELINED)
    core.asks = caller
    original = caller.may_finish
    caller.may_finish = lambda mail: (told_at_dot.append(list(caller.told)), original(mail))[1]  # type: ignore[method-assign]
    converse(core, StrictServer())
    assert told_at_dot == [[], [1]]


@pytest.mark.parametrize("offer", OFFERS)
def test_after_so_many_mails_it_says_goodbye(offer: Offer) -> None:
    core, caller = Core(offer, most_mails=3), Caller(letters(10))
    core.asks = caller
    server = StrictServer()
    writes = converse(core, server)
    assert core.ended is End.QUIT
    assert caller.fates() == dict.fromkeys((1, 2, 3), SENT)
    assert caller.begun == [1, 2, 3]
    assert writes[-1].endswith(b"\r\nQUIT\r\n" if offer.pipelining else b"QUIT\r\n")


@pytest.mark.parametrize("offer", OFFERS)
def test_goodbye_comes_after_what_is_under_way(offer: Offer) -> None:
    core, caller, server = Core(offer, window=2), Caller(letters(10)), StrictServer()
    core.asks = caller
    core.fill()
    core.quit()
    converse(core, server)
    assert core.ended is End.QUIT
    assert caller.fates() == dict.fromkeys(caller.begun, SENT)
    assert server.commands.count(b"QUIT") == 1


def test_new_mail_is_taken_up_while_the_last_answer_is_due() -> None:
    core, caller = Core(PIPELINED), Caller([])
    core.asks = caller
    first, second = letters(2)
    caller.mails = iter([first])
    core.fill()
    core.receive(b"250 Ok\r\n250 Ok\r\n354 Go on\r\n")
    core.take()
    assert core.awaiting is Stage.CONTENT
    caller.mails = iter([second])
    core.fill()
    assert core.take().startswith(b"MAIL")
    core.receive(b"250 Taken\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n")
    assert core.take() == second.content + b".\r\n"


def test_on_hold_no_mail_begins() -> None:
    core, caller = Core(PIPELINED), Caller(letters(1))
    core.asks, core.hold = caller, True
    core.fill()
    assert core.take() == b""
    core.hold = False
    core.fill()
    assert core.take().startswith(b"MAIL")


@pytest.mark.parametrize("offer", [PIPELINED, PLAIN])
def test_one_refusal_takes_one_reset(offer: Offer) -> None:
    _, _, server, _ = talk(offer, 6, RCPT_2=Does(b"550 5.1.1 Nobody\r\n"))
    assert server.commands.count(b"RSET") == 1


def test_how_many_mails_can_be_under_way() -> None:
    depths = [Core(offer, window=5).depth for offer in OFFERS]
    assert depths == [2, 5, 1, 1]
    assert Core(CHUNKED).depth == 16


def test_a_window_of_one_is_no_chunking() -> None:
    _, _, _, two = talk(CHUNKED, 2, window=2)
    assert two[0].count(b"BDAT") == 2
    _, _, _, one = talk(CHUNKED, 2, window=1)
    assert b"BDAT" not in b"".join(one)


def test_an_answer_that_nobody_asked_for_ends_the_session() -> None:
    core, caller, _, _ = talk(PIPELINED, 2)
    core.receive(b"250 By the way\r\n")
    assert core.ended is End.GARBAGE
    assert caller.fates() == {1: SENT, 2: SENT}


def test_a_mail_that_the_server_cannot_take_is_not_put_to_it() -> None:
    core, caller, server = Core(PLAIN), Caller(letters(3)), StrictServer()
    caller.mails = iter(
        [
            Mail(1, "a@example.org", "jürgen@example.org", b"x\r\n", needs_utf8=True),
            Mail(2, "a@example.org", "b@example.org", b"x\r\n"),
        ]
    )
    core.asks = caller
    converse(core, server)
    assert caller.fates() == {1: REFUSED, 2: SENT}
    assert len(server.commands) == 3


def test_after_the_end_there_is_nothing_left_to_say() -> None:
    core, caller = Core(PIPELINED), Caller(letters(2))
    core.asks = caller
    core.fill()
    core.break_off(End.LOST, "The line dropped")
    assert core.take() == b""
    core.fill()
    core.receive(b"250 Ok\r\n")
    assert (core.take(), core.awaiting, caller.returned) == (b"", None, [1])


def test_an_idle_connection_says_goodbye_as_soon_as_it_is_asked_to() -> None:
    core = Core(PIPELINED)
    core.quit()
    assert core.take() == b"QUIT\r\n"
    assert core.awaiting is Stage.QUIT


def test_three_hundred_is_no_consent() -> None:
    core, caller = Core(PLAIN), Caller(letters(1))
    core.asks = caller
    core.fill()
    core.receive(b"300 Go on\r\n")
    assert core.ended is End.GARBAGE
    assert caller.returned == [1]


def test_answers_are_counted_one_by_one() -> None:
    core = Core(PIPELINED)
    core.asks = Caller(letters(1))
    assert (core.answers, core.finished) == (0, 0)
    core.fill()
    core.receive(b"250 Ok\r\n250 Ok\r\n")
    assert core.answers == 2
