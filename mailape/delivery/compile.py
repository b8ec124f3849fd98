"""Compiling: what a writer wrote becomes templates of subject, HTML and text, once per revision.

    source ─ lift merge tags ─ Markdown ─ clean ─ lay out ─ inline CSS ─ put tags back ─▶ compiled

What is compiled is kept as a MessageRevision and never changed, with everything else that goes into
a mail: a retry after an edit, a renamed list or a new sender sends the same. For a newsletter there
is a program besides (`mime`), which makes a reader's bytes in a few microseconds; `render` does it
in the plain way for everything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from mailape.campaigns.models import Format, Kind, Message, MessageRevision
from mailape.core import address, clock, keys, links
from mailape.core.errors import Invalid
from mailape.delivery import headers, markup, mend, merge, plain
from mailape.delivery.colours import coloured
from mailape.delivery.lift import Lifted
from mailape.delivery.mime.compiler import compile_program
from mailape.delivery.mime.fields import Stamp
from mailape.delivery.mime.front import front_of

COMPILER = "5"
# Gmail shows no more than this of a mail's HTML, in octets.
CLIPPED = 102_000
_SHOWN_OF_PREVIEW = 110  # characters: as much as the widest inboxes show

KNOWN = frozenset(
    {
        "subscriber.name",
        "subscriber.first_name",
        "subscriber.email",
        "list.name",
        "unsubscribe_url",
        "preferences_url",
        "view_url",
        "mail.subject",
        "mail.site",
        "workspace.name",
        "workspace.postal_address",
    }
)
_LANG = 'lang="en"'  # as the layouts' first line has it
_OPEN_ENDED = ("subscriber.fields.",)


class CannotCompile(Invalid):
    """The message cannot be made into a mail. The text is for its writer."""


@dataclass(frozen=True)
class Source:
    """All that goes into a revision. Two equal ones need no second."""

    kind: str
    subject: str
    body: str
    format: str
    from_name: str
    from_email: str
    preview_text: str = ""
    reply_to: str = ""
    postal_address: str = ""
    site: str = ""
    workspace: dict[str, str] = field(default_factory=dict)  # id and name
    lists: dict[str, dict[str, str]] = field(default_factory=dict)  # by key: id and name
    images: dict[str, tuple[int, int]] = field(default_factory=dict)  # pixels, by token
    logo: dict[str, Any] = field(default_factory=dict)  # url and width
    accent: str = ""  # the workspace's colour, or MailApe's
    precedence: bool = True
    language: str = "en"

    @property
    def fingerprint(self) -> str:
        """Equal for equal sources under the same compiler."""
        text = json.dumps([COMPILER, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class Problem:
    """What is wrong with a text, for its writer; `blocks` when it cannot be sent like this."""

    field: str
    text: str
    blocks: bool
    line: int | None = None

    def __str__(self) -> str:
        return self.text


def revision(message: Message, source: Source) -> MessageRevision:
    """The message's revision for this source: the one it has, or a new one, not yet set on it.

    Raises CannotCompile.
    """
    current = message.revision
    if current is not None and current.compiled.get("fingerprint") == source.fingerprint:
        return current
    compiled = compile(source)
    if source.kind == Kind.NEWSLETTER:
        compiled["program"] = _program(message, compiled)
    return MessageRevision.objects.create(
        message=message, compiler=COMPILER, subject=source.subject, compiled=compiled
    )


def _program(message: Message, compiled: dict[str, Any]) -> dict[str, Any]:
    """What makes the bytes of a newsletter: the same for all, but for what is each reader's own."""
    front = front_of(
        compiled,
        message=message.public_id,
        site=settings.SITE_URL,
        link_key=compiled["key"],
        moment=clock.now(),
    )
    try:
        program = compile_program(front, track=True)
        values = sample(compiled)
        stamp = Stamp("ann@example.org", "0" * 32, clock.now(), links.for_person(1, 1))
        program.render({"subscriber": values["subscriber"], "list": values["list"]}, stamp)
    except (merge.BadTemplate, headers.BadAddress) as wrong:
        raise CannotCompile(str(wrong), "body") from wrong
    return program.to_json()


