"""Every kind of mail as it leaves by a socket, with hostile words wherever somebody may type some.

The rules are those of `lint`, which works on the bytes and trusts no parser.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailape.campaigns import dispatch
from mailape.campaigns.models import Message
from mailape.delivery import notices, tasks
from mailape.delivery.models import SubscriberMessage
from mailape.delivery.tests import lint
from mailape.delivery.tests.conftest import add_readers, counted
from mailape.lists import subscribe
from mailape.lists.models import MailingList, Method, Subscriber
from mailape.lists.subscribe import Origin
from tests.house.ledger import Letter
from tests.house.people import Person
from tests.house.smtp import SmtpServer

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = [
    "Ann\r\nBcc: evil@example.com", 'O"Brien, <x@y.example>', "=?utf-8?q?evil?=", "\\", '"',
    "\u202eevil\u2066", "a" * 200, "👩‍👩‍👧‍👦" * 25, "é" * 38 + "👩‍👩‍👧‍👦", "\u0301" * 60, "ç" * 200,
    "Ann\u2028Bcc: x", " lead  trail ", "Zoë, PhD (x); y", "tab\there",
]  # fmt: skip
SUBJECTS = ["{{ subscriber.name }} " + "😀" * 40, "x" * 300, "a=?b?=", "word " * 50, "日本語" * 50]
BODY = """Hello {{ subscriber.name }},

.a dot
From the very first column

[a](https://user:pw@example.org/p?q=1&b=2#part) [b](https://exämple.org/ü?x=é#ü)
[c](https://example.org/?who={{ subscriber.email }}#{{ subscriber.name }})

{{ subscriber.fields.note }}
""" + "y" * 1500  # fmt: skip


@pytest.fixture
def hostile_list(alice: Person, a_list: MailingList) -> MailingList:
    a_list.name = 'Wöchentlich "News", <all>\u2028'
    a_list.welcomes = True
    a_list.save()
    alice.workspace.postal_address = "Straße 1,\r\n.Ort\u2028Bcc: x"
    alice.workspace.save()
    for one, name in zip(add_readers(a_list, len(HOSTILE)), HOSTILE, strict=True):
        note = f".\r\n.\nFrom x\r\r\n{name}"
        Subscriber.objects.filter(pk=one.pk).update(name=name, fields={"note": note})
    return a_list


def fields(letter: Letter) -> set[str]:
    return {name for name, _ in lint.take_apart(letter.content).fields}


def test_a_newsletter_keeps_every_rule_for_every_reader(
    hostile_list: MailingList,
    write: Callable[..., Message],
    smtp: SmtpServer,
    smtp_url: Callable[[str], None],
) -> None:
    smtp_url(smtp.url)
    for subject in SUBJECTS:
        message = dispatch.send(write([hostile_list], subject=subject, body=BODY))
        tasks.build()
        tasks.send()
        assert counted(message) == {"sent": len(HOSTILE)}
    assert len(smtp.letters) == len(SUBJECTS) * len(HOSTILE)
    for letter in smtp.letters:
        assert lint.faults(letter.content, bulk=True) == []
        assert "bcc" not in fields(letter)


def test_machine_mail_keeps_every_rule_for_every_mail(
    alice: Person,
    hostile_list: MailingList,
    write: Callable[..., Message],
    smtp: SmtpServer,
    smtp_url: Callable[[str], None],
) -> None:
    smtp_url(smtp.url)
    subscribe.sign_up(hostile_list, "neu@bücher.example", HOSTILE[0], Origin(Method.FORM))
    notices.send_test("tést@example.org")
    notices.send_test("t@example.org", write([hostile_list], subject=SUBJECTS[0], body=BODY))
    notices.password_reset(alice.user)
    tasks.wake()
    person = Subscriber.objects.get(email_key="neu@xn--bcher-kva.example")
    subscribe.confirm(hostile_list.pk, person.pk, 1, Origin(Method.CONFIRMATION))
    tasks.wake()
    assert len(smtp.letters) == 4
    refused = SubscriberMessage.objects.exclude(state="sent").get()
    assert refused.to_address == "tést@example.org"  # to a server that does not offer SMTPUTF8
    assert "beyond ASCII before the at sign" in refused.reason
    for letter in smtp.letters:
        assert lint.faults(letter.content) == []
        assert "bcc" not in fields(letter)
        assert "auto-submitted" in fields(letter)
