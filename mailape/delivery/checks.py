"""The last look at a newsletter before it goes out: what stops it, what to mind, what is fine.

Nothing here asks the network. A check names where it is mended; pages make a link of that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailape.campaigns.audience import Explained
from mailape.campaigns.models import Message
from mailape.delivery import sources
from mailape.delivery.compile import CLIPPED
from mailape.delivery.preview import Preview
from mailape.lists import field_keys
from mailape.senders.models import Sender

SHOWN = 3  # of a kind: the first of them, and how many more
_NEAR_CLIPPED = 0.8
_LONG_SUBJECT = 70  # characters, beyond which inboxes cut
_TAG = re.compile(r"\{\{-?\s*(subscriber\.(?:name|first_name|fields\.\w+))\b([^}]*)\}\}")
_MERGED = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_ASKED = re.compile(r"\{%-?\s*(?:if|unless|elsif|case)\b[^%]*?(subscriber\.[\w.]+)")
_SPOKEN = {"subscriber.name", "subscriber.first_name"}
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_EMPTY_ALT = re.compile(r"\salt=(?:\"\"|'')", re.IGNORECASE)
_FIELD = re.compile(r"\bsubscriber\.fields\.([a-z0-9_]+)")


class Level(Enum):
    """How bad it is: the worst first."""

    STOPS = "stops"
    WARNS = "warns"
    FINE = "fine"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `where` it is mended: text, lists, sender, workspace, or ""."""

    level: Level
    text: str
    where: str = ""
    line: int | None = None


@dataclass
class Found:
    """The links and images of a mail, in their order."""

    links: list[str] = field(default_factory=list)
    images: list[tuple[str, str | None]] = field(default_factory=list)  # source, alternative text


def of(message: Message, mail: Preview, who: Explained, sender: Sender | None) -> list[Check]:
    """Everything about this message, the worst first. `mail` is its preview."""
    found, lacking = found_in(mail.html), _nobodys(message)
    # The logo is not of the writer's making.
    found.images = [one for one in found.images if not one[0].startswith(sources.logos())]
    checks = [
        *_there(message, who),
        *_compiled(mail),
        *_audience(who),
        *_subject(message),
        *_links(message, found),
        *_images(message, found),
        *_fields(message, lacking),
        *_fallbacks(message, {f"subscriber.fields.{key}" for key in lacking}),
        *_size(mail),
        *_sender(message, sender),
    ]
    order = list(Level)
    return sorted(checks, key=lambda one: order.index(one.level))


def stop(checks: Iterable[Check]) -> bool:
    """Whether any of them keeps the message from being sent."""
    return any(one.level is Level.STOPS for one in checks)


def links(mail: Preview) -> list[str]:
    """The web addresses that a mail leads to, each once, without those of its reader's own."""
    all_of_them = dict.fromkeys(found_in(mail.html).links)
    return [url for url in all_of_them if url.startswith(("http://", "https://"))]


def found_in(html: str) -> Found:
    """The links and images of this HTML."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Found()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "a":
            self.found.links.append((given.get("href") or "").strip())
        elif tag == "img":
            self.found.images.append(((given.get("src") or "").strip(), given.get("alt")))


# --- each of them --------------------------------------------------------------------------------


def _there(message: Message, who: Explained) -> Iterator[Check]:
    if not who.lists:
        yield Check(Level.STOPS, _("No list to send to is chosen."), "lists")
    if not message.subject.strip():
        yield Check(Level.STOPS, _("There is no subject."), "text")
    if not message.body.strip():
        yield Check(Level.STOPS, _("There is no text."), "text")


def _compiled(mail: Preview) -> Iterator[Check]:
    for problem in mail.problems:
        if CLIPPED_TEXT not in problem.text:
            level = Level.STOPS if problem.blocks else Level.WARNS
            yield Check(level, problem.text, "text", problem.line)


def _audience(who: Explained) -> Iterator[Check]:
    if who.lists and not who.people:
        yield Check(Level.WARNS, _("It would go to nobody: nobody on these lists can be mailed."))


def _subject(message: Message) -> Iterator[Check]:
    subject = message.subject.strip()
    if len(subject) > _LONG_SUBJECT:
        said = _("The subject has %(number)d letters; most inboxes cut it off after about 70.")
        yield Check(Level.WARNS, said % {"number": len(subject)}, "text")
    letters = [letter for letter in subject if letter.isalpha()]
    if len(letters) > 8 and all(letter.isupper() for letter in letters):
        yield Check(Level.WARNS, _("The subject is all capitals, which filters distrust."), "text")


def _links(message: Message, found: Found) -> Iterator[Check]:
    typed = [url for url in found.links if url != "#"]
    wrong = [(url, said) for url in dict.fromkeys(typed) if (said := link_fault(url))]
    for url, said in wrong[:SHOWN]:
        yield Check(Level.WARNS, said % {"url": _short(url)}, "text", _line(message, url))
    yield from _more(len(wrong), _("%(number)d more links are wrong in the same way."))
    if typed and not wrong:
        number = len(set(typed))
        said = ngettext(
            "%(number)d link, written as it should be.",
            "%(number)d links, written as they should be.",
            number,
        )
        yield Check(Level.FINE, said % {"number": number})


def link_fault(url: str) -> str:
    """What is wrong with a link's address, with a place for `%(url)s`; empty where nothing is."""
    if not url:
        return _("A link has no address.")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return _("“%(url)s” is no address that a browser understands.")
    if parts.scheme in {"mailto", "tel"}:
        return ""
    if not parts.scheme:
        return _("“%(url)s” leads nowhere in a mail: write it in full, with https://.")
    if not host or any(letter.isspace() for letter in url):
        return _("“%(url)s” is no address that a browser understands.")
    if _is_here(host):
        return _("“%(url)s” can be opened on this machine or network only.")
    if "." not in host.strip(".") and ":" not in host:
        return _("“%(url)s” has no domain that others could find.")
    return ""


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _images(message: Message, found: Found) -> Iterator[Check]:
    silent = [src for src, alt in found.images if not (alt or "").strip()]
    silent = [src for src in silent if not _only_decorates(message, src)]
    for src in silent[:SHOWN]:
        said = _(
            "The image “%(url)s” has no words for those who do not see it: ![what it shows](…). "
            'One that only decorates is written as HTML, with alt="".'
        )
        yield Check(Level.STOPS, said % {"url": _short(src)}, "text", _line(message, src))
    yield from _more(len(silent), _("%(number)d more images have no words."))
    # Our own are where SITE_URL says, of which `_sender` warns once.
    others = [src for src, _alt in found.images if not src.startswith(f"{settings.SITE_URL}/")]
    for src in [src for src in others if link_fault(src)][:SHOWN]:
        said = _("The image “%(url)s” cannot be fetched by a reader’s mail program.")
        yield Check(Level.WARNS, said % {"url": _short(src)}, "text", _line(message, src))
    if found.images and not silent:
        yield Check(Level.FINE, _("Every image has words for those who do not see it."))


