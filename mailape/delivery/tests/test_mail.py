"""What goes over the wire, read by parsers that did not write it, for hostile names too."""

from __future__ import annotations

import base64
import email
import email.policy
import re
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage, Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailape.campaigns.models import Format, Kind
from mailape.core import clock, keys
from mailape.delivery import compile, headers, render
from mailape.delivery.compile import Source
from mailape.delivery.leases import Row
from mailape.delivery.render import CannotRender, Person

pytestmark = pytest.mark.django_db

ONCE = {
    *("from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to"),
    *("list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id", "precedence"),
    "auto-submitted",
}
WORD = re.compile(rb"=\?[^?]+\?[bBqQ]\?[^?]*\?=")
# What a person may type, and what nobody should: controls, separators, quotes, encoded words.
typed = st.text(st.characters(codec="utf-8"), max_size=120) | st.sampled_from(
    [
        "", " ", "Ann\r\nBcc: victim@example.org", "Ann\nX", "a\x00b", "x\u2028y", "x\u2029y",
        "\x85",
        '"Ann" <victim@example.org>', "Ann, Bob <b@example.org>", "=?utf-8?q?forged?=", "=?x",
        "Größe, Ann (Dr.)", "日本語" * 30, "a" * 998, "👩‍👩‍👧‍👦" * 20, "é" * 60,
        "Ann\\", 'A"', ";:,@<>",
        "\N{COMBINING ACUTE ACCENT}" * 50, "\ud7ff\ue000", "Ann " * 60, "\t", "\u202eAnn",
    ]
)  # fmt: skip


def compiled(**fields) -> dict:
    given_ = {
        "kind": Kind.NEWSLETTER,
        "subject": "Hello {{ subscriber.name }}",
        "body": "Dear {{ subscriber.name }}, [x](https://example.org/?e={{ subscriber.email }}).",
        "format": Format.MARKDOWN,
        "from_name": "Ann, the “Editor”",
        "from_email": "ann@exämple.org",
        "workspace": {"id": "wwwwwwww", "name": "Workspace"},
        "lists": {"7": {"id": "llllllll", "name": "Weekly, letter"}},
        "postal_address": "1 Road, Town",
        **fields,
    }
    return compile.compile(Source(**given_))


@pytest.fixture
def of():
    """A compiled newsletter, made once a test: hypothesis would make it a hundred times."""
    return compiled()


def row(**fields) -> Row:
    given_ = {
        "id": 5, "message_id": 3, "kind": Kind.NEWSLETTER, "workspace_id": 1, "subscriber_id": 4,
        "list_id": 7, "to_address": "eve@example.org", "revision_id": 1, "occasion": 0,
        "attempts": 0, "fence": 0, "created_at": clock.now(), "context": None, **fields,
    }  # fmt: skip
    return Row(**given_)


def made(of: dict, person: Person | None = None, **fields) -> bytes:
    person = person or Person("Eve", "", "eve@example.org")
    return render.mail(row(**fields), person, of).content


def lint(content: bytes) -> EmailMessage:
    """Every rule that holds for any mail of ours; returns the mail as Python's parser sees it."""
    assert content.endswith(b"\r\n")
    assert b"\0" not in content
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
    head, _, body = content.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not re.search(rb"(?m)^(\.|From )", body)
    for line in head.split(b"\r\n"):
        assert len(line) <= 78 or b" " not in line[1:].partition(b": ")[2], line
        assert len(line) <= 998
        assert line.strip()
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", head).split(b"\r\n")
    names = [line.partition(b":")[0].decode().lower() for line in unfolded]
    assert [name for name in ONCE if names.count(name) > 1] == []
    assert {"from", "to", "subject", "date", "message-id", "mime-version"} <= set(names)
    for word in WORD.findall(head):
        assert len(word) <= 75
        assert not word.endswith(b"??="), "an empty encoded word"
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def only_address(message: EmailMessage, name: str) -> Address:
    (found,) = message[name].addresses
    return found