def compile(source: Source, here: int | None = None) -> dict[str, Any]:
    """The templates and all else that `render` needs. Raises CannotCompile.

    `here` is for previews: the block of Markdown that line stands in gets the id "here".
    """
    subject = headers.one_line(source.subject)
    # In the writer's own lines, so that a fault is found in them.
    for name, text in _written(source).items():
        _parsed(name, text)
    try:
        html, text = _bodies(source, here)
    except (markup.TooMuch, merge.BadTemplate) as wrong:
        raise CannotCompile(str(wrong), "body") from wrong
    compiled = {
        "fingerprint": source.fingerprint,
        "key": keys.newest_id(),  # its links are made with this one, on each attempt
        "kind": source.kind,
        "subject": subject,
        "html": html,
        "text": text,
        "from": {"name": headers.one_line(source.from_name), "email": _sender(source.from_email)},
        "reply_to": _sender(source.reply_to) if source.reply_to else "",
        "lists": source.lists,
        "precedence": source.precedence,
        "values": _constants(source),
    }
    _try(source, compiled)
    return compiled


def _constants(source: Source) -> dict[str, Any]:
    """What merge tags stand for that is the same for everyone."""
    return {
        "workspace": source.workspace,
        "mail": {
            "from_name": headers.one_line(source.from_name or source.from_email),
            "postal_address": headers.one_line(source.postal_address),
            "site": source.site,
        },
    }


def check(
    subject: str, body: str, format: str = Format.MARKDOWN, preview_text: str = ""
) -> list[Problem]:
    """What is wrong with a text before it is sent, the worst first; an empty list is fine."""
    source = Source(
        Kind.NEWSLETTER, subject, body, format, "A", "a@example.org", preview_text=preview_text
    )
    return tried(source)[1]


def tried(source: Source, here: int | None = None) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The source compiled, or None where it cannot be, and what its writer should mend."""
    try:
        compiled = compile(source, here)
    except CannotCompile as wrong:
        return None, [_blocking(source, wrong)]
    problems = [
        Problem(name, said % {"tag": tag}, blocks=False, line=mend.line_of(text, tag))
        for said in [_("There is no merge tag “%(tag)s”; it stays empty.")]
        for name, text in _written(source).items()
        for tag in sorted(merge.names(text))
        if tag not in KNOWN and not tag.startswith(_OPEN_ENDED) and tag != "subscriber.fields"
    ]
    if len(compiled["html"].encode("utf-8", "replace")) > CLIPPED:
        said = _("The mail’s HTML is larger than 102 KB: Gmail cuts it off there.")
        problems.append(Problem("body", said, blocks=False))
    return compiled, problems


def _written(source: Source) -> dict[str, str]:
    """The fields in which merge tags may stand, as the writer wrote them."""
    return {
        "subject": headers.one_line(source.subject),
        "preview_text": headers.one_line(source.preview_text),
        "body": source.body,
    }


def _blocking(source: Source, wrong: CannotCompile) -> Problem:
    name = wrong.field or "body"
    if not isinstance(wrong.__cause__, merge.BadTemplate) or name not in _written(source):
        return Problem(name, str(wrong), blocks=True)
    line, text = mend.advice(_written(source)[name], wrong.__cause__)
    return Problem(name, text, blocks=True, line=line)


def sample(compiled: Mapping[str, Any]) -> dict[str, Any]:
    """Values for trying a template out, before there is a person: its links lead nowhere."""
    first = next(iter(compiled["lists"].values()), {"name": "Our list"})
    return {
        "unsubscribe_url": "#",
        "preferences_url": "#",
        "view_url": "#",
        **compiled["values"],
        "mail": {**compiled["values"]["mail"], "subject": compiled["subject"]},
        "subscriber": {
            "name": "Ann Example",
            "first_name": "Ann",
            "email": "ann@example.org",
            "fields": {},
        },
        "list": {"name": first["name"]},
    }


def _bodies(source: Source, here: int | None) -> tuple[str, str]:
    lifted = Lifted(source.body)
    body = markup.sized(_cleaned(lifted, source.format, here), source.images)
    layout = "layout" if source.format == Format.MARKDOWN else "bare"
    footer = lifted.lift(_footer(source, lifted.into_html(body)))
    document = markup.inlined(
        markup.laid_out(
            lifted.lift(coloured(markup.mail_file(f"{layout}.html"), source.accent)).replace(
                _LANG, f'lang="{source.language}"'
            ),
            SHEET=_sheet(lifted, source.format),
            PREVIEW=_preview(lifted.lift(headers.one_line(source.preview_text))),
            LOGO=lifted.lift(_logo(source)),
            FOOTER=footer,
            BODY=body,
        )
    )
    written = "\n-- \n".join(plain.write(part, lifted.into_url) for part in (body, footer))
    if lost := lifted.lost(document):
        raise CannotCompile(f"This merge tag stands where none can: {lost[0]}", "body")
    return lifted.into_html(document), lifted.into_plain(written)


def _preview(text: str) -> str:
    """What inboxes show after the subject, unseen in the mail itself.

    Behind it invisible filling, or an inbox would go on with the first words of the mail.
    """
    if not text:
        return ""
    filling = "&#847;&nbsp;" * max(0, _SHOWN_OF_PREVIEW - len(text))
    return f'<div class="preview">{escape(text)}{filling}</div>'


def _logo(source: Source) -> str:
    """The workspace's logo above the text. Its name is a merge tag, to be escaped as one."""
    if not source.logo:
        return ""
    url, width = escape(source.logo["url"]), source.logo["width"]
    name = "{{ workspace.name }}"
    return f'<div class="logo"><img src="{url}" alt="{name}" width="{width}"></div>'


