"""Each invariant of `chaos` holds for a run in which all went well, and each can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.evidence import (
    NEVER,
    Act,
    Attempt,
    Count,
    Evidence,
    Limit,
    Person,
    Recovery,
    Row,
    Sample,
    Sent,
    Stop,
)  # fmt: skip
from chaos.invariants import CHECKS, judge

pytestmark = pytest.mark.once
WEEKLY, DAILY = 1, 2
NEWS = frozenset([WEEKLY])


def joined(at: float = 10.0, lists: frozenset[int] = NEWS) -> Act:
    return Act("joined", at, at + 0.1, lists)


def left(at: float, *, answered: bool = True) -> Act:
    return Act("left", at, at + 0.1 if answered else None, NEWS)


def letter(to: str, at: float, *, connection: int = 1, key: str = "", **more) -> Attempt:
    return Attempt(
        connection, begun=at, sender="m1@news.example", to=to, stage="DOT", key=key or f"k-{to}",
        digest="same", subject="First", taken=at + 0.1, heard=True,
    )  # fmt: skip


def row(number: int, to: str, state: str = "sent") -> Row:
    return Row(number, "newsletter", 7, to, state, key=f"k-{to}")


def confirmation(number: int, to: str, state: str = "sent") -> Row:
    return Row(number, "confirmation", 9, to, state, occasion=1, key=f"c-{to}")


def she_left(e: Evidence, act: Act) -> None:
    e.people["eve@x.example"].acts.append(act)
    e.standing["eve@x.example", WEEKLY] = "unsubscribed"


@pytest.fixture
def good() -> Evidence:
    """Ann and Eve are on the list, Zoe left before, Max belongs to others: two mails, all well."""
    people = {
        "ann@x.example": Person("ann@x.example", 1, [joined()]),
        "eve@x.example": Person("eve@x.example", 1, [joined()]),
        "zoe@x.example": Person("zoe@x.example", 1, [joined(), left(20)]),
        "max@x.example": Person("max@x.example", 2, [joined()]),
    }
    return Evidence(
        attempts=[letter("ann@x.example", 101), letter("eve@x.example", 102)],
        rows=[row(1, "ann@x.example"), row(2, "eve@x.example")],
        people=people,
        sent=[Sent(7, 1, "First", "m1@news.example", NEWS, 100.0, 100.5, status="sent")],
        counts=[Count("api", 7, "sent", 2), Count("api", 7, "failed", 0)],
        samples=[Sample(50, "send", age, 60.0, 20) for age in (1, 30, 60)],
        recoveries=[Recovery("kill-sender", 3.0, 35.0)],
        asked={"ann@x.example"},
        standing={
            ("ann@x.example", WEEKLY): "confirmed",
            ("eve@x.example", WEEKLY): "confirmed",
            ("zoe@x.example", WEEKLY): "unsubscribed",
            ("max@x.example", WEEKLY): "confirmed",
        },
        limit=Limit(2, 1.0),
        lines_lost=1,
    )


def found(evidence: Evidence) -> set[str]:
    # A copy, because what was derived from the last one is remembered.
    return {finding.invariant for finding in judge(replace(evidence)).findings}


def test_a_good_run_is_found_good(good: Evidence) -> None:
    assert found(good) == set()


def lose_a_letter(e: Evidence) -> None:
    e.attempts.pop()
    e.rows[1] = replace(e.rows[1], state="failed")
    e.counts.clear()


def lose_a_row(e: Evidence) -> None:
    e.attempts.pop()
    e.rows.pop()
    e.counts.clear()


def lose_what_is_called_unknown(e: Evidence) -> None:
    """Unknown is no excuse where no line was ever in doubt."""
    e.attempts.pop()
    e.rows[1] = replace(e.rows[1], state="unknown")
    e.counts.clear()


def lose_what_is_called_quarantined(e: Evidence) -> None:
    e.kills = 2
    e.attempts.pop()
    e.rows[1] = replace(e.rows[1], state="quarantined")
    e.counts.clear()


def lose_who_is_not_poison(e: Evidence) -> None:
    """Where senders die on Ann's mail alone, Eve's is not set aside for it."""
    lose_what_is_called_quarantined(e)
    e.kills, e.poisoned = 9, {"ann"}


def lose_a_confirmation(e: Evidence) -> None:
    e.asked.add("new@x.example")


def forget_that_she_left(e: Evidence) -> None:
    e.standing["zoe@x.example", WEEKLY] = "confirmed"


def forget_a_suppression(e: Evidence) -> None:
    e.people["zoe@x.example"].acts.append(Act("suppressed", 30.0, 30.1))


def forget_one_of_many_lines(e: Evidence) -> None:
    e.pasted.add("spam@x.example")


def lose_a_picture(e: Evidence) -> None:
    e.holes.append("/i/1.png was taken in and is not there: 404")


def write_to_someone_who_left(e: Evidence) -> None:
    e.attempts.append(letter("zoe@x.example", 103))
    e.rows.append(row(3, "zoe@x.example"))
    e.counts.clear()


def write_to_another_workspace(e: Evidence) -> None:
    e.attempts.append(letter("max@x.example", 103))
    e.rows.append(row(3, "max@x.example"))
    e.counts.clear()


def write_to_one_who_never_confirmed(e: Evidence) -> None:
    e.people["new@x.example"] = Person("new@x.example", 1)
    e.attempts.append(letter("new@x.example", 103))
    e.rows.append(row(3, "new@x.example"))
    e.counts.clear()


def put_a_mail_in_the_wrong_hands(e: Evidence) -> None:
    e.attempts[1].to = "ann@x.example"


def write_twice(e: Evidence) -> None:
    e.attempts.append(letter("ann@x.example", 110, connection=2))


def write_twice_without_having_heard(e: Evidence) -> None:
    """A newsletter in doubt is held: even then a second copy is wrong."""
    e.attempts[0].heard = False
    write_twice(e)


def write_a_confirmation_twice_though_heard(e: Evidence) -> None:
    for at in (103, 104):
        e.attempts.append(replace(letter("new@x.example", at, key="c-new@x.example"), sender="i@x"))
    e.rows.append(confirmation(3, "new@x.example"))


def change_the_content(e: Evidence) -> None:
    cut = letter("ann@x.example", 100.9)
    cut.taken, cut.digest, cut.heard = 0.0, "other", False
    e.attempts.append(cut)


def change_the_message_id(e: Evidence) -> None:
    cut = letter("ann@x.example", 100.9, key="k-other")
    cut.taken = 0.0
    e.attempts.append(cut)


def show_a_wrong_number(e: Evidence) -> None:
    e.counts[0] = Count("page", 7, "sent", 3)


def record_what_never_went(e: Evidence) -> None:
    e.attempts.pop()


def forget_what_went(e: Evidence) -> None:
    e.rows[0] = replace(e.rows[0], state="failed")
    e.counts.clear()


def doubt_without_need(e: Evidence) -> None:
    e.rows[1] = replace(e.rows[1], state="unknown")
    e.counts.clear()


def doubt_too_much(e: Evidence) -> None:
    e.window = 16
    e.lines_lost = 0
    doubt_without_need(e)


def leave_one_open(e: Evidence) -> None:
    e.rows.append(row(3, "zoe@x.example", "deferred"))


def end_too_late(e: Evidence) -> None:
    e.sent[0].over_in_time = False


def write_long_after_leaving(e: Evidence) -> None:
    she_left(e, left(100.2))
    e.attempts[1].begun, e.attempts[1].taken = 106.0, 106.1


def write_long_after_a_suppression(e: Evidence) -> None:
    e.people["eve@x.example"].acts.append(Act("suppressed", 100.2, 100.3))
    e.suppressed.add("eve@x.example")
    e.attempts[1].begun, e.attempts[1].taken = 106.0, 106.1


def write_long_after_a_pause(e: Evidence) -> None:
    e.sent[0].stops.append(Stop("pause", 99.5, 110.0))


def write_long_after_a_cancel(e: Evidence) -> None:
    e.sent[0].stops.append(Stop("cancel", 99.5))


def hurry(e: Evidence) -> None:
    e.attempts += [replace(letter("ann@x.example", 101.5), taken=0.0)] * 2


def send_in_clear(e: Evidence) -> None:
    e.tls = True


def send_what_was_not_offered(e: Evidence) -> None:
    e.attempts[0].unfit = "octets above 127 without BODY=8BITMIME"


def throw(e: Evidence) -> None:
    e.errors.append("ZeroDivisionError: division by zero")


def swell(e: Evidence) -> None:
    e.samples.append(Sample(50, "send", 90, 160.0, 20))


def leak(e: Evidence) -> None:
    e.samples.append(Sample(50, "send", 90, 60.0, 55))


def sleep(e: Evidence) -> None:
    e.recoveries.append(Recovery("redis", 16.0, 15.0))


WRONG: list[tuple[Callable[[Evidence], None], str]] = [
    (lose_a_letter, "I1"),
    (lose_a_row, "I1"),
    (lose_what_is_called_unknown, "I1"),
    (lose_what_is_called_quarantined, "I1"),
    (lose_who_is_not_poison, "I1"),
    (lose_a_confirmation, "I1 acts"),
    (forget_that_she_left, "I1 acts"),
    (forget_a_suppression, "I1 acts"),
    (forget_one_of_many_lines, "I1 acts"),
    (lose_a_picture, "I1 acts"),
    (write_to_someone_who_left, "I2"),
    (write_to_another_workspace, "I2"),
    (write_to_one_who_never_confirmed, "I2"),
    (put_a_mail_in_the_wrong_hands, "I2"),
    (write_twice, "I3"),
    (write_twice_without_having_heard, "I3"),
    (write_a_confirmation_twice_though_heard, "I3"),
    (change_the_content, "I4"),
    (change_the_message_id, "I4"),
    (show_a_wrong_number, "I5"),
    (record_what_never_went, "I5"),
    (forget_what_went, "I5"),
    (doubt_without_need, "I5"),
    (doubt_too_much, "I5"),
    (leave_one_open, "I6"),
    (end_too_late, "I6"),
    (write_long_after_leaving, "I7"),
    (write_long_after_a_suppression, "I7"),
    (write_long_after_a_pause, "I8"),
    (write_long_after_a_cancel, "I8"),
    (hurry, "I9"),
    (throw, "I10"),
    (swell, "I10"),
    (leak, "I10"),
    (send_in_clear, "TLS"),
    (send_what_was_not_offered, "offer"),
    (sleep, "recovery"),
]


@pytest.mark.parametrize(("spoil", "invariant"), WRONG, ids=lambda x: getattr(x, "__name__", x))
def test_what_is_wrong_is_found(
    good: Evidence, spoil: Callable[[Evidence], None], invariant: str
) -> None:
    spoil(good)
    assert invariant in found(good)


def test_every_invariant_was_seen_to_fail() -> None:
    assert {invariant for _, invariant in WRONG} == set(CHECKS)


# --- and what only looks wrong is not ------------------------------------------------------------


def test_a_refusal_by_the_server_is_no_loss(good: Evidence) -> None:
    lose_a_letter(good)
    good.attempts.append(
        Attempt(1, 102, "m1@news.example", "eve@x.example", "RCPT", "550 5.1.1 Unknown")
    )
    assert found(good) == set()


@pytest.mark.parametrize("poisoned", [None, {"eve"}], ids=["by chance", "on her mail"])
def test_a_mail_on_which_senders_died_is_no_loss(good: Evidence, poisoned: set[str] | None) -> None:
    lose_what_is_called_quarantined(good)
    good.kills, good.poisoned = 9, poisoned
    assert found(good) == set()


def test_a_refused_sender_is_no_excuse(good: Evidence) -> None:
    lose_a_letter(good)
    good.attempts.append(Attempt(1, 102, "m1@news.example", "eve@x.example", "MAIL", "550 No"))
    assert found(good) == {"I1"}


@pytest.mark.parametrize("taken", [0.0, 102.1])
def test_a_mail_in_doubt_is_unknown_whether_it_arrived_or_not(good: Evidence, taken: float) -> None:
    good.attempts[1].heard, good.attempts[1].taken = False, taken
    good.rows[1] = replace(good.rows[1], state="unknown")
    good.counts.clear()
    assert found(good) == set()


@pytest.mark.parametrize(
    ("stage", "heard", "wrong"),
    [("DOT", False, set()), ("DOT", True, {"I1", "I5"}), ("DATA", False, {"I1", "I5"})],
    ids=["not read", "read", "instead of 354"],
)
def test_a_refusal_that_nobody_read_leaves_doubt(
    good: Evidence, stage: str, heard: bool, wrong: set[str]
) -> None:
    lose_what_is_called_unknown(good)
    refused = Attempt(1, 102, "m1@news.example", "eve@x.example", stage, "554 5.7.1 Spam")
    refused.heard = heard
    good.attempts.append(refused)
    assert found(good) == wrong


def test_with_chunking_a_whole_window_may_be_in_doubt(good: Evidence) -> None:
    """The server may not have read what was handed over before the line was lost."""
    good.window = 16
    lose_what_is_called_unknown(good)
    assert found(good) == set()


def test_a_confirmation_in_doubt_may_come_twice(good: Evidence) -> None:
    for at in (103, 104):
        one = replace(letter("new@x.example", at, key="c-new@x.example"), sender="i@x")
        good.attempts.append(one)
        one.heard = at == 104
    good.rows.append(confirmation(3, "new@x.example"))
    verdict = judge(good)
    assert (verdict.findings, verdict.explained) == ([], 1)


@pytest.mark.parametrize(
    ("kills", "heard", "wrong"),
    [(3, False, set()), (3, True, {"I5"}), (2, False, {"I5"})],
    ids=["three deaths, each in doubt", "one copy was surely read", "two deaths"],
)
def test_a_confirmation_on_which_three_senders_died_may_have_arrived(
    good: Evidence, kills: int, heard: bool, wrong: set[str]
) -> None:
    one = replace(letter("new@x.example", 103, key="c-new@x.example"), sender="i@x")
    one.heard, good.kills = heard, kills
    good.attempts.append(one)
    good.rows.append(confirmation(3, "new@x.example", "quarantined"))
    assert found(good) == wrong


def test_without_a_journal_what_was_not_saved_is_counted_by_itself(good: Evidence) -> None:
    good.journal = False
    write_twice(good)
    verdict = judge(good)
    assert (verdict.findings, verdict.explained, verdict.unsaved) == ([], 0, 1)
    good.kills = 1
    forget_what_went(good)
    verdict = judge(replace(good))
    assert (verdict.findings, verdict.unsaved) == ([], 2)


def test_cancelling_explains_what_was_skipped(good: Evidence) -> None:
    lose_a_letter(good)
    good.rows[1] = replace(good.rows[1], state="skipped")
    good.sent[0].status = "cancelled"
    good.sent[0].stops.append(Stop("cancel", 101.5))
    assert found(good) == set()


def test_who_leaves_without_an_answer_may_get_it_or_not(good: Evidence) -> None:
    good.people["eve@x.example"].acts.append(left(90, answered=False))
    assert found(good) == set()
    good.attempts.pop()
    good.rows[1] = replace(good.rows[1], state="skipped")
    good.counts.clear()
    assert found(good) == set()


def test_who_left_and_came_back_may_be_written_to(good: Evidence) -> None:
    good.people["zoe@x.example"].acts.append(joined(50))
    good.standing["zoe@x.example", WEEKLY] = "confirmed"
    write_to_someone_who_left(good)
    assert found(good) == set()


def test_who_is_on_another_list_of_the_message_is_not_out(good: Evidence) -> None:
    both = frozenset([WEEKLY, DAILY])
    good.sent[0].lists = both
    good.people["zoe@x.example"].acts.insert(0, joined(11, frozenset([DAILY])))
    good.standing["zoe@x.example", DAILY] = "confirmed"
    assert good.people["zoe@x.example"].off_since(both, 101) == NEVER
    write_to_someone_who_left(good)
    assert found(good) == set()


def test_a_mail_within_five_seconds_of_leaving_is_right(good: Evidence) -> None:
    she_left(good, left(100.2))
    assert found(good) == set()


def test_what_lay_unseen_before_a_busy_server_accuses_nobody(good: Evidence) -> None:
    write_long_after_a_pause(good)
    assert found(good) == {"I8"}
    good.attempts[1].unseen = 1.0
    assert found(good) == set()