def test_the_mail_of_a_newsletter(of):
    message = lint(made(of))
    assert str(only_address(message, "From")) == '"Ann, the “Editor”" <ann@xn--exmple-cua.org>'
    assert only_address(message, "To").addr_spec == "eve@example.org"
    assert message["Subject"] == "Hello Eve"
    unsubscribe = re.fullmatch(r"<(https?://[^>]+/u/[^>]+)>", message["List-Unsubscribe"].strip())
    assert unsubscribe
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"].endswith("<llllllll.localhost>")
    assert message["Precedence"] == "bulk"
    assert message["Auto-Submitted"] is None
    assert re.fullmatch(r"<[0-9a-f]{32}@xn--exmple-cua\.org>", message["Message-ID"])
    assert re.fullmatch(r"[^:]+:[^:]+:newsletter:mailape", message["Feedback-ID"])
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for part in (text, html):
        assert "Eve" in part
        assert unsubscribe[1] in part
        assert "https://example.org/?e=eve%40example.org" in part
        assert "1 Road, Town" in part
        assert "Weekly, letter" in part
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_machine_mail_says_so_and_is_no_list_mail():
    of = compiled(kind=Kind.CONFIRMATION, body="[Yes]({{ confirm_url }})")
    message = lint(made(of, kind=Kind.CONFIRMATION, occasion=1))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Form-Sub"] == "v=1"
    assert not [name for name in message if name.startswith("List-") or name == "Precedence"]
    assert "/confirm/" in message.get_body(("plain",)).get_content()
    account = lint(made(compiled(kind=Kind.ACCOUNT), kind=Kind.ACCOUNT, subscriber_id=None))
    assert account["Auto-Submitted"] == "auto-generated"
    assert account["Form-Sub"] is None


@given(name=typed, subject=typed, list_name=typed, sender=typed)
def test_nothing_that_somebody_typed_breaks_out_of_its_place(name, subject, list_name, sender):
    clean = subject.replace("{", "").replace("%", "")
    of = compiled(
        subject=clean + " {{ subscriber.name }}",
        from_name=sender,
        lists={"7": {"id": "llllllll", "name": list_name}},
    )
    message = lint(made(of, Person(name, "", "eve@example.org")))
    assert only_address(message, "To").addr_spec == "eve@example.org"
    assert only_address(message, "From").addr_spec == "ann@xn--exmple-cua.org"
    assert message["Bcc"] is None
    assert set(message.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
        "Feedback-ID", "List-Id", "Precedence", "MIME-Version", "Content-Type",
    }  # fmt: skip


@given(subject=typed)
def test_a_subject_is_read_as_it_was_written(subject):
    wanted = headers.one_line(subject)
    raw = headers.text("Subject", subject).encode()
    lint_header(raw)
    assert decoded(raw) == wanted


@given(name=typed)
def test_a_name_is_read_as_it_was_written_and_is_one_address(name):
    raw = headers.mailbox("To", name, "eve@example.org").encode()
    lint_header(raw)
    parsed = email.message_from_bytes(raw + b"\r\n", policy=email.policy.default)
    (found,) = parsed["To"].addresses
    assert found.addr_spec == "eve@example.org"
    # Not found.display_name: CPython's parser puts blanks between encoded words (RFC 2047, 6.2).
    said = decoded(raw).removesuffix("<eve@example.org>").removesuffix("eve@example.org").strip()
    if raw.startswith(b'To: "'):
        said = re.sub(r"\\(.)", r"\1", said[1:-1])
    assert said == headers.one_line(name)


def lint_header(raw: bytes) -> None:
    lines = raw.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 78 for line in lines)
    assert all(line.startswith(b" ") for line in lines[1:])
    assert raw.isascii()


def decoded(raw: bytes) -> str:
    """A header decoded by hand, by RFC 2047 alone."""
    value = re.sub(rb"\r\n(?=[ \t])", b"", raw.removesuffix(b"\r\n")).partition(b": ")[2]
    joined = re.sub(rb"(?<=\?=)[ \t]+(?==\?)", b"", value)
    plain = re.sub(rb"=\?utf-8\?b\?([^?]*)\?=", lambda word: base64.b64decode(word[1]), joined)
    return plain.decode()


