"""What one mail costs before it goes to the wire: tokens, rendering, DKIM.

    python -m benchmarks.render --recipients 100000

The newsletter has 14 KB on the wire, eight tracked links and 35 holes: name, address, links, the
pages to leave and to choose, List-Unsubscribe, Message-ID, To. Every tenth reader has a name beyond
ASCII. In the same run Django's EmailMultiAlternatives makes the same mail from texts that are
rendered already, quoted-printable as ours; `ratio` is its time against ours, tokens included.
(`django_8bit` is the same without quoted-printable, which Django leaves out where lines are short.)
`us` is processor time per mail in microseconds, the best of five rounds: other work of the machine
is not ours. DKIM and Django are slow and get fewer mails.

The last line is one JSON object. Goals: tokens and render together at most 8 µs, ratio at least 80.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.charset import QP, Charset
from typing import Any

from benchmarks import set_up_django

set_up_django()  # before anything of ours is imported

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key  # noqa: E402
from django.core.mail import EmailMultiAlternatives  # noqa: E402
from django.db import connection  # noqa: E402

from mailape.core import links  # noqa: E402
from mailape.core.models import LinkKey  # noqa: E402
from mailape.delivery import compile as front_half  # noqa: E402
from mailape.delivery import render  # noqa: E402
from mailape.delivery.build import BATCH  # noqa: E402
from mailape.delivery.dkim import Signer  # noqa: E402
from mailape.delivery.mime.compiler import compile_program  # noqa: E402
from mailape.delivery.mime.fields import Stamp  # noqa: E402
from mailape.delivery.mime.front import front_of  # noqa: E402
from mailape.delivery.mime.program import Program  # noqa: E402

ROUNDS = 5
FEW = 2_000  # mails for what is slow
MESSAGE = 4711
SITE = "https://news.example.org"
THEN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
FIRST = ("Ann", "Bob", "Carla", "Dieter", "Frank", "Gül", "Hannah", "Ivo", "Joan", "Kim")
LAST = ("Miller", "Smith", "Jansen", "Rossi", "Novak", "Sørensen", "Baker", "Costa", "Lee", "Fox")
PARAGRAPH = (
    "The city council met on Tuesday and talked for three hours about trams, trees and the price"
    " of swimming. Nobody agreed on anything, and yet, when the lights went out, a plan lay on the"
    " table. What it says, and who wrote it, is told here [in full]({url}) by our reporter. It will"
    " cost more than was thought, it will take longer than was promised, and it will be worth it:"
    " the trees stay, the pool opens on Sundays, and the tram stops where people live."
)
Person = dict[str, Any]


def newsletter() -> dict[str, Any]:
    """The message as `delivery.compile` leaves it."""
    urls = [f"https://www.example.org/stories/2026/03/{number}?from=mail" for number in range(8)]
    stories = "\n\n".join(f"## Story\n\n{PARAGRAPH.format(url=url)}" for url in urls)
    body = f'Dear {{{{ subscriber.first_name | default: "reader" }}}},\n\n{stories}\n'
    source = front_half.Source(
        kind="newsletter",
        subject="The week in the city",
        body=f"{body}\nThis went to {{{{ subscriber.email }}}}.",
        format="markdown",
        from_name="City News",
        from_email="news@example.org",
        postal_address="1 Road, Town",
        workspace={"id": "wwwwwwww", "name": "City"},
        lists={"7": {"id": "llllllll", "name": "The weekly letter"}},
    )
    return front_half.compile(source)


def readers(count: int) -> list[Person]:
    """People with rather different names."""
    names = [
        f"{FIRST[n % 10]} {LAST[n // 10 % 10]}"
        if n % 10 == 5
        else f"{FIRST[n % 9 % 5]} {LAST[n % 5]}"
        for n in range(count)
    ]
    return [
        {
            "name": name,
            "first_name": name.partition(" ")[0],
            "email": f"reader{n}@example.org",
            "fields": {},
        }
        for n, name in enumerate(names)
    ]


def batches(people: list[Person]) -> Iterator[tuple[range, list[Person]]]:
    """People with their keys, as a worker gets them."""
    for start in range(0, len(people), BATCH):
        batch = people[start : start + BATCH]
        yield range(start + 1, start + 1 + len(batch)), batch


def tokens(program: Program, people: list[Person]) -> None:
    """All tokens and Message-IDs."""
    for numbers, _ in batches(people):
        links.for_people(MESSAGE, numbers, 0, program.link_key)
        links.message_keys(MESSAGE, numbers)


def stamps(program: Program, people: list[Person]) -> list[Stamp]:
    made: list[Stamp] = []
    for numbers, batch in batches(people):
        hers = links.for_people(MESSAGE, numbers, 0, program.link_key)
        message_keys = links.message_keys(MESSAGE, numbers)
        made += [
            Stamp(person["email"], key, THEN, four, "7")
            for person, key, four in zip(batch, message_keys, hers, strict=True)
        ]
    return made


def rendering(program: Program, people: list[Person], ready: list[Stamp]) -> None:
    """Every mail, with what is put together for it: its values and its stamp."""
    the_list = {"name": "The weekly letter"}
    for person, (address, key, date, four, on) in zip(people, ready, strict=True):
        stamp = Stamp(address, key, date, four, on)
        program.render({"subscriber": person, "list": the_list}, stamp)


def signing(program: Program, people: list[Person], ready: list[Stamp], signer: Signer) -> None:
    """The same mails with a signature."""
    seal = program.seal([signer])
    for person, stamp in zip(people, ready, strict=True):
        program.render_sealed({"subscriber": person, "list": {"name": "x"}}, stamp, seal)


def by_django(
    people: list[Person], ready: list[Stamp], text: str, html: str, encoding: Any = None
) -> None:
    """The same mails by Django, from texts that are rendered already."""
    for person, stamp in zip(people, ready, strict=True):
        headers = {
            "List-Unsubscribe": f"<{SITE}/u/{stamp.links.unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Message-ID": f"<{stamp.message_key}@example.org>",
        }
        to = [f"{person['name']} <{person['email']}>"]
        mail = EmailMultiAlternatives("The week", text, "news@example.org", to, headers=headers)
        mail.encoding = encoding
        mail.attach_alternative(html, "text/html")
        mail.message().as_bytes(linesep="\r\n")


def quoted_printable() -> Charset:
    """For Django: the encoding that our mails have."""
    charset = Charset("utf-8")
    charset.body_encoding = QP
    return charset


def best(work: Callable[..., None], *given: Any, count: int) -> float:
    """Microseconds per mail in the best of the rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work(*given)
        taken.append(time.process_time() - began)
    return min(taken) / count * 1e6


