"""Which way out an instance has, and how its processes share the connections."""

from __future__ import annotations

import pytest

from mailape.core import clock
from mailape.core.models import WorkerSign
from mailape.delivery import transports
from mailape.delivery.models import OutboxMail
from mailape.delivery.transports.base import Fate, Mail, enhanced, one_line
from mailape.delivery.transports.outbox import Outbox
from mailape.delivery.transports.wire import WireTransport
from mailape.senders.models import TransportAccount

pytestmark = pytest.mark.django_db


def worker(queues: str) -> None:
    now = clock.now()
    name = f"worker {WorkerSign.objects.count()}"
    WorkerSign.objects.create(
        name=name, role="worker", queues=queues, version="1", started_at=now, seen_at=now
    )


def test_without_a_server_mail_stays_in_the_outbox():
    way = transports.current()
    assert isinstance(way, Outbox)
    account = TransportAccount.objects.get()
    assert (account.kind, account.workspace, way.account_id) == ("outbox", None, account.pk)


def test_with_a_server_there_is_one_account_without_its_secrets(smtp_server, smtp_url):
    server = smtp_server(user="ann", password="geheim")
    smtp_url(server.url)
    assert transports.current() is transports.current()
    account = TransportAccount.objects.get(kind="smtp")
    assert account.server == f"127.0.0.1:{server.port}"
    assert "geheim" not in repr(vars(account))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("news.example.org", "news.example.org"), ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"), ("", "localhost"),
    ],
)  # fmt: skip
def test_servers_are_told_a_name_or_an_address_literal(settings, host, name):
    settings.SITE_HOST = host
    assert transports.helo() == name


def test_sixteen_connections_are_shared_by_all_that_send(smtp, smtp_url):
    smtp_url(smtp.url)
    way = transports.current()
    assert isinstance(way, WireTransport)
    assert way.connections == 16
    worker("bulk,send,wake")
    worker("bulk,send,wake")
    assert transports.current().connections == 8
    assert transports.current(machine=True).connections == transports.FOR_MACHINE_MAIL
    worker("wake")
    assert transports.current().connections == 7  # and two for the one that only wakes
    for _ in range(20):
        worker("send")
    assert transports.current().connections == 1


def test_the_outbox_gives_each_mail_one_outcome_and_takes_them_one_by_one():
    taken: list[int] = []

    def source():
        for n in range(3):
            taken.append(n)
            yield Mail(n, "a@x.example", f"r{n}@x.example", b"Subject: x\r\n\r\nx\r\n", "x")

    sending = Outbox(1).send(source())
    assert next(sending).fate is Fate.SENT
    assert taken == [0]
    assert [outcome.delivery_id for outcome in sending] == [1, 2]
    assert OutboxMail.objects.count() == 3


def test_the_outbox_keeps_nothing_that_may_not_go():
    mail = Mail(1, "a@x.example", "r@x.example", b"x", may_go=lambda: False)
    assert [outcome.fate for outcome in Outbox(1).send([mail])] == [Fate.NOT_BEGUN]
    assert not OutboxMail.objects.exists()


def test_answers_are_one_printable_line_with_their_enhanced_code():
    assert one_line("4.7.1 Try\r\nlater\x00 \u2028now\ud800") == "4.7.1 Try later now"
    assert enhanced("4.7.1 Try later") == "4.7.1"
    assert enhanced("Try later 4.7.1") == ""
    assert enhanced("4.7.12345 x") == ""
