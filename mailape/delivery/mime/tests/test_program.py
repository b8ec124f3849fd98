"""Programs: the same mail as the slow way makes, by every rule, and the same on every attempt."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from mailape.campaigns.models import Format, Kind
from mailape.core import ids, keys, links
from mailape.delivery import compile as front_half
from mailape.delivery import dkim, headers, merge, render
from mailape.delivery.compile import Source
from mailape.delivery.dkim import Signer
from mailape.delivery.leases import Row
from mailape.delivery.mime import program as programs
from mailape.delivery.mime.compiler import compile_program
from mailape.delivery.mime.fields import Stamp
from mailape.delivery.mime.front import PROGRAM, front_of, target
from mailape.delivery.mime.program import Program
from mailape.delivery.render import Person
from mailape.delivery.tests.lint import SIGNED, faults, parts, take_apart
from mailape.delivery.tests.verifiers import by_dkimpy, by_opendkim

pytestmark = pytest.mark.django_db
many = tried(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

THEN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BODY = """
# Dear {{ subscriber.first_name | default: "reader" }},

.a line of dots ... and [one link](https://example.org/a?b=1&c=2), [another](https://example.org/),
[hers](https://example.org/?who={{ subscriber.email }}&name={{ subscriber.name }}).

{% if subscriber.fields.city != blank %}
You live in **{{ subscriber.fields.city | upcase }}**.
{% endif %}

From {{ mail.from_name }} to {{ subscriber.email }}, {{ "now" | date: "%Y" }}: {{ subscriber.name }}

{{ subscriber.fields.city }}

Bye, `=2E`  and   blanks	and a tab. [Leave]({{ unsubscribe_url }}) [Or]({{ view_url }})
"""
SUBJECTS = ("Hello", "Größe: {{ subscriber.name }}", "{{ subscriber.first_name }}, {{ list.name }}")


def source(**fields: Any) -> Source:
    given_ = {
        "kind": Kind.NEWSLETTER,
        "subject": SUBJECTS[1],
        "body": BODY,
        "format": Format.MARKDOWN,
        "from_name": "Ann, the “Editor”",
        "from_email": "ann@exämple.org",
        "workspace": {"id": "wwwwwwww", "name": "Workspace"},
        "lists": {"7": {"id": "llllllll", "name": "Weekly, letter"}},
        "postal_address": "1 Road, Town",
        **fields,
    }
    return Source(**given_)


def program_of(compiled: dict[str, Any], **how: bool) -> Program:
    """The program as it is after a night in the database."""
    front = front_of(
        compiled,
        message=ids.public("message", 3),
        site=settings.SITE_URL,
        link_key=compiled["key"],
        moment=THEN,
    )
    return Program.from_json(json.loads(json.dumps(compile_program(front, **how).to_json())))


def row(**fields: Any) -> Row:
    given_: dict[str, Any] = {
        "id": 5, "message_id": 3, "kind": Kind.NEWSLETTER, "workspace_id": 1, "subscriber_id": 4,
        "list_id": 7, "to_address": "eve@example.org", "revision_id": 1, "occasion": 0,
        "attempts": 0, "fence": 0, "created_at": THEN, "context": None, **fields,
    }  # fmt: skip
    return Row(**given_)


def stamp_of(to: Row, compiled: dict[str, Any]) -> Stamp:
    person = to.subscriber_id or 0
    return Stamp(
        to_address=render.wire_address(to.to_address),
        message_key=links.message_key(to.message_id, person, to.occasion),
        date=THEN,
        links=links.for_people(to.message_id, [person], to.occasion, compiled["key"])[0],
        list_key=str(to.list_id),
    )


def values_of(person: Person, list_name: str = "Weekly, letter") -> dict[str, Any]:
    return {"subscriber": person.values, "list": {"name": list_name}}


typed = st.text(st.characters(codec="utf-8"), max_size=90) | st.sampled_from(
    [
        "", " ", "Ann", "Ann Bell", "Frédérique", "Ann\r\nBcc: victim@example.org", "a\x00b",
        "x\u2028y", "\x85", "\u00a0", "=?utf-8?q?forged?=", "Ann, Bob <b@example.org>", '"Ann"',
        "Ann\\", "a" * 998, "👩👧👦" * 20, "é" * 19, "é" * 20, "x" * 60, "x" * 61, "x" * 62,
        "x" * 64, "x" * 65, "Ann  Bell", " Ann", ".", "From me", "<b>&\"'", "{{ x }}", "\tA",
        "日本語" * 30, "A" + "\u0301" * 25,
    ]
)  # fmt: skip
people = st.builds(
    Person,
    name=typed,
    first_name=typed,
    email=typed,
    fields=st.dictionaries(st.sampled_from(["city", "n"]), typed | st.integers() | st.none()),
)
LONG_ADDRESS = "a" * 64 + "@" + "b" * 60 + ".example"
addresses = st.sampled_from(
    ["eve@example.org", LONG_ADDRESS, "o'brien+x=y@a-b.example", "jürgen@x.example"]
)


Made = Callable[..., tuple[dict[str, Any], Program]]


@pytest.fixture
def made() -> Made:
    """Makes a message and its program, once each: hypothesis would do it a hundred times."""

    @lru_cache
    def make(subject: str, track: bool = True, pixel: bool = False) -> tuple[Any, Program]:
        compiled = front_half.compile(source(subject=subject))
        return compiled, program_of(compiled, track=track, pixel=pixel)

    return make


# Against the way through Liquid and whole strings


@many
@given(people, addresses, st.sampled_from(SUBJECTS))
def test_the_mail_is_the_one_that_render_makes(
    made: Made, person: Person, address: str, subject: str
) -> None:
    (compiled, program), to = made(subject, track=False), row(to_address=address)
    mail = program.render(values_of(person), stamp_of(to, compiled))
    slow = render.mail(to, person, frozen(compiled))
    ours, theirs = take_apart(mail), take_apart(slow.content)
    assert ours.fields[:-1] == theirs.fields[:-1]
    # The last is Content-Type: a boundary is one message's here, one mail's there.
    last = b"\r\nContent-Type"
    assert ours.head.partition(last)[0] == theirs.head.partition(last)[0]
    assert same_text(parts(ours)) == same_text(parts(theirs))
    assert program.subject(values_of(person)) == slow.subject


def frozen(compiled: dict[str, Any]) -> dict[str, Any]:
    """With the year that the program takes for now."""
    now = '{{ "now" | date: "%Y" }}'
    return {**compiled, **{kind: compiled[kind].replace(now, "2026") for kind in ("html", "text")}}


def same_text(found: dict[str, str]) -> dict[str, str]:
    """Without what the two ways treat a little differently: blanks at the ends of lines, and empty
    lines that a value brings along into the middle of a line."""
    ended = {kind: re.sub(r"[ \t]*(\r\n|\n)", "\n", text) for kind, text in found.items()}
    return {kind: re.sub(r"\n{3,}", "\n\n", text).rstrip() for kind, text in ended.items()}


# Against a builder and a parser of others


@many
@given(people, st.sampled_from(SUBJECTS))
def test_it_reads_as_the_mail_that_pythons_own_builder_makes(
    made: Made, person: Person, subject: str
) -> None:
    compiled, program = made(subject, track=False)
    values = {
        **compiled["values"],
        **values_of(person),
        **render.personal_urls(3, 4, 0, compiled["key"]),
        "now": THEN,
    }
    wanted = render.rendered(compiled, values)
    built = EmailMessage(policy=email.policy.SMTP)
    built.set_content(wanted.text, cte="quoted-printable")
    built.add_alternative(wanted.html, subtype="html", cte="quoted-printable")
    ours = email.message_from_bytes(program.render(values_of(person), stamp_of(row(), compiled)))
    theirs = email.message_from_bytes(built.as_bytes())
    assert bodies(ours) == bodies(theirs)
    subject_line = re.sub(r"\r\n(?=[ \t])", "", ours["Subject"])
    assert str(make_header(decode_header(subject_line))) == wanted.subject


def bodies(message: Any) -> dict[str, str]:
    assert message.is_multipart()
    assert not message.defects
    return same_text(
        {
            part.get_content_type(): part.get_payload(decode=True).decode()
            for part in message.get_payload()
        }
    )


# Against the rules


@many
@given(people, addresses, st.sampled_from(SUBJECTS))
def test_every_mail_keeps_every_rule(
    made: Made, person: Person, address: str, subject: str
) -> None:
    compiled, program = made(subject, pixel=True)
    mail = program.render(values_of(person), stamp_of(row(to_address=address), compiled))
    assert faults(mail, bulk=True) == []
    taken = take_apart(mail)
    assert [name for name, _ in taken.fields] == [
        "from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post",
        "feedback-id", "list-id", "precedence", "mime-version", "content-type",
    ]  # fmt: skip
    assert dkim.relaxed_body(taken.body) == taken.body
    assert address.encode() in taken.one("to")


@many
@given(typed, typed)
def test_a_template_of_hostile_text_keeps_every_rule_too(text: str, list_name: str) -> None:
    body = f"{text}\n\n{{{{ subscriber.name }}}}\n{text.replace('{', '').replace('%', '')}"
    try:
        lists = {"7": {"id": "llllllll", "name": list_name}}
        compiled = front_half.compile(source(body=body, from_name=text, lists=lists))
    except front_half.CannotCompile:
        return
    program = program_of(compiled)
    mail = program.render(values_of(Person("Ann")), stamp_of(row(), compiled))
    assert faults(mail, bulk=True) == []
    assert dkim.relaxed_body(take_apart(mail).body) == take_apart(mail).body


# The same on every attempt


def test_each_attempt_has_the_same_bytes_whatever_happened_between() -> None:
    compiled = front_half.compile(source())
    ann, program = values_of(Person("Ann")), program_of(compiled)
    first = program.render(ann, stamp_of(row(), compiled))
    keys.add()
    programs._loaded.clear()
    again = program_of(compiled)
    assert again is not program
    assert again.link_key == program.link_key != keys.newest_id()
    assert again.render(ann, stamp_of(row(attempts=3), compiled)) == first


def test_a_program_is_loaded_once_per_process() -> None:
    compiled = front_half.compile(source())
    assert program_of(compiled) is program_of(compiled)
    assert program_of(front_half.compile(source(subject="Other"))) is not program_of(compiled)


def test_a_program_of_an_unknown_version_is_refused() -> None:
    stored = compile_program(
        front_of(front_half.compile(source()), message="m", site="https://x.example", link_key=1)
    ).to_json()
    with pytest.raises(merge.BadTemplate):
        Program.from_json({**stored, "compiler": "mime-0", "digest": "other"})


@pytest.mark.parametrize("tag", ["{{ 'now' | date: '%H:%M:%S.%f' }}", "{{ now }}{{ today }}"])
@pytest.mark.parametrize("around", ["{}", "{{% if subscriber.name %}}{}{{% endif %}}"])
def test_now_is_the_same_on_every_attempt(tag: str, around: str) -> None:
    compiled = front_half.compile(source(body=around.format(tag)))
    ann, stamp = values_of(Person("Ann")), stamp_of(row(), compiled)
    mail = program_of(compiled).render(ann, stamp)
    programs._loaded.clear()
    assert program_of(compiled).render(ann, stamp) == mail


def test_without_a_moment_now_is_the_date_of_the_mail() -> None:
    body = "{{ 'now' | date: '%Y-%m' }}{% if subscriber.name %} {{ now | date: '%Y' }}{% endif %}"
    compiled = front_half.compile(source(body=body))
    program = compile_program(front_of(compiled, message="m", site="https://x.example", link_key=1))
    stamp = stamp_of(row(), compiled)._replace(date=datetime(2019, 5, 5, tzinfo=UTC))
    text = parts(take_apart(program.render(values_of(Person("Ann")), stamp)))["text/plain"]
    assert text.startswith("2019-05 2019\r\n")


# Links


def test_every_link_of_the_writers_leads_through_us_and_only_those() -> None:
    compiled = front_half.compile(source())
    program = program_of(compiled)
    mail = program.render(values_of(Person("Ann")), stamp_of(row(), compiled))
    assert list(program.stored.targets) == [
        "https://example.org/a?b=1&c=2",
        "https://example.org/",
        "https://example.org/?who={{ subscriber.email  | place_url_part }}"
        "&name={{ subscriber.name  | place_url_part }}",
    ]
    for text in parts(take_apart(mail)).values():
        found = re.findall(rf"{settings.SITE_URL}/c/([^/\s]+)/(\d)", text)
        assert [number for _, number in found] == ["0", "1", "2"]
        for token, _ in found:
            named = links.read(links.Purpose.CLICK, token)
            assert (named.message_id, named.subscriber_id) == (3, 4)
        assert "example.org/a?b=1" not in text
        assert f"{settings.SITE_URL}/u/" in text


def test_a_click_leads_to_the_target_with_her_own_values() -> None:
    compiled = front_half.compile(source())
    stored = {**compiled, PROGRAM: program_of(compiled).to_json()}
    ann = values_of(Person("Ann & Bo", "", "ann@example.org"))
    url = "https://example.org/?who=ann%40example.org&name=Ann%20%26%20Bo"
    assert target(stored, 2, ann) == url
    assert target(stored, 3, ann) is None
    assert target(compiled, 2, ann) is None


@pytest.mark.parametrize("pixel", [False, True])
def test_an_image_that_tells_of_opening_is_there_only_when_asked_for(pixel: bool) -> None:
    compiled = front_half.compile(source())
    mail = program_of(compiled, pixel=pixel).render(
        values_of(Person("Ann")), stamp_of(row(), compiled)
    )
    found = parts(take_apart(mail))
    tokens = re.findall(r'<img src="[^"]+/o/([^"]+)"', found["text/html"])
    assert len(tokens) == pixel
    assert "/o/" not in found["text/plain"]
    assert all(links.read(links.Purpose.OPEN, token).subscriber_id == 4 for token in tokens)


def test_the_page_to_leave_is_hers() -> None:
    compiled = front_half.compile(source())
    mail = program_of(compiled).render(values_of(Person("Ann")), stamp_of(row(), compiled))
    token = re.findall(rb"/u/([^>]+)>", take_apart(mail).one("list-unsubscribe"))[0].decode()
    assert links.read(links.Purpose.UNSUBSCRIBE, token).subscriber_id == 4


# What a mail has and what it has not


def test_a_mail_names_the_list_that_it_goes_to() -> None:
    lists = {"7": {"id": "l7", "name": "Séven"}, "8": {"id": "l8", "name": "Eight"}}
    compiled = front_half.compile(source(lists=lists))
    program, stamp = program_of(compiled), stamp_of(row(), compiled)
    found = {
        key: take_apart(program.render(values_of(Person("Ann")), stamp._replace(list_key=key))).all(
            "list-id"
        )
        for key in ("7", "8", "9")
    }
    assert found["7"][0].endswith(b" <l7.localhost>")
    assert found["8"] == [b'"Eight" <l8.localhost>']
    assert found["9"] == []


def test_a_confirmation_has_no_name_no_list_fields_and_its_own_link() -> None:
    body = "[Yes]({{ confirm_url }})"
    compiled = front_half.compile(source(kind=Kind.CONFIRMATION, subject="Confirm", body=body))
    url = f"{settings.SITE_URL}/confirm/{links.confirm(3, 4, 1)}"
    values = {**values_of(Person("Eve says buy")), "confirm_url": url}
    mail = program_of(compiled).render(values, stamp_of(row(occasion=1), compiled))
    taken = take_apart(mail)
    assert faults(mail) == []
    assert taken.one("to") == b"eve@example.org"
    assert taken.one("auto-submitted") == b"auto-generated"
    assert taken.one("form-sub") == b"v=1"
    assert not {"precedence", "list-id", "list-unsubscribe"} & dict(taken.fields).keys()
    assert all(url in text for text in parts(taken).values())
    assert b"Eve" not in mail


def test_a_body_that_is_not_cut_makes_the_same_mail() -> None:
    cut = front_half.compile(source(body="Hi {{ subscriber.name }}, [x](https://example.org/)"))
    whole = {**cut, **{kind: cut[kind] + "{% assign x = 1 %}" for kind in ("html", "text")}}
    ann, stamp = values_of(Person("Ann")), stamp_of(row(), cut)
    mails = [program_of(one).render(ann, stamp) for one in (cut, whole)]
    one, other = (same_text(parts(take_apart(mail))) for mail in mails)
    assert one == other
    assert faults(mails[1], bulk=True) == []


# When it cannot be made


COSTLY = (
    "{{ subscriber.fields.n | divided_by: 0 }}",
    "{% for i in (1..subscriber.fields.n) %}x{% endfor %}",
)


@pytest.mark.parametrize("tag", COSTLY)
def test_a_tag_that_cannot_be_worked_out_concerns_one_person(tag: str) -> None:
    compiled = front_half.compile(source(body="x"))
    compiled["html"] += "{% if subscriber.fields.n %}" + tag + "{% endif %}"
    program, stamp = program_of(compiled), stamp_of(row(), compiled)
    program.render(values_of(Person("Ann")), stamp)
    with pytest.raises(merge.BadTemplate):
        program.render(values_of(Person("Bob", fields={"n": 9999})), stamp)


LOOP = "{{% for i in (1..{}) %}}{{{{ subscriber.fields.n }}}}{{% endfor %}} "
LONG = (
    "{{ subscriber.fields.n }} " * 30,
    "".join(f"{{{{ subscriber.fields.n | append: '{n}' }}}} " for n in range(30)),
    "".join(map(LOOP.format, range(7))),
)


@pytest.mark.parametrize("body", LONG)
def test_a_mail_that_would_get_too_long_is_refused(body: str) -> None:
    compiled = front_half.compile(source(body=body))
    program, stamp = program_of(compiled), stamp_of(row(), compiled)
    program.render(values_of(Person("Bob", fields={"n": "x" * 10_000})), stamp)
    with pytest.raises(merge.BadTemplate):
        program.render(values_of(Person("Bob", fields={"n": "x" * 100_000})), stamp)


@pytest.mark.parametrize(
    "address", ["", "eve", "e@x.org, v@x.org", "e@x.org\r\nBcc: v@x.org", "e@ü.org"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    compiled = front_half.compile(source())
    stamp = stamp_of(row(), compiled)._replace(to_address=address)
    for name in ("", "Ann", "Änn", "A" * 70):
        with pytest.raises(headers.BadAddress):
            program_of(compiled).render(values_of(Person(name)), stamp)


# Signed


@lru_cache(maxsize=1)
def signers() -> list[Signer]:
    domain = "xn--exmple-cua.org"
    return [
        Signer(domain, "rsa", generate_private_key(65537, 2048)),
        Signer(domain, "ed", Ed25519PrivateKey.generate()),
    ]


@many
@given(people, st.sampled_from(["7", "9"]))
def test_a_sealed_mail_is_signed_as_the_whole_mail_would_be(
    made: Made, person: Person, list_key: str
) -> None:
    compiled, program = made(SUBJECTS[1])
    stamp = stamp_of(row(), compiled)._replace(list_key=list_key)
    plain = program.render(values_of(person), stamp)
    sealed = program.render_sealed(values_of(person), stamp, program.seal(signers()))
    assert sealed.endswith(plain)
    assert faults(sealed, bulk=list_key == "7") == []
    assert by_dkimpy(sealed, signers())


@pytest.mark.parametrize(
    "name",
    [
        "Ann",
        "Frédérique, « x »",
        "é" * 90,
        "",
        "a" * 998,
        "Ann\r\nBcc: v@x.org",
        "=?x?q?y?=",
        " . ",
    ],
)
def test_opendkim_takes_a_sealed_mail(name: str, tmp_path: Path) -> None:
    compiled = front_half.compile(source())
    program = program_of(compiled)
    sealed = program.render_sealed(
        values_of(Person(name)), stamp_of(row(), compiled), program.seal(signers())
    )
    assert by_opendkim(sealed, signers(), tmp_path)
    assert not by_opendkim(sealed.replace(b"/u/", b"/w/"), signers(), tmp_path)
    for field in take_apart(sealed).all("dkim-signature"):
        named = re.findall(rb"[ ;]h=([^;]*);", field)[0].replace(b" ", b"").decode().split(":")
        assert set(SIGNED) <= set(named)