def measured(count: int) -> dict[str, Any]:
    compiled = newsletter()
    program = compiled_program(compiled)
    people = readers(count)
    ready = stamps(program, people)
    few, few_ready = people[:FEW], ready[:FEW]
    us = {
        "tokens": best(tokens, program, people, count=count),
        "render": best(rendering, program, people, ready, count=count),
    }
    ours = us["tokens"] + us["render"]
    plain = best(rendering, program, few, few_ready, count=len(few))
    for name, key in (("rsa", generate_private_key(65537, 2048)), ("ed25519", ed25519())):
        signer = Signer("example.org", "news", key)
        us[f"dkim_{name}"] = best(signing, program, few, few_ready, signer, count=len(few)) - plain
    texts = written(compiled, program)
    us["django"] = best(by_django, few, few_ready, *texts, quoted_printable(), count=len(few))
    us["django_8bit"] = best(by_django, few, few_ready, *texts, count=len(few))
    mail = program.render({"subscriber": people[0], "list": {"name": "x"}}, ready[0])
    return {
        "recipients": count,
        "octets": len(mail),
        "holes": holes(program),
        "links": len(program.stored.targets),
        "us": {name: round(value, 2) for name, value in us.items()},
        "ours": round(ours, 2),
        "ratio": round(us["django"] / ours, 1),
    }


def ed25519() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def compiled_program(compiled: dict[str, Any]) -> Program:
    front = front_of(compiled, message="mmmmmmmm", site=SITE, link_key=compiled["key"], moment=THEN)
    began = time.perf_counter()
    stored = json.loads(json.dumps(compile_program(front, pixel=True).to_json()))
    between = time.perf_counter()
    program = Program.from_json(stored)
    loaded = time.perf_counter() - between
    print(f"compiled in {(between - began) * 1e3:.1f} ms, loaded in {loaded * 1e3:.1f} ms")
    return program


def holes(program: Program) -> int:
    """How many places of one mail are another for each person."""
    changing = [field for field in program.stored.fields if not hasattr(field, "line")]
    return len(changing) + sum(isinstance(item, int) for item in program.stored.body)


def written(compiled: dict[str, Any], program: Program) -> tuple[str, str]:
    """Text and HTML for Django, without a person."""
    values = {
        **front_half.sample(compiled),
        **render.personal_urls(MESSAGE, 1, 0, program.link_key),
    }
    found = render.rendered(compiled, values)
    return found.text, found.html


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render")
    parser.add_argument("--recipients", type=int, default=100_000)
    count = parser.parse_args(words).recipients
    with connection.schema_editor() as editor:
        editor.create_model(LinkKey)  # the only table that links need
    print(json.dumps(measured(count)))


if __name__ == "__main__":
    main(sys.argv[1:])
