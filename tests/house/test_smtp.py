"""The mail server of the tests does what its script says, and writes down before it answers."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.ledger import read_ledger
from tests.house.smtp import SmtpServer, Stage

pytestmark = pytest.mark.once
TEXT = "From: a@example.org\r\nTo: b@example.org\r\nMessage-ID: <1@example.org>\r\n\r\n.dot\r\n"
Smtp = Callable[..., SmtpServer]


def connect(server: SmtpServer) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", server.port, timeout=5)


def send(client: smtplib.SMTP, to: str = "b@example.org") -> None:
    client.sendmail("a@example.org", [to], TEXT)


def send_two(server: SmtpServer) -> None:
    with connect(server) as client:
        send(client)
        send(client)


def test_a_letter_is_kept_with_envelope_and_bytes(smtp: SmtpServer) -> None:
    with connect(smtp) as client:
        send(client)
    (letter,) = smtp.wait_for(1)
    assert (letter.sender, letter.to) == ("a@example.org", "b@example.org")
    assert letter.content == TEXT.encode()
    assert letter.message_id == "<1@example.org>"
    assert smtp.connections == 1


def test_a_recipient_may_be_told_to_come_back_as_often_as_the_script_says(smtp: SmtpServer) -> None:
    smtp.answer("451 4.7.1 Later", to="slow@*", times=2)
    with connect(smtp) as client:
        send(client, "quick@example.org")
        for _ in range(2):
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                send(client, "slow@example.org")
        send(client, "slow@example.org")
    assert [letter.to for letter in smtp.letters] == ["quick@example.org", "slow@example.org"]
    assert smtp.refusals == [(Stage.RCPT, "slow@example.org", "451 4.7.1 Later")] * 2


@pytest.mark.parametrize(
    ("stage", "taken"),
    [("CONNECT", 0), ("EHLO", 0), ("MAIL", 0), ("RCPT", 0), ("DATA", 0), ("DOT", 1), ("DONE", 1)],
)
def test_a_cut_line_leaves_a_letter_only_behind_its_dot(
    smtp: SmtpServer, stage: str, taken: int
) -> None:
    smtp.drop(at=Stage(stage), times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send_two(smtp)  # only after DONE does it come to the second
    assert len(smtp.letters) == taken
    with connect(smtp) as client:
        send(client)
    assert len(smtp.letters) == taken + 1


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
def test_every_stage_can_refuse(smtp: SmtpServer, stage: str) -> None:
    smtp.answer("554 5.7.1 No", at=Stage(stage))
    with pytest.raises(smtplib.SMTPException):
        send_two(smtp)
    assert not smtp.letters
    smtp.behave()
    with connect(smtp) as client:
        send(client)
    assert len(smtp.letters) == 1


def test_421_closes_the_connection(smtp: SmtpServer) -> None:
    smtp.answer("421 4.3.0 Closing", at=Stage.MAIL, times=1)
    with connect(smtp) as client:
        with pytest.raises(smtplib.SMTPException):
            send(client)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()


def test_starttls_and_a_password(smtp_server: Smtp) -> None:
    server = smtp_server(starttls=True, user="ann", password="secret")
    trust = ssl.create_default_context(cafile=server.certificate)
    with connect(server) as client:
        client.starttls(context=trust)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("ann", "wrong")
        client.login("ann", "secret")
        send(client)
    assert (server.letters[0].tls, server.letters[0].user) == (True, "ann")


def test_a_certificate_for_another_name_is_seen_through(smtp_server: Smtp) -> None:
    server = smtp_server(starttls=True, wrong_name=True)
    trust = ssl.create_default_context(cafile=server.certificate)
    with connect(server) as client, pytest.raises(ssl.SSLCertVerificationError):
        client.starttls(context=trust)


def test_tls_from_the_first_byte(smtp_server: Smtp) -> None:
    server = smtp_server(tls=True)
    trust = ssl.create_default_context(cafile=server.certificate)
    with smtplib.SMTP_SSL("127.0.0.1", server.port, timeout=5, context=trust) as client:
        send(client)
    assert server.letters[0].tls


def test_it_can_go_away_and_come_back_on_its_port(smtp: SmtpServer) -> None:
    client = connect(smtp)
    smtp.stop()
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.noop()
    with pytest.raises(ConnectionError):
        connect(smtp)
    smtp.start()
    with connect(smtp) as again:
        send(again)
    assert len(smtp.letters) == 1


def test_a_deed_is_called_before_the_answer_and_can_be_taken_back(smtp: SmtpServer) -> None:
    seen: list[int] = []
    rule = smtp.call(lambda session: seen.append(len(smtp.letters)), at=Stage.DOT)
    with connect(smtp) as client:
        send(client)
        smtp.forget(rule)
        send(client)
    assert seen == [0]
    smtp.call(lambda session: seen.append(7), at=Stage.DATA, times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send_two(smtp)
    assert (seen, len(smtp.letters)) == ([0, 7], 2)


def test_it_offers_what_it_is_told_to(smtp: SmtpServer, smtp_server: Smtp) -> None:
    offers = smtp_server(extensions=("PIPELINING", "X-ODD"))
    with connect(smtp) as plain, connect(offers) as other:
        plain.ehlo()
        other.ehlo()
        assert not plain.has_extn("pipelining")
        assert other.has_extn("pipelining")
        assert other.has_extn("x-odd")
        assert other.has_extn("size")


def test_as_a_command_it_keeps_a_ledger_and_counts(tmp_path: Path) -> None:
    ledger = tmp_path / "taken.jsonl"
    command = [sys.executable, "-m", "tests.house.smtp", "--port", "0", "--ledger", str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout is not None
        url = json.loads(sink.stdout.readline())["url"]
        with smtplib.SMTP("127.0.0.1", int(url.rpartition(":")[2]), timeout=5) as client:
            send(client)
            send(client)
        os.kill(sink.pid, signal.SIGTERM)
        counts = json.loads(sink.stdout.readline())
    assert sink.returncode == 0
    assert (counts["letters"], counts["recipients"], counts["twice"]) == (2, 1, 1)
    assert [letter.content for letter in read_ledger(ledger)] == [TEXT.encode()] * 2
