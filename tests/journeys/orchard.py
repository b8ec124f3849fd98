"""An instance with something to look at, made by the deeds themselves.

`plant` runs inside it: `mailape shell -c "from tests.journeys.orchard import plant; plant(…)"`.
"""

from __future__ import annotations

import io
import json
from datetime import timedelta
from urllib.parse import urlsplit

from django_celery_results.models import TaskResult
from PIL import Image, ImageDraw

from mailape.accounts import invitations, tokens, users
from mailape.accounts.models import Membership, Role, User, Workspace
from mailape.accounts.workspaces import change
from mailape.campaigns import pictures, write
from mailape.campaigns.models import Message
from mailape.core import bell, clock, ids
from mailape.delivery import compile, outcome, sources, tally
from mailape.delivery.models import State
from mailape.lists import bulk, manage, subscribe, suppress
from mailape.lists.models import (
    DeedKind,
    MailingList,
    Method,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from mailape.senders import manage as senders
from mailape.senders.open_account import open_account
from mailape.web.tests import worlds
from tests.house.people import Person

FIRST = (
    "Vera Anton Ida Jo Lena Tomás Ada Per Mia Ola Ruth Emil Nora Yusuf Greta Ivo Lin Ewa Max Zoe"
)
LAST = "Holm Brück Sørensen Park Wörle Ruiz Nkemelu Nilsson Chen Berg Adler Kaya Moreau"
WORD = subscribe.Origin(Method.OWNER, source="the gate", wording="Signed the list at the gate.")
FORM = subscribe.Origin(Method.FORM, source="/subscribe", wording="By signing up you agree.")

BLOSSOM = """\
Dear {{ subscriber.first_name | default: "friend" }},

the frost of the **21st of April** stopped at the hedge. We had candles between the rows until five
in the morning, and every blossom held.

## What to see now

- the Gravenstein by the gate, in full white
- bees, at last, from ten o’clock on
- the new rows behind the barn

[The way to the orchard](https://orchard.example/way)

Mara
"""
APPLES = """\
Hello {{ subscriber.first_name | default: "there" }},

the **first boxes** of Gravenstein stand at the gate.

## Saturday, 9 to 12

- bring a bag, we have no more paper ones
- one box is eight kilos, and it keeps until November
- cider from last year, while it lasts

[What they are good for](https://orchard.example/gravenstein)

Mara
"""


def plant(mara_address: str, noa_address: str, password: str) -> None:
    """Two workspaces: Mara's with lists, people, messages; Noa's with nothing. Prints what is
    where, as one line of JSON."""
    mara = open_account(
        mara_address, password, name="Mara", workspace_name="The Orchard", admin=True
    )
    open_account(noa_address, password, name="Noa", workspace_name="New ground")
    change(mara.workspace, name="The Orchard", postal_address="Gate 1, 12 Orchard Lane, Hale")
    letter = manage.create(
        mara.workspace, "Orchard letter", "What ripens and when the gate is open. Every other week."
    )
    helpers = manage.create(
        mara.workspace, "Harvest helpers", "A short call when hands are needed."
    )
    _people(letter, helpers)
    _suppressions(mara.workspace)
    for days, subject in ((42, "Pruning day, and who lends a ladder"), (20, "The first swallows")):
        with clock.moved(-timedelta(days=days)):
            worlds.sent(Person(mara), [letter], subject, answer="")
    blossom = _message(mara.user, "Blossom, and a frost we got through", BLOSSOM, letter)
    with clock.moved(timedelta(minutes=-20)):
        draft = _message(mara.user, "Apples, at last", APPLES, letter)
    image = pictures.add(mara.workspace, mara.user, _apple(), "apple.png")
    pictures.describe(image, "An apple, still green")
    write.edit(draft, write.Draft(body=f"{APPLES}\nPS: Come early.\n"), editor=mara.user)
    print(
        json.dumps(
            {
                "list": letter.public_id,
                "sent": blossom.public_id,
                "draft": draft.public_id,
                "image": image.token,
                "version": "1",
                "person": letter.subscriptions.order_by("-pk")[3].subscriber.public_id,
                "suppression": Suppression.objects.latest("pk").public_id,
                "token": tokens.add(mara, "the shop’s till")[0].public_id,
                "goodbye": "goodbye",
                "bulk": _asked(mara, letter),
                **_team(mara, mara_address.partition("@")[2], password),
            }
        )
    )


def _team(mara: Membership, domain: str, password: str) -> dict[str, str]:
    """A gardener who writes, somebody who is invited, and a second sender."""
    gardener = users.make(f"gardener@{domain}", password, name="Gardener")
    joined = Membership.objects.create(user=gardener, workspace=mara.workspace, role=Role.EDITOR)
    _invitation, link = invitations.invite(mara, f"beekeeper@{domain}", Role.VIEWER)
    shop = senders.add(mara.workspace, name="The Orchard shop", email=f"shop@{domain}")
    return {
        "member": joined.public_id,
        "sender": shop.public_id,
        "invited": urlsplit(link).path,
    }


def _asked(mara: Membership, letter: MailingList) -> str:
    """A deed on many people that waits for its yes."""
    three = list(letter.subscriptions.order_by("pk").values_list("subscriber_id", flat=True)[:3])
    asked = bulk.ask(mara.workspace, mara.user.email, DeedKind.REMOVE, people=three, to=letter)
    return asked.public_id


def _apple() -> bytes:
    """A picture: a green disc on a light ground."""
    picture = Image.new("RGB", (640, 400), "#eef3e6")
    ImageDraw.Draw(picture).ellipse((220, 100, 420, 300), fill="#7aa53c")
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _people(letter: MailingList, helpers: MailingList) -> None:
    first, last = FIRST.split(), LAST.split()
    for number in range(120):
        name = f"{first[number % len(first)]} {last[number % len(last)]}"
        who = f"{first[number % len(first)]}{number}@example.org".lower()
        if number % 11 == 5:
            with clock.moved(-timedelta(days=max(100 - number, 0) // 3)):
                subscribe.sign_up(letter, who, name, FORM)
            continue
        # Some came every day of the last months, more of them of late.
        with clock.moved(-timedelta(days=round(85 - 85 * (number / 120) ** 0.7))):
            made, _ = subscribe.add(letter, who, name, WORD, confirmed=True)
            if number % 4 == 0:
                subscribe.add(helpers, who, name, WORD, confirmed=True)
        if number % 17 == 16:
            leaving = subscribe.Origin(Method.ONE_CLICK, source="link in a message")
            with clock.moved(-timedelta(days=number // 20)):
                subscribe.unsubscribe(made.subscriber_id, [letter.pk], leaving)


def _suppressions(workspace: Workspace) -> None:
    suppress.several(workspace, "trap.example\nspam.example", source="mara@orchard.example")
    suppress.suppress(
        workspace, "old.box@mill.example", reason=SuppressionReason.BOUNCE,
        source="550 5.1.1 no such mailbox",
    )  # fmt: skip
    suppress.suppress(
        workspace, "jo@farm.example", reason=SuppressionReason.COMPLAINT, source="feedback loop"
    )
    suppress.remember_erased(workspace, ["nobody@gone.example"])


def spoil(sent: str) -> None:
    """As after a bad day: of a message that was sent, four mails are in doubt, and one reader's
    mailbox bounces. Prints who she is."""
    message = Message.objects.get(pk=ids.private("message", sent))
    wanted = message.deliveries.filter(state=State.SENT).order_by("pk")
    keys = list(wanted.values_list("pk", flat=True)[5:9])
    message.deliveries.filter(pk__in=keys).update(
        state=State.UNKNOWN, sent_at=None, answer="", tried_at=clock.now(),
        reason="The line dropped before the server answered",
    )  # fmt: skip
    tally.moved([(message.pk, State.SENT, State.UNKNOWN)] * len(keys))
    held = Subscriber.objects.filter(workspace=message.workspace_id).earliest("pk")
    suppress.suppress(
        held.workspace, held.email, reason=SuppressionReason.BOUNCE, source="552 5.2.2 full"
    )
    print(json.dumps({"held": held.public_id}))


def small_list(email: str) -> None:
    """In this person's workspace: a list with three people. Prints its id."""
    letter = manage.create(_workspace(email), "Small letter")
    for who, name in (("ida@example.org", "Ida Amber"), ("ben@example.org", "Ben Amber"),
                      ("cleo@else.example", "Cleo")):  # fmt: skip
        subscribe.add(letter, who, name, WORD, confirmed=True)
    print(json.dumps({"list": letter.public_id}))


def long_list(email: str) -> None:
    """In this person's workspace: a draft to two hundred people. Prints its id."""
    workspace = _workspace(email)
    letter = manage.create(workspace, "Long letter")
    for number in range(200):
        subscribe.add(letter, f"reader{number}@example.org", "", WORD, confirmed=True)
    author = workspace.memberships.earliest("pk").user
    print(json.dumps({"message": _message(author, "Slowly", APPLES, letter).public_id}))


def failed_task(_email: str) -> None:
    """A task of this instance that has failed. Prints nothing that is needed."""
    trace = 'Traceback (most recent call last):\n  File "build.py", line 9, in build_next\n'
    TaskResult.objects.create(
        task_id=f"failed-{clock.now().timestamp()}", task_name=bell.BUILD, status="FAILURE",
        traceback=f"{trace}OSError: No space left on device", date_done=clock.now(),
        result='{"exc_type": "OSError", "exc_message": ["No space left on device"]}',
    )  # fmt: skip
    print("{}")


def _workspace(email: str) -> Workspace:
    return User.objects.get(email_key=email).memberships.earliest("pk").workspace


def refused(email: str) -> None:
    """In this person's workspace: a message to three readers, two of whose mailboxes were full.
    Prints its id."""
    user = User.objects.get(email_key=email)
    member = user.memberships.select_related("workspace").earliest("pk")
    letter = manage.create(member.workspace, "Full boxes")
    for who in ("ida", "full1", "full2"):
        subscribe.add(letter, f"{who}@example.org", "", WORD, confirmed=True)
    owner = Person(member, "")
    message = worlds.sent(owner, [letter], "A letter to full boxes", "250 2.0.0 taken")
    # Tried again it goes out as the same mail, so it must have been compiled once.
    compiled = compile.revision(message, sources.newsletter(message))
    Message.objects.filter(pk=message.pk).update(revision=compiled, reason="")
    failed = message.deliveries.filter(to_address__startswith="full").update(
        state=State.FAILED, sent_at=None, tried_at=clock.now(), reason="Refused",
        answer="552 5.2.2 Over quota",
    )  # fmt: skip
    message.deliveries.update(not_before=None)
    message.batches.update(sent=3 - failed, failed=failed)
    outcome.want(message.pk)
    outcome.one()
    print(json.dumps({"message": message.public_id}))


def _message(author: User, subject: str, body: str, to: MailingList) -> Message:
    draft = write.Draft(lists=[to], subject=subject, body=body)
    return write.create(to.workspace, author, draft)