def _cleaned(lifted: Lifted, format: str, here: int | None) -> str:
    if format == Format.MARKDOWN:
        html = markup.from_markdown(lifted.lines_as_comments(lifted.text), here)
    else:
        html = lifted.logic_as_comments(lifted.text)
    return lifted.without_other_comments(markup.clean(html))


def _sheet(lifted: Lifted, format: str) -> str:
    sheet = markup.styles(lifted.text) if format == Format.HTML else ""
    if lifted.holds_tag(sheet):
        raise CannotCompile(_("A merge tag cannot stand in a style sheet."), "body")
    return sheet


def _footer(source: Source, body: str) -> str:
    """Name and postal address of the sender; ways to leave, unless the writer put one himself."""

    def part(name: str) -> str:
        return markup.mail_file(f"footer-{name}.html", source.language)

    if source.kind not in {Kind.NEWSLETTER, Kind.TEST, Kind.AUTOMATION, Kind.WELCOME}:
        return part("machine")
    links = "" if "unsubscribe_url" in merge.names(body) else part("links")
    return markup.laid_out(part("newsletter"), LINKS=links)


def _parsed(name: str, text: str) -> None:
    try:
        merge.names(text)
    except merge.BadTemplate as wrong:
        raise CannotCompile(str(wrong), name) from wrong


def _try(source: Source, compiled: dict[str, Any]) -> None:
    """Renders once with a sample, because some faults show only then.

    First what was written, so that a fault is named in its writer's own lines.
    """
    values = sample(compiled)
    tries = (
        ("subject", merge.text, compiled["subject"]),
        ("preview_text", merge.text, headers.one_line(source.preview_text)),
        ("body", merge.text, source.body),
        ("body", merge.text, compiled["text"]),
        ("body", merge.html, compiled["html"]),
    )
    for name, render, template in tries:
        try:
            render(template, values)
        except merge.BadTemplate as wrong:
            raise CannotCompile(str(wrong), name) from wrong


def _sender(email: str) -> str:
    """An address of ours for the wire: an A-label domain (RFC 5890) and an ASCII local part."""
    try:
        typed, key = (found := address.parse(email)).typed, found.key
    except Invalid as wrong:
        raise CannotCompile(f"The sender’s address {email} cannot be used.", "sender") from wrong
    local = typed.rpartition("@")[0]
    if not local.isascii():
        raise CannotCompile(
            f"The sender’s address {email} has letters beyond ASCII before the @; "
            "many servers refuse that.",
            "sender",
        )
    return f"{local}@{key.rpartition('@')[2]}"
