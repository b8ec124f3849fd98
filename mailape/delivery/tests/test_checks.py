"""The last look: each thing that can be wrong is found, and nothing is said of what is right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailape.campaigns import audience, dispatch
from mailape.campaigns.models import Message
from mailape.delivery import checks, preview, tasks
from mailape.delivery.checks import Check, Level
from mailape.delivery.models import SubscriberMessage
from mailape.delivery.tests.conftest import add_readers
from mailape.lists import manage, people, suppress

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def look(write, a_list, alice) -> Callable[..., list[Check]]:
    """What is said of a message to three readers: `look(body="…")`."""
    add_readers(a_list, 3)
    alice.workspace.postal_address = "1 Road, Town"
    alice.workspace.save()

    def make(**fields: str) -> list[Check]:
        message = write([a_list], **{"subject": "Apples", **fields})
        sender = alice.workspace.senders.get()
        return checks.of(message, preview.of(message), audience.explained(message), sender)

    return make


def minded(found: list[Check]) -> list[str]:
    return [one.text for one in found if one.level is not Level.FINE]


def test_an_ordinary_letter_is_fine(look):
    found = look(
        body='Dear {{ subscriber.first_name | default: "friend" }},\n\n[read](https://a.example/x)'
    )
    assert minded(found) == []
    assert [one.text for one in found] == [
        "1 link, written as it should be.",
        "2 KB of HTML; Gmail shows up to 102 KB.",
        "Links to unsubscribe are in it, visible and for one click.",
    ]


@pytest.mark.parametrize(
    ("body", "text", "line"),
    [
        ("a\n\n[x](/about)", "“/about” leads nowhere in a mail", 3),
        ("[x](about.html)", "“about.html” leads nowhere", 1),
        ("[x](www.example.org)", "“www.example.org” leads nowhere", 1),
        ("[x](http://localhost:8000/a)", "on this machine or network only", 1),
        ("[x](http://192.168.0.7/a)", "on this machine or network only", 1),
        ("[x](https://intranet/a)", "no domain that others could find", 1),
        ("[x](https:///a)", "no address that a browser understands", 1),
        ("[x]()", "A link has no address", None),
        ("![apples](i.png)", "cannot be fetched", 1),
        ("\n{{ subscriber.name }}", "“{{ subscriber.name }}” is empty for readers", 2),
        ("\n{{ subscriber.fields.town }}", "Nobody has a field “town”", 2),
        ('{{ subscriber.fields.town | default: "x" }}', "Nobody has a field “town”", 1),
        ("{% if subscriber.fields.town %}x{% endif %}", "Nobody has a field “town”", 1),
        ("{{ subscriber.surname }}", "There is no merge tag “subscriber.surname”", 1),
    ],
)
def test_what_is_to_be_minded_is_found_in_its_line(look, body, text, line):
    found = [one for one in look(body=body) if one.level is Level.WARNS]
    assert len(found) == 1
    assert text in found[0].text
    assert (found[0].where, found[0].line) == ("text", line)


def test_our_own_image_is_minded_once_with_the_address_of_the_instance(look, settings):
    body = f"![apples]({settings.SITE_URL}/i/apples.jpg)"
    assert minded(look(body=body)) == []
    settings.SMTP_URL, settings.SITE_HOST = "smtp://mail.example.org", "127.0.0.1"
    assert minded(look(body=body)) == [
        f"Images and links to leave begin with {settings.SITE_URL}: readers cannot open that."
    ]


def test_a_field_that_some_readers_have_wants_words_for_the_others(look, alice):
    people.change(alice.workspace.subscribers.first(), fields={"town": "Bonn"})
    (text,) = minded(look(body="{{ subscriber.fields.town }}"))
    assert text.startswith("“{{ subscriber.fields.town }}” is empty for readers")
    assert minded(look(body='{{ subscriber.fields.town | default: "x" }}')) == []


def test_fields_of_nobody_are_named_once_and_counted(look):
    body = "".join(f"{{{{ subscriber.fields.a{n} }}}}" * 2 for n in range(5))
    found = minded(look(body=body, subject="{{ subscriber.fields.a0 }}"))
    assert len(found) == checks.SHOWN + 1
    assert found[-1] == "2 more fields are nobody’s."


@pytest.mark.parametrize(
    "body",
    [
        "[x](mailto:ann@example.org) [y](tel:+491234)",
        "[z](https://a.example/?e={{ subscriber.email }})",
        "{% if subscriber.first_name %}Dear {{ subscriber.first_name }}{% else %}Hello{% endif %}",
        "{{ unsubscribe_url }} [leave]({{ unsubscribe_url }})",
        "![apples](https://a.example/i.png)",
        '<img src="https://a.example/i.png?a=1&amp;b=2" alt="">',
        '{{ subscriber.name | upcase | default: "you" }}',
    ],
)
def test_what_is_right_is_not_minded(look, body):
    assert minded(look(body=body)) == []


@pytest.mark.parametrize(
    ("fields", "where"),
    [({"subject": ""}, "text"), ({"body": " "}, "text"), ({"body": "{{ subscriber.name"}, "text")],
)
def test_what_cannot_be_sent_stops(look, fields, where):
    found = look(**fields)
    assert checks.stop(found)
    assert (found[0].level, found[0].where) == (Level.STOPS, where)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("![](https://a.example/i.png)", 1),
        ("a\n\n![ ](https://a.example/i.png)", 3),
        ('<img src="https://a.example/i.png">', 1),
        ('<img src="https://a.example/i.png" alt=" ">', 1),
    ],
)
def test_an_image_without_words_stops(look, body, line):
    found = look(body=body)
    assert checks.stop(found)
    assert "has no words for those who do not see it" in found[0].text
    assert (found[0].where, found[0].line) == ("text", line)


def test_without_a_list_it_stops_and_for_nobody_it_warns(write, alice, a_list):
    def said(message: Message) -> Check:
        who = audience.explained(message)
        return checks.of(message, preview.of(message), who, alice.workspace.senders.get())[0]

    assert (said(write([])).level, said(write([])).where) == (Level.STOPS, "lists")
    assert "It would go to nobody" in said(write([a_list])).text


def test_what_is_missing_of_the_sender_only_warns(look, alice):
    alice.workspace.postal_address = ""
    alice.workspace.save()
    (text,) = minded(look())
    assert "no postal address" in text


def test_what_gmail_would_cut_off_warns_once(look):
    (text,) = minded(look(body="apples and pears\n\n" * 9_000))
    assert "Gmail cuts it off after 102 KB" in text


def test_loud_and_long_subjects_warn(look):
    assert "all capitals" in minded(look(subject="BUY APPLES NOW"))[0]
    assert "most inboxes cut it off" in minded(look(subject="apples " * 12))[0]


def test_of_many_wrong_links_the_first_are_named_and_the_rest_are_counted(look):
    found = minded(look(body=" ".join(f"[x](/{n})" for n in range(9))))
    assert len(found) == checks.SHOWN + 1
    assert found[-1] == "6 more links are wrong in the same way."


def test_links_from_here_that_readers_cannot_open_are_minded_once_mail_leaves(look, settings):
    settings.SMTP_URL = "smtp://mail.example.org"
    settings.SITE_URL, settings.SITE_HOST = "http://127.0.0.1:8000", "127.0.0.1"
    assert any("readers cannot open that" in text for text in minded(look()))


def test_the_links_that_are_tried_are_those_of_the_writer(write, a_list):
    message = write(
        [a_list], body="[a](https://a.example/1) [b](https://a.example/1) [m](mailto:a@b.c)"
    )
    assert checks.links(preview.of(message)) == ["https://a.example/1"]


def test_the_number_on_the_button_is_the_number_that_is_built(write, a_list, alice):
    second = manage.create(alice.workspace, "Second")
    readers = add_readers(a_list, 9)
    add_readers(second, 5)
    suppress.suppress(alice.workspace, readers[0].email)
    message = write([a_list, second])
    assert audience.explained(message).people == 8
    dispatch.send(message)
    tasks.build()
    assert SubscriberMessage.objects.filter(message=message).count() == 8
