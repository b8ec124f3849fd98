"""Mail by SMTP, to a real server that we did not write and that is told to misbehave.

It is aiosmtpd, which offers no PIPELINING; the wire's own tests have servers that do.
"""

from __future__ import annotations

import socket
import threading
import time

import pytest

from mailape.delivery.transports.base import Fate, Mail
from mailape.delivery.transports.wire import Server, WireTransport
from tests.house.smtp import Stage

CONTENT = b"From: a@example.org\r\nSubject: x\r\n\r\n.dot\r\n..two\r\nend\r\n"


def mails(count: int = 1, **fields) -> list[Mail]:
    given = {"sender": "a@example.org", "content": CONTENT, **fields}
    return [
        Mail(delivery_id=n, **{"recipient": f"r{n}@example.org", **given}) for n in range(count)
    ]


@pytest.fixture
def over():
    """A transport to a server: `over(smtp.url)`."""
    opened: list[WireTransport] = []

    def make(url: str, connections: int = 4) -> WireTransport:
        opened.append(WireTransport(Server.from_url(url, helo="[127.0.0.1]"), 1, connections))
        return opened[-1]

    yield make
    for transport in opened:
        transport.close()


def outcomes(transport, given) -> list:
    return [outcome for outcome in transport.send(iter(given)) if outcome is not None]


def fates(transport, given) -> list[Fate]:
    return [outcome.fate for outcome in outcomes(transport, given)]


def test_bytes_arrive_as_they_left_and_dots_survive(smtp, over):
    assert fates(over(smtp.url), mails()) == [Fate.SENT]
    assert smtp.letters[0].content == CONTENT


def test_connections_are_kept_from_one_call_to_the_next(smtp, over):
    transport = over(smtp.url, connections=3)
    for _ in range(5):
        assert set(fates(transport, mails(20))) == {Fate.SENT}
    assert smtp.connections <= 3
    assert len(smtp.letters) == 100


def test_never_more_connections_than_allowed_and_one_until_the_route_works(smtp, over):
    smtp.delay(0.02, at=Stage.RCPT)
    fates(over(smtp.url, connections=4), mails(60))
    assert 1 < smtp.most_at_once <= 4


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
def test_4xx_and_5xx_concern_the_recipient_and_the_next_one_goes(smtp, over, stage):
    smtp.answer("451 4.3.0 Later", at=stage, to="r1@*")
    smtp.answer("552 5.3.4 Never", at=stage, to="r2@*")
    found = {o.delivery_id: o for o in outcomes(over(smtp.url, connections=1), mails(4))}
    assert [found[n].fate for n in range(4)] == [
        Fate.SENT, Fate.TRY_LATER, Fate.REFUSED, Fate.SENT,
    ]  # fmt: skip
    assert (found[2].code, found[2].enhanced, found[2].text) == (552, "5.3.4", "5.3.4 Never")
    assert smtp.connections == 1


@pytest.mark.parametrize(
    ("stage", "answer", "fate"),
    [
        (Stage.CONNECT, "421 4.3.2 Too busy", Fate.ROUTE_DOWN),
        (Stage.CONNECT, "554 5.7.1 Go away", Fate.ROUTE_BROKEN),
        (Stage.EHLO, "450 4.3.2 Not now", Fate.ROUTE_DOWN),
        (Stage.EHLO, "550 5.7.1 Who are you", Fate.ROUTE_BROKEN),
        (Stage.MAIL, "451 4.3.0 Not now", Fate.ROUTE_DOWN),
        (Stage.MAIL, "550 5.7.1 Not this sender", Fate.ROUTE_BROKEN),
        (Stage.MAIL, "421 4.3.2 Closing", Fate.ROUTE_DOWN),
    ],
)
def test_what_goes_wrong_before_rcpt_concerns_the_route(smtp, over, stage, answer, fate):
    smtp.answer(answer, at=stage)
    (first, *rest) = outcomes(over(smtp.url), mails(20))
    assert first.fate is fate
    assert first.answer == answer
    assert not rest  # no more mails were taken
    assert not smtp.letters


