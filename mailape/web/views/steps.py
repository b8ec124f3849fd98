"""The five steps from an empty workspace to a first message that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from mailape.accounts import access
from mailape.accounts.models import Role
from mailape.campaigns.models import Message
from mailape.campaigns.models import Status as MessageStatus
from mailape.lists.models import MailingList

LOOKED = "looked"  # the session's note that the first message's report was seen


@dataclass
class Step:
    """One of the five, and whether it is done."""

    what: str
    how: str
    url: str
    button: str
    done: bool
    now: bool = False


def steps(
    request: Any, lists: list[MailingList], anybody: bool, messages: list[Message]
) -> list[Step]:
    """The five steps, or none of them once all are done or the way is known.

    `lists` and `messages` are the first and the newest few; `anybody`: whether any list has people.
    """
    begun = [one for one in messages if one.status != MessageStatus.DRAFT]
    known = len(begun) > 1 or (begun and request.session.get(LOOKED))
    if known or not access.allows(request.member, Role.EDITOR):
        return []
    a_list = lists[0] if lists else None
    draft = messages[0] if messages else None
    found = [
        Step(
            _("Make a list"), _("What people sign up for: a weekly letter, news of a club."),
            reverse("web:list-new"), _("Make a list"), bool(lists),
        ),
        Step(
            _("Open its sign-up page"), _how_to_sign_up(),
            reverse("web:subscribe", args=[a_list.public_id]) if a_list else "",
            _("Open the page"), anybody,
        ),
        Step(
            _("Write a message"), _("In Markdown, with each reader’s name if you like."),
            reverse("web:message-new"), _("Write"), bool(messages),
        ),
        Step(
            _("Send it"), _("You see who gets it before anything goes out."),
            reverse("web:message-send", args=[draft.public_id]) if draft else "",
            _("Look and send"), bool(begun),
        ),
        Step(
            _("Look what became of it"), _("Each reader’s mail, with its outcome."),
            reverse("web:message", args=[begun[0].public_id]) if begun else "",
            _("Look"), False,
        ),
    ]  # fmt: skip
    next((step for step in found if not step.done), found[-1]).now = True
    return found


def _how_to_sign_up() -> str:
    if settings.SMTP_URL:
        return _("Sign up yourself and confirm, then send the address to others.")
    return _("Sign up yourself. The mail to confirm with lands in the Outbox, a moment later.")
