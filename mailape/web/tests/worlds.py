"""A workspace with one of everything, so that a test can ask every page about it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from email.message import EmailMessage

from mailape.accounts import invitations, tokens
from mailape.accounts.models import ApiToken, Invitation, Membership, Role, SignedIn
from mailape.campaigns import audience, pictures, write
from mailape.campaigns.models import EarlierText, Image, Message, Status
from mailape.core import clock, ids, links
from mailape.delivery.models import DeliveryBatch, OutboxMail, State, SubscriberMessage
from mailape.lists import bulk, manage, subscribe, suppress
from mailape.lists.models import (
    BulkDeed,
    DeedKind,
    MailingList,
    Method,
    Subscriber,
    Subscription,
    Suppression,
)
from mailape.senders import dkim
from mailape.senders.models import DkimKey, Sender
from tests.house import people
from tests.house.people import Person

WORD = subscribe.Origin(Method.OWNER, source="alice@example.org", wording="She said so.")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FORM = subscribe.Origin(Method.FORM, source="/subscribe/x", wording="Yes.")


@dataclass
class World:
    """What stands in one person's workspace."""

    owner: Person
    list: MailingList
    person: Subscriber
    draft: Message
    sent: Message
    mail: OutboxMail
    token: ApiToken
    suppression: Suppression
    member: Membership
    invitation: Invitation
    sender: Sender
    session: SignedIn
    dkim: DkimKey
    image: Image
    bulk: BulkDeed

    def kwargs(self, name: str) -> dict[str, str]:
        """What the route called `name` needs to show something of this workspace."""
        public = {
            "list": self.list.public_id,
            "person": self.person.public_id,
            "message": self.sent.public_id,
            "draft": self.draft.public_id,
            "outbox": self.mail.public_id,
            "token": self.token.public_id,
            "suppression": self.suppression.public_id,
            "member": self.member.public_id,
            "invitation": self.invitation.public_id,
            "sender": self.sender.public_id,
            "session": self.session.public_id,
            "delivery": self.sent.deliveries.earliest("pk").public_id,
            "dkim": self.dkim.public_id,
            "domain": self.dkim.domain,
            "image": self.image.token,
            "version": "7",
            "bulk": self.bulk.public_id,
        }
        return {key: public.get(value, value) for key, value in ROUTES[name].items()}

    @property
    def links(self) -> links.Links:
        """The tokens of the sent message to the person."""
        return links.for_person(self.sent.pk, self.person.pk)


# Every route of members and what stands in its address.
ROUTES: dict[str, dict[str, str]] = {
    "overview": {},
    "switch": {},
    "lists": {},
    "list-new": {},
    "list": {"id": "list"},
    "list-edit": {"id": "list"},
    "list-archive": {"id": "list"},
    "list-restore": {"id": "list"},
    "subscribers": {"id": "list"},
    "subscriber-new": {"id": "list"},
    "subscriber-end": {"id": "list", "person": "person"},
    "person": {"id": "person"},
    "person-edit": {"id": "person"},
    "person-erase": {"id": "person"},
    "people": {},
    "people-columns": {},
    "people-export": {},
    "bulk-ask": {},
    "bulk": {"id": "bulk"},
    "bulk-progress": {"id": "bulk"},
    "bulk-stop": {"id": "bulk"},
    "bulk-undo": {"id": "bulk"},
    "suppressions": {},
    "suppression-new": {},
    "suppression-lift": {"id": "suppression"},
    "suppression-undo": {},
    "messages": {},
    "message-new": {},
    "message-autosave-new": {},
    "message-live": {},
    "message-live-html": {},
    "message-readers": {},
    "message": {"id": "message"},
    "message-edit": {"id": "draft"},
    "message-autosave": {"id": "draft"},
    "message-state": {"id": "draft"},
    "message-together": {"id": "draft"},
    "message-history": {"id": "draft"},
    "message-earlier": {"id": "draft", "version": "version"},
    "message-earlier-restore": {"id": "draft", "version": "version"},
    "message-copy": {"id": "draft"},
    "message-remove": {"id": "draft"},
    "message-restore": {"id": "draft"},
    "message-tests": {"id": "draft"},
    "images": {},
    "image-describe": {"id": "image"},
    "image-remove": {"id": "image"},
    "message-preview": {"id": "draft"},
    "message-html": {"id": "draft"},
    "message-test": {"id": "draft"},
    "message-send": {"id": "draft"},
    "message-later": {"id": "draft"},
    "message-look": {"id": "draft"},
    "message-looks": {"id": "draft"},
    "message-take-back": {"id": "draft"},
    "message-progress": {"id": "message"},
    "message-pause": {"id": "message"},
    "message-resume": {"id": "message"},
    "message-cancel": {"id": "message"},
    "message-resend": {"id": "message"},
    "message-leave": {"id": "message"},
    "message-retry": {"id": "message"},
    "deliveries": {"id": "message"},
    "deliveries-csv": {"id": "message"},
    "delivery": {"id": "message", "delivery": "delivery"},
    "outbox": {},
    "outbox-mail": {"id": "outbox"},
    "outbox-html": {"id": "outbox"},
    "go": {},
    "overview-now": {},
    "design": {},
    "design-ask": {},
    "settings": {},
    "settings-save": {},
    "members": {},
    "tokens": {},
    "token-revoke": {"id": "token"},
    "settings-look": {},
    "logo-remove": {},
    "senders": {},
    "sender-new": {},
    "sender-edit": {"id": "sender"},
    "sender-default": {"id": "sender"},
    "sender-remove": {"id": "sender"},
    "sender-restore": {"id": "sender"},
    "signing": {"id": "domain"},
    "signing-make": {"id": "domain"},
    "signing-key": {"id": "dkim"},
    "invite": {},
    "member": {"id": "member"},
    "member-remove": {"id": "member"},
    "member-owner": {"id": "member"},
    "members-leave": {},
    "invitation-again": {"id": "invitation"},
    "invitation-withdraw": {"id": "invitation"},
    "list-wording": {"id": "list"},
    "list-wording-mail": {"id": "list"},
    "list-wording-welcome": {"id": "list"},
    "list-wording-page": {"id": "list", "page": "goodbye"},
    "workspace-new": {},
    "account": {},
    "account-email": {},
    "account-keep-email": {},
    "account-password": {},
    "account-close": {},
    "session-end": {"id": "session"},
    "sessions-end": {},
}