def test_a_login_that_is_refused_breaks_the_route(smtp_server, over):
    server = smtp_server(user="ann", password="right")
    assert fates(over(server.url), mails(2)) == [Fate.SENT, Fate.SENT]
    wrong = outcomes(over(server.url.replace("right", "wrong")), mails(2))
    assert [(o.fate, o.code) for o in wrong] == [(Fate.ROUTE_BROKEN, 535)]
    assert "wrong" not in wrong[0].answer


def test_a_login_that_fails_for_now_does_not(smtp_server, over):
    server = smtp_server(user="ann", password="right")
    server.answer("454 4.7.0 Temporary authentication failure", at=Stage.AUTH)
    assert fates(over(server.url), mails()) == [Fate.ROUTE_DOWN]


def test_nobody_there_is_a_route_that_is_down(smtp, over):
    smtp.stop()
    (outcome,) = outcomes(over(smtp.url), mails(3))
    assert outcome.fate is Fate.ROUTE_DOWN
    assert "Connection refused" in outcome.text


def test_a_kept_connection_that_was_closed_is_replaced_without_a_word(smtp, over):
    transport = over(smtp.url, connections=1)
    assert fates(transport, mails()) == [Fate.SENT]
    smtp.stop()
    smtp.start()
    assert fates(transport, mails()) == [Fate.SENT]


def test_a_server_that_closes_after_some_mails_is_called_again(smtp, over):
    smtp.drop(at=Stage.DONE, to="r3@*")
    smtp.answer("421 4.4.5 Enough", at=Stage.MAIL, times=3)
    transport = over(smtp.url, connections=1)
    # It closes on three new connections: that is the route's fault and not the mail's.
    assert fates(transport, mails(1)) == [Fate.ROUTE_DOWN]
    assert fates(transport, mails(6)) == [Fate.SENT] * 6


def test_a_line_cut_before_the_dot_is_tried_later_and_behind_it_in_doubt(smtp, over):
    smtp.drop(at=Stage.RCPT, to="r1@*")
    smtp.drop(at=Stage.DOT, to="r3@*")
    found = {o.delivery_id: o.fate for o in outcomes(over(smtp.url, connections=1), mails(5))}
    assert found == {
        0: Fate.SENT, 1: Fate.TRY_LATER, 2: Fate.SENT, 3: Fate.IN_DOUBT, 4: Fate.SENT,
    }  # fmt: skip


def test_a_line_cut_in_the_middle_of_the_content_is_never_taken_for_sent(smtp, over):
    smtp.drop(at=Stage.DATA, to="r0@*", times=1)
    big = CONTENT + b"x" * 70 + b"\r\n"
    (outcome,) = outcomes(over(smtp.url), mails(content=big * 20_000))
    assert outcome.fate in {Fate.TRY_LATER, Fate.IN_DOUBT}


def test_garbage_behind_the_dot_is_in_doubt(over):
    with Scripted([b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"what?\r\n"]) as url:
        assert fates(over(url), mails()) == [Fate.IN_DOUBT]


