"""What `chaos` does not count as lost: mails that could not be put to the server at all."""

from __future__ import annotations

import pytest

from chaos.evidence import Act, Attempt, Evidence, Person, Row, Sent
from chaos.invariants import lost

pytestmark = pytest.mark.once
NEWS = frozenset([1])
SENDER = "m1@news.example"


def failed(reason: str, to: str = "eve@x.example") -> Evidence:
    """She was on the list all the time, and her mail has failed for this reason."""
    return Evidence(
        attempts=[],
        rows=[Row(1, "newsletter", 7, to, "failed", f"Refused: {reason}", key="k")],
        people={to: Person(to, 1, [Act("joined", 10.0, 10.1, NEWS)])},
        sent=[Sent(7, 1, "First", SENDER, NEWS, 100.0, status="sent")],
    )


@pytest.mark.parametrize(
    ("withheld", "to", "is_lost"),
    [(True, "\u00e9@x.example", False), (False, "\u00e9@x.example", True),
     (True, "eve@x.example", True)],
    ids=["needed and withheld", "offered all the time", "not needed"],
)  # fmt: skip
def test_an_address_that_needs_smtputf8_where_it_is_not_offered(
    withheld: bool, to: str, is_lost: bool
) -> None:
    e = failed("The server takes no address with letters beyond ASCII before the at sign", to)
    e.utf8_withheld = withheld
    assert bool(list(lost(e))) is is_lost


@pytest.mark.parametrize(
    ("octets", "at_most", "is_lost"),
    [(60, 50, False), (60, 55, True), (40, 50, True)],
    ids=["too large", "never offered", "not too large"],
)
def test_a_mail_that_is_larger_than_a_size_that_was_offered(
    octets: int, at_most: int, is_lost: bool
) -> None:
    e = failed(f"552 5.3.4 The mail has {octets} octets and the server takes {at_most}")
    e.sizes = frozenset({50, 1000})
    assert bool(list(lost(e))) is is_lost


@pytest.mark.parametrize(("stage", "is_lost"), [("MAIL", False), ("RCPT", True)])
def test_a_mail_whose_size_was_refused_when_it_was_said(stage: str, is_lost: bool) -> None:
    e = failed("552 5.3.4 Message too big")
    e.attempts.append(Attempt(1, 102, SENDER, "", stage, "552 5.3.4 Message too big"))
    assert bool(list(lost(e))) is is_lost
