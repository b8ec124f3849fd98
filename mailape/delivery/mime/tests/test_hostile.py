"""Hostile text of a writer and a reader's hostile name, read as another builder's mail reads."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given

from mailape.delivery import compile as front_half
from mailape.delivery import render
from mailape.delivery.mime.tests.test_program import (
    THEN,
    bodies,
    many,
    program_of,
    row,
    source,
    stamp_of,
    typed,
    values_of,
)
from mailape.delivery.render import Person

pytestmark = pytest.mark.django_db


@many
@given(typed, typed)
def test_hostile_text_reads_as_in_the_mail_of_pythons_own_builder(text: str, name: str) -> None:
    """What the writer typed as well as what the reader is called."""
    clean = text.replace("{", "").replace("%", "")
    try:
        compiled = front_half.compile(source(body=f"{clean}\n\n{{{{ subscriber.name }}}}\n{clean}"))
    except front_half.CannotCompile:
        return
    program, person = program_of(compiled, track=False), Person(name)
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
    assert bodies(ours) == bodies(email.message_from_bytes(built.as_bytes()))