def _only_decorates(message: Message, src: str) -> bool:
    """Whether the writer said so of this image, as HTML does it (WCAG 2.2, technique H67)."""
    tags = [tag for tag in _IMAGE.findall(message.body) if src in unescape(tag)]
    return any(_EMPTY_ALT.search(tag) for tag in tags)


def _fallbacks(message: Message, told: set[str]) -> Iterator[Check]:
    """Tags that may be empty and say nothing else then; those in a condition were thought of.

    Not of those in `told`, of which it is said that they are always empty.
    """
    known = told.union(*map(_ASKED.findall, _texts(message)))
    for text in _texts(message):
        for tag in _TAG.finditer(text):
            name = tag[1]
            if name in known or "default" in tag[2]:
                continue
            known.add(name)
            line = text.count("\n", 0, tag.start()) + 1 if text is message.body else None
            yield Check(Level.WARNS, _without_fallback(name), "text", line)


def _nobodys(message: Message) -> list[str]:
    """The fields in merge tags that no person of the workspace has: most are a slip of the pen."""
    tags = [tag for text in _texts(message) for tag in _MERGED.findall(text)]
    keys = [key for tag in tags for key in _FIELD.findall(tag)]
    return field_keys.lacking(message.workspace, keys) if message.workspace else []


def _texts(message: Message) -> tuple[str, str, str]:
    """Where a writer may put merge tags."""
    return message.subject, message.preview_text, message.body


def _fields(message: Message, lacking: list[str]) -> Iterator[Check]:
    for key in lacking[:SHOWN]:
        name = f"subscriber.fields.{key}"
        said = _("Nobody has a field “%(key)s”: {{ %(name)s }} is empty for every reader.")
        yield Check(Level.WARNS, said % {"key": key, "name": name}, "text", _line(message, name))
    yield from _more(len(lacking), _("%(number)d more fields are nobody’s."))


def _without_fallback(name: str) -> str:
    said = _("“{{ %(name)s }}” is empty for readers of whom it is not known. %(advice)s")
    advice = _('Write {{ %(name)s | default: "there" }}.') if name in _SPOKEN else (
        _('Write {{ %(name)s | default: "…" }}.')
    )  # fmt: skip
    return said % {"name": name, "advice": advice % {"name": name}}


CLIPPED_TEXT = "102 KB"


def _size(mail: Preview) -> Iterator[Check]:
    octets = len(mail.html.encode("utf-8", "replace"))
    shown = {"size": f"{octets / 1000:.0f}"}
    if octets > CLIPPED:
        said = _("The mail has %(size)s KB of HTML: Gmail cuts it off after 102 KB.")
        yield Check(Level.WARNS, said % shown, "text")
    elif octets > CLIPPED * _NEAR_CLIPPED:
        said = _("The mail has %(size)s KB of HTML, near the 102 KB after which Gmail cuts it off.")
        yield Check(Level.WARNS, said % shown, "text")
    elif octets:
        said = _("%(size)s KB of HTML; Gmail shows up to 102 KB.")
        yield Check(Level.FINE, said % {"size": max(octets // 1000, 1)})


def _sender(message: Message, sender: Sender | None) -> Iterator[Check]:
    if sender is None:
        said = _("There is no sender of your own: it comes from the instance’s address.")
        yield Check(Level.WARNS, said, "sender")
    if message.workspace is not None and not message.workspace.postal_address.strip():
        said = _("There is no postal address, which the laws of many countries ask for.")
        yield Check(Level.WARNS, said, "workspace")
    if settings.SMTP_URL and _is_here(settings.SITE_HOST):
        said = _("Images and links to leave begin with %(url)s: readers cannot open that.")
        yield Check(Level.WARNS, said % {"url": settings.SITE_URL}, "instance")
    yield Check(Level.FINE, _("Links to unsubscribe are in it, visible and for one click."))


def _more(number: int, said: str) -> Iterator[Check]:
    if number > SHOWN:
        yield Check(Level.WARNS, said % {"number": number - SHOWN}, "text")


def _line(message: Message, url: str) -> int | None:
    """The line of the text in which this address stands, where it stands there as it is."""
    place = message.body.find(url) if url else -1
    return message.body.count("\n", 0, place) + 1 if place >= 0 else None


def _short(url: str) -> str:
    return url if len(url) <= 60 else f"{url[:57]}…"