def test_starttls_is_used_where_it_is_offered_and_demanded_where_it_must(
    smtp_server, over, monkeypatch
):
    server = smtp_server(starttls=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    assert fates(over(server.url), mails()) == [Fate.SENT]
    assert server.letters[0].tls
    assert fates(over(f"smtp://127.0.0.1:{server.port}"), mails()) == [Fate.SENT]
    assert server.letters[1].tls


def test_without_starttls_nothing_goes_out_where_it_is_demanded(smtp, over):
    (outcome,) = outcomes(over(f"smtp+starttls://127.0.0.1:{smtp.port}"), mails(2))
    assert outcome.fate is Fate.ROUTE_BROKEN
    assert "STARTTLS" in outcome.text
    assert not smtp.letters


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_a_bad_certificate_breaks_a_route_that_demands_tls(smtp_server, over, monkeypatch, how):
    server = smtp_server(**{how: True}, wrong_name=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    (outcome,) = outcomes(over(server.url), mails(2))
    assert outcome.fate is Fate.ROUTE_BROKEN
    assert "certificate" in outcome.text
    assert not server.letters


def test_a_bad_certificate_is_no_worse_than_no_tls_where_none_is_demanded(smtp_server, over):
    server = smtp_server(starttls=True, wrong_name=True)
    assert fates(over(f"smtp://127.0.0.1:{server.port}"), mails()) == [Fate.SENT]


def test_smtps(smtp_server, over, monkeypatch):
    server = smtp_server(tls=True, user="ann", password="p%40ss")
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    found = outcomes(over(server.url.replace("p%40ss", "p%2540ss")), mails())
    assert [o.fate for o in found] == [Fate.SENT]


def test_a_non_ascii_local_part_needs_smtputf8_and_concerns_that_one_only(smtp, smtp_server, over):
    two = [*mails(recipient="jürgen@example.org", needs_utf8=True), *mails(2)[1:]]
    found = {o.delivery_id: o for o in outcomes(over(smtp.url), two)}
    assert [found[0].fate, found[1].fate] == [Fate.REFUSED, Fate.SENT]
    assert "beyond ASCII" in found[0].text
    able = smtp_server(smtputf8=True)
    assert fates(over(able.url), two) == [Fate.SENT, Fate.SENT]
    assert "SMTPUTF8" in able.to("jürgen@example.org")[0].options


def test_a_mail_too_large_for_the_server_is_nobodys_fault(smtp_server, over):
    server = smtp_server(size=100)
    given = [*mails(2), *mails(5, content=CONTENT * 10)[2:4], *mails(5)[4:]]
    found = {o.delivery_id: o for o in outcomes(over(server.url), given)}
    assert [found[n].fate for n in range(5)] == [
        Fate.SENT, Fate.SENT, Fate.TOO_LARGE, Fate.TOO_LARGE, Fate.SENT,
    ]  # fmt: skip
    assert found[2].code == 552


def test_a_mail_that_may_not_go_any_more_does_not(smtp, over):
    assert fates(over(smtp.url), mails(may_go=lambda: False)) == [Fate.NOT_BEGUN]
    answers = iter([True, False])  # it may begin, and may not end
    transport = over(smtp.url)
    found = fates(transport, [*mails(may_go=lambda: next(answers)), *mails(2)[1:]])
    assert sorted(f.name for f in found) == ["NOT_BEGUN", "SENT"]
    assert [letter.to for letter in smtp.letters] == ["r1@example.org"]


def test_a_line_end_in_an_address_is_no_command(smtp, over):
    evil = "r@example.org>\r\nRCPT TO:<victim@example.org"
    (outcome,) = outcomes(over(smtp.url), mails(recipient=evil))
    assert outcome.fate is Fate.REFUSED
    assert not smtp.letters


def test_it_gives_a_sign_of_life_while_the_server_is_silent(smtp, over):
    smtp.delay(1.2, at=Stage.DOT)
    seen = list(over(smtp.url).send(iter(mails())))
    assert seen.count(None) >= 1
    assert seen[-1].fate is Fate.SENT


def test_mails_are_taken_only_when_they_can_go(smtp, over):
    smtp.delay(0.3, at=Stage.DOT)
    taken: list[float] = []

    def source():
        for mail in mails(3):
            taken.append(time.monotonic())
            yield mail

    list(over(smtp.url, connections=1).send(source()))
    assert taken[1] - taken[0] > 0.25
    assert taken[2] - taken[1] > 0.25


class Scripted:
    """A server that says these lines, one after each thing it hears, and nothing else."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = [b"220 hello\r\n", b"250 hello\r\n", *lines]

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"smtp://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        line, _ = self._listener.accept()
        with line:
            for words in self._lines:
                line.sendall(words)
                line.recv(65536)

    def __exit__(self, *_: object) -> None:
        self._listener.close()