def test_each_attempt_has_the_same_bytes(of):
    created = clock.now()
    first = render.mail(row(created_at=created), Person("Eve"), of)
    with clock.moved(timedelta(days=2)):
        later = render.mail(row(created_at=created, attempts=3), Person("Eve"), of)
    assert first.content == later.content


def test_a_confirmation_keeps_its_link_though_a_new_key_came():
    confirmation = compiled(kind=Kind.CONFIRMATION, body="[Yes]({{ confirm_url }})")
    created = clock.now()
    first, again = [
        (made(confirmation, kind=Kind.CONFIRMATION, created_at=created), keys.add())[0]
        for _ in range(2)
    ]
    assert b"/confirm/" in first.replace(b"=\r\n", b"")
    assert first == again


def test_another_delivery_has_another_message_id(of):
    ids = {
        email.message_from_bytes(made(of, **fields))["Message-ID"]
        for fields in ({}, {"subscriber_id": 5}, {"message_id": 4}, {"occasion": 1})
    }
    assert len(ids) == 4
    account = compiled(kind=Kind.ACCOUNT)
    two = {
        email.message_from_bytes(made(account, kind=Kind.ACCOUNT, subscriber_id=None, id=n))[
            "Message-ID"
        ]
        for n in (1, 2)
    }
    assert len(two) == 2


def test_the_recipients_domain_goes_out_as_a_label(of):
    mail = render.mail(row(to_address="eve@exämple.org"), Person(), of)
    assert mail.recipient == "eve@xn--exmple-cua.org"
    assert not mail.needs_utf8
    lint(mail.content)


def test_a_local_part_beyond_ascii_asks_for_smtputf8(of):
    mail = render.mail(row(to_address="jürgen@example.org"), Person(), of)
    assert mail.needs_utf8
    assert "To: jürgen@example.org\r\n".encode() in mail.content


@pytest.mark.parametrize(
    "address",
    ["", "eve", "eve@", "eve@x\r\nBcc: v@x.org", "a@b@c", "<eve@example.org>", "e@x.org,v@x.org"],
)  # fmt: skip
def test_what_is_no_address_concerns_that_one_only(of, address):
    with pytest.raises(CannotRender):
        render.mail(row(to_address=address), Person(), of)


def test_values_are_escaped_for_their_place(of):
    person = Person('<b onload="x">&', "", "e&v=e@example.org")
    message = lint(made(of, person))
    html = message.get_body(("html",)).get_content()
    assert "<b onload" not in html
    assert "&lt;b onload=&#34;x&#34;&gt;&amp;" in html
    assert "?e=e%26v%3De%40example.org" in html
    assert '<b onload="x">&' in message.get_body(("plain",)).get_content()


def test_a_name_of_nothing_leaves_no_hole(of):
    message = lint(made(of, Person()))
    assert message["Subject"] == "Hello"
    assert message["To"] == "eve@example.org"


def test_precedence_can_be_turned_off():
    assert lint(made(compiled(precedence=False)))["Precedence"] is None


@pytest.mark.parametrize(
    ("site", "wanted"),
    [
        ("https://news.example.org", "x.news.example.org"),
        ("http://127.0.0.1:8000", "x.localhost"),
        ("http://[::1]:8000", "x.localhost"),
    ],
)
def test_a_list_id_is_a_domain_name(site, wanted):
    assert headers.list_id("List-Id", "", "x", site) == f"List-Id: <{wanted}>\r\n"


def test_the_parts_decode_without_defects_in_the_old_parser_too(of):
    message = email.message_from_bytes(made(of))
    assert isinstance(message, Message)
    assert [part.get_content_charset() for part in message.get_payload()] == ["utf-8", "utf-8"]
    assert all(part.get_payload(decode=True).decode("utf-8") for part in message.get_payload())