def build(owner: Person, text: str = "Apples", email: str = "vera@example.org") -> World:
    """One of everything, with `text` in every field that takes one."""
    which = manage.create(owner.workspace, text, text)
    person = on_list(which, email, text)
    draft = write.create(
        owner.workspace, owner.user, write.Draft(lists=[which], subject=text, body=f"{text}\n")
    )
    EarlierText.objects.create(
        message=draft, version=7, subject=text, body=text, format="markdown", author=owner.user,
        written_at=clock.now(), size=len(text),
    )  # fmt: skip
    return World(
        owner,
        which,
        person,
        draft,
        sent(owner, [which], subject=text, answer=text),
        outbox(owner, text, email),
        tokens.add(owner.member, text)[0],
        suppress.suppress(owner.workspace, "bounces.example", source=text)[0],
        people.join(owner, f"team-{owner.user.pk}", Role.EDITOR).member,
        invitation(owner, text),
        Sender.objects.create(workspace=owner.workspace, name=text, email=f"{text}@x.example"),
        SignedIn.objects.create(user=owner.user, session_key=f"x{owner.user.pk}", browser=text),
        dkim.make(owner.workspace, f"signed-{owner.workspace.pk}.example", "ed25519"),
        pictures.describe(pictures.add(owner.workspace, owner.user, PNG, text), text),
        bulk.ask(owner.workspace, text, DeedKind.REMOVE, people=[person.pk], to=which),
    )


def invitation(owner: Person, text: str) -> Invitation:
    """An invitation that is open, to an address that no form would take."""
    made, _ = invitations.invite(owner.member, f"new-{owner.user.pk}@example.org", Role.EDITOR)
    Invitation.objects.filter(pk=made.pk).update(email=text)
    made.refresh_from_db()
    return made


def on_list(
    which: MailingList, email: str, name: str = "", *, confirmed: bool = True
) -> Subscriber:
    """A person on this list."""
    return subscribe.add(which, email, name, WORD, confirmed=confirmed)[0].subscriber


def sent(owner: Person, lists: list[MailingList], subject: str, answer: str = "250 ok") -> Message:
    """A message that went out to everyone confirmed on these lists."""
    made = write.create(
        owner.workspace, owner.user, write.Draft(lists=lists, subject=subject, body="Hello\n")
    )
    now = clock.now()
    Message.objects.filter(pk=made.pk).update(
        status=Status.SENT, audience_frozen=audience.freeze(made), started_at=now,
        built_at=now, finished_at=now, reason=answer[:300],
    )  # fmt: skip
    confirmed = Subscription.objects.filter(list__in=lists, status="confirmed")
    people = {one.subscriber_id: one for one in confirmed.select_related("subscriber")}
    rows = [
        SubscriberMessage.objects.create(
            message=made, workspace_id=owner.workspace.pk, subscriber_id=one.subscriber_id,
            list_id=one.list_id, to_address=one.subscriber.email, batch=1, state=State.SENT,
            attempts=1, sent_at=now, answer=answer[:500], reason=answer[:120],
        )
        for one in people.values()
    ]  # fmt: skip
    if rows:
        DeliveryBatch.objects.create(
            message=made, number=1, first_id=rows[0].pk, last_id=rows[-1].pk,
            size=len(rows), sent=len(rows), done=True,
        )  # fmt: skip
    made.refresh_from_db()
    return made


def outbox(owner: Person | None, subject: str, recipient: str) -> OutboxMail:
    """A mail in the Outbox; without an owner it is account mail."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "vera@example.org", "Hello"
    mail["X-Text"] = subject.encode("ascii", "replace").decode()
    mail.set_content(f"{subject}\nhttps://example.org/confirm\n")
    mail.add_alternative(f"<p>{subject}</p><a href='/lists'>lists</a>", subtype="html")
    return OutboxMail.objects.create(
        workspace=owner.workspace if owner else None,
        sender="a@example.org", recipient=recipient, subject=subject, content=bytes(mail),
    )  # fmt: skip


def confirmation(which: MailingList, person: Subscriber, number: int = 1) -> str:
    """The token of confirmation mail `number`, made as delivery makes it."""
    message, _ = Message.objects.get_or_create(
        kind="confirmation", name="confirmation", list=which, workspace=which.workspace,
        defaults={"status": Status.SENDING},
    )  # fmt: skip
    return links.confirm(message.pk, person.pk, number)


def foreign(kind: str) -> str:
    """An id of the right form for something that does not exist."""
    return ids.public(kind, 987_654_321)
