"""What the server offers, and what a mail's envelope looks like in that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.delivery.transports.base import Fate, Mail
from mailape.delivery.transports.wire.envelope import Offer, Unsendable, for_data

ALL = Offer.read({"pipelining": "", "chunking": "", "smtputf8": "", "8bitmime": "", "size": "100"})


def mail(
    recipient: str = "b@example.org", *, sender: str = "a@example.org", utf8: bool = False
) -> Mail:
    return Mail(7, sender, recipient, b"x" * 50, needs_utf8=utf8)


def test_an_offer_is_read_from_ehlo() -> None:
    assert Offer(True, True, True, True, True, 100) == ALL
    assert Offer.read({}) == Offer()


@pytest.mark.parametrize("size", ["", "0", "many", "-5", "١٢"])
def test_a_size_without_a_number_is_no_limit(size: str) -> None:
    offer = Offer.read({"size": size})
    assert (offer.sized, offer.size) == (True, 0)


def test_the_envelope_is_two_lines() -> None:
    lines = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"
    assert Offer().envelope(mail()) == lines
    assert ALL.envelope(mail()) == lines.replace(b">\r\nRCPT", b"> SIZE=50\r\nRCPT")


def test_the_empty_sender_of_bounces_is_one() -> None:
    assert Offer().envelope(mail(sender="")).startswith(b"MAIL FROM:<>\r\n")


def refusal(offer: Offer, one: Mail) -> tuple[Fate, str]:
    with pytest.raises(Unsendable) as caught:
        offer.envelope(one)
    outcome = caught.value.outcome
    assert outcome.delivery_id == 7
    assert outcome.text
    return outcome.fate, outcome.enhanced


def test_too_large_a_mail_is_a_fault_of_the_message_and_of_no_reader() -> None:
    assert refusal(Offer(sized=True, size=49), mail()) == (Fate.TOO_LARGE, "5.3.4")
    assert Offer(sized=True, size=50).envelope(mail())


@pytest.mark.parametrize(
    "evil",
    [
        "",
        "b@example.org>\r\nRCPT TO:<c@example.org",
        "b@example.org\r\nDATA",
        "b@example.org> NOTIFY=NEVER",
        "b c@example.org",
        "b\x00@example.org",
        "b\x7f@example.org",
        "<b@example.org>",
        "bü\u2028@example.org",
        "bü\u00a0c@example.org",
        "bü\ud800@example.org",
    ],
)
def test_nothing_in_an_address_becomes_a_command(evil: str) -> None:
    assert refusal(ALL, mail(evil, utf8=not evil.isascii())) == (Fate.REFUSED, "5.1.3")
    if evil:
        assert refusal(ALL, mail(sender=evil)) == (Fate.REFUSED, "5.1.3")


@given(st.text(max_size=30), st.text(max_size=30), st.booleans())
def test_whatever_the_addresses_there_are_two_lines_or_none(
    sender: str, recipient: str, utf8: bool
) -> None:
    try:
        envelope = ALL.envelope(mail(recipient, sender=sender, utf8=utf8))
    except Unsendable:
        return
    first, second, rest = envelope.split(b"\r\n")
    assert first.startswith(b"MAIL FROM:<")
    assert second.startswith(b"RCPT TO:<")
    assert second.endswith(b">")
    assert rest == b""
    assert envelope.count(b"\r") == envelope.count(b"\n") == envelope.count(b"<") == 2
    assert envelope.count(b">") == 2


def test_a_domain_beyond_ascii_goes_out_as_a_label() -> None:
    envelope = Offer().envelope(mail("b@bücher.example"))
    assert b"RCPT TO:<b@xn--bcher-kva.example>\r\n" in envelope


def test_a_local_part_beyond_ascii_needs_the_server() -> None:
    one = mail("jürgen@example.org", utf8=True)
    assert refusal(Offer(eight_bit=True), one) == (Fate.REFUSED, "5.6.7")
    assert b"> SMTPUTF8\r\n" in Offer(utf8=True).envelope(one)
    envelope = ALL.envelope(one)
    assert b"> SIZE=50 SMTPUTF8 BODY=8BITMIME\r\n" in envelope
    assert "RCPT TO:<jürgen@example.org>\r\n".encode() in envelope


@given(st.lists(st.sampled_from([b".", b"\r\n", b"a", b"..", b"\n."]), max_size=12))
def test_stuffed_content_comes_back_as_it_was(parts: list[bytes]) -> None:
    content = b"".join(parts)
    stuffed = for_data(content)
    assert stuffed.endswith(b"\r\n")
    assert not (b"\n" + stuffed).endswith(b"\n.\r\n")
    assert b"\n.\r\n" not in b"\n" + stuffed
    assert b"\n.\n" not in b"\n" + stuffed
    back = (b"\n" + stuffed).replace(b"\n..", b"\n.")[1:]
    assert back in (content, content + b"\r\n")
