"""What a list says in its owner's own words, and in which language it speaks.

Each text stands for one of MailApe's own; an empty one brings that back. The pages' texts are plain
paragraphs, the mails' are Markdown with merge tags. Nothing that a stranger typed goes into the
confirmation mail: it would turn the sign-up form into a way to send that to anybody.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.utils.translation import gettext as _

from mailape.core.errors import Invalid
from mailape.lists.models import MailingList

# What can be worded, and how long it may be.
LONGEST = {
    "confirmation_subject": 200,
    "confirmation_body": 10_000,
    "welcome_subject": 200,
    "welcome_body": 10_000,
    "thanks": 2_000,
    "goodbye": 2_000,
}
FALLBACK = "en"
CONFIRM = re.compile(r"\{\{-?\s*confirm_url\s*-?\}\}")
_STRANGERS = re.compile(r"\{[{%][^}]*\bsubscriber\b")


def language(which: MailingList) -> str:
    """The language of the list's mails, and of its pages where the visitor's is not known here."""
    return which.language or which.workspace.language or FALLBACK


def text(which: MailingList, name: str) -> str:
    """The owner's own text of this name; empty where MailApe's own stands."""
    return str(which.wording.get(name, ""))


def change(which: MailingList, texts: dict[str, str]) -> None:
    """Sets the texts that are given; an empty one brings back MailApe's own.

    Raises Invalid with the name of the text that will not do.
    """
    wording = dict(which.wording)
    for name, given in texts.items():
        cleaned = _checked(name, given)
        wording.pop(name, None)
        if cleaned:
            wording[name] = cleaned
    which.wording = wording
    which.save(update_fields=["wording"])


def set_welcomes(which: MailingList, wanted: bool) -> None:
    """Whether who confirms by the link gets a welcome mail; those who did before get none."""
    which.welcomes = wanted
    which.save(update_fields=["welcomes"])


def set_language(which: MailingList, code: str) -> None:
    """The language of the list's mails and pages; empty: the workspace's. Raises Invalid."""
    if code and code not in dict(settings.LANGUAGES):
        raise Invalid(_("Choose one of the languages."), "language")
    which.language = code
    which.save(update_fields=["language"])


def _checked(name: str, given: str) -> str:
    cleaned = given.replace("\r\n", "\n").strip()
    if name.endswith("_subject"):
        cleaned = " ".join("".join(c if c.isprintable() else " " for c in cleaned).split())
    if len(cleaned) > LONGEST[name]:
        raise Invalid(_("At most %(most)s characters, please.") % {"most": LONGEST[name]}, name)
    if name.startswith("confirmation") and _STRANGERS.search(cleaned):
        text = _(
            "A confirmation goes to an address that anybody may have typed, so nothing of the "
            "form’s may stand in it: leave out the merge tags of the subscriber."
        )
        raise Invalid(text, name)
    if name == "confirmation_body" and cleaned and not CONFIRM.search(cleaned):
        raise Invalid(_("Put the link in: {{ confirm_url }}. Without it nobody can confirm."), name)
    return cleaned
