"""Mail of MailApe itself: to users, and tests. One more delivery each, by the same path as all.

| name | to whom | context |
|---|---|---|
| password-reset | a user who asked | url |
| password-changed | that user, afterwards | url |
| account-exists | a user whose address signed up anew | url |
| account-new | a stranger who opens an account | url |
| address-new | a user, at the address asked for | url |
| address-changed | that user, at the address before | email, url |
| invitation | whoever is invited to a workspace | inviter, workspace.name, url |
| route-broken | the owners of a paused message | subject, reason, url |
| test | whoever asked for a test | – |

Texts are the files of these names in `delivery/mails/`. Nothing is mailed from a request: the row
is written, a bell is rung after the commit.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import get_language

from mailape.accounts import access, reset
from mailape.accounts.models import Invitation, User, Workspace
from mailape.campaigns.models import Format, Kind, Message, Status
from mailape.core import address, bell, clock
from mailape.delivery import compile, leases, sources
from mailape.delivery.compile import Source
from mailape.delivery.models import OPEN_STATES, SubscriberMessage

TEST = "test"


def account_mail(
    to: str,
    name: str,
    context: dict[str, Any],
    workspace: Workspace | None = None,
    language: str = "",
) -> SubscriberMessage:
    """Queues the mail called `name` to this address, with these values for its merge tags."""
    language = language if language in settings.INTERFACE_LANGUAGES else "en"
    source = sources.own(Kind.ACCOUNT, name, language)
    # One message for each language, or two of them would take turns making revisions.
    message = machine_message(Kind.ACCOUNT, name if language == "en" else f"{name}.{language}")
    return _queue(to, message, source, context, workspace)


def to_user(user: User, name: str, path: str, **context: Any) -> SubscriberMessage:
    """Queues the account mail `name` with a link to this path, in the user's language."""
    context = {"url": f"{settings.SITE_URL}{path}", **context}
    return account_mail(user.email, name, context, language=user.language or _spoken())


def to_stranger(email: str, name: str, path: str) -> SubscriberMessage:
    """Queues the account mail `name` to an address without a user, in this page's language."""
    context = {"url": f"{settings.SITE_URL}{path}"}
    return account_mail(email, name, context, language=_spoken())


def password_reset(user: User) -> SubscriberMessage:
    """Queues the mail with the link to a new password, which is good once and for an hour."""
    return to_user(user, "password-reset", f"/reset/{reset.token(user)}")


def invitation(to: Invitation, url: str) -> SubscriberMessage:
    """Queues the mail with the link of an invitation, in its workspace's language."""
    inviter = to.invited_by
    context = {
        "inviter": (inviter.name or inviter.email) if inviter else to.workspace.name,
        "workspace": {"name": to.workspace.name},
        "url": url,
    }
    language = to.workspace.language or _spoken()
    # Without the workspace: in its Outbox a viewer could read the link, and join as an admin.
    return account_mail(to.email, "invitation", context, language=language)


def _spoken() -> str:
    """The language of the page that this mail is asked for on; English in a worker."""
    return get_language() or "en"


def route_broken(message: Message, reason: str) -> None:
    """Tells the owners of the message's workspace that it is paused, and why."""
    if message.workspace is None:
        return
    url = f"{settings.SITE_URL}/messages/{message.public_id}"
    context = {"subject": message.subject, "reason": reason, "url": url}
    for owner in access.owners(message.workspace):
        language = owner.language or message.workspace.language
        account_mail(owner.email, "route-broken", context, message.workspace, language)


def send_test(to: str, message: Message | None = None) -> SubscriberMessage:
    """Queues a test mail through the real path: our own text, or a message as it is now.

    Raises Invalid for what is no address; CannotCompile for a message that cannot be sent.
    """
    who = address.parse(to)
    if message is None:
        return _queue(who.typed, machine_message(Kind.TEST, TEST), sources.own(Kind.TEST, TEST))
    source = replace(sources.newsletter(message), kind=Kind.TEST)
    keeper = machine_message(Kind.TEST, TEST, message.workspace)
    return _queue(who.typed, keeper, source, _as_a_reader(who.typed, source), message.workspace)


def wait_for(delivery: SubscriberMessage, seconds: float) -> bool:
    """Waits until a worker has tried this delivery; says whether one did within `seconds`."""
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        delivery.refresh_from_db()
        if delivery.state not in OPEN_STATES or delivery.tried_at is not None:
            return True
        time.sleep(0.1)
    return False


def machine_message(kind: str, name: str, workspace: Workspace | None = None) -> Message:
    """The message that deliveries of this purpose belong to; made when first asked for."""
    found = {"kind": kind, "name": name, "workspace": workspace, "list": None}
    message = Message.objects.filter(**found).order_by("pk").first()
    if message is not None:
        return message
    try:
        with transaction.atomic():
            return Message.objects.create(
                **found, status=Status.SENDING, format=Format.MARKDOWN, started_at=clock.now()
            )
    except IntegrityError:  # another process made it in this moment
        return Message.objects.get(**found)


def _queue(
    to: str,
    message: Message,
    source: Source,
    context: dict[str, Any] | None = None,
    workspace: Workspace | None = None,
) -> SubscriberMessage:
    revision = compile.revision(message, source)
    with transaction.atomic():
        if message.revision_id != revision.pk and source.kind == Kind.ACCOUNT:
            Message.objects.filter(pk=message.pk).update(revision=revision)
        made = SubscriberMessage.objects.create(
            message=message,
            workspace_id=workspace.pk if workspace else None,
            to_address=to,
            revision_id=revision.pk,
            context=context or {},
            priority=leases.MACHINE,
            not_before=clock.now(),
        )
        bell.ring(bell.WAKE)
    return made


def _as_a_reader(email: str, source: Source) -> dict[str, Any]:
    """A test shows the message as a reader sees it; its links lead to the site and do nothing."""
    first = next(iter(source.lists.values()), {"name": ""})
    return {
        "subscriber": {"name": "Ann Example", "first_name": "Ann", "email": email, "fields": {}},
        "list": {"name": first["name"]},
        **{
            f"{name}_url": f"{settings.SITE_URL}/{letter}/test"
            for name, letter in (("unsubscribe", "u"), ("preferences", "p"), ("view", "v"))
        },
    }
