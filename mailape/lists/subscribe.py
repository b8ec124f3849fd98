"""Sign-up, confirmation and leaving: what each does to subscription, consent and confirmation.

    (nobody) ──sign up──▶ unconfirmed ──confirm──▶ confirmed ──leave──▶ unsubscribed
                              ▲  └───────────leave──────────────────────────▶ │ ▲
                              └───────────────────sign up again───────────────┘ │
                                                   confirmed ◀──come back───────┘

Each deed is one transaction: the subscription, the consent record, the move that the list's numbers
are made of, and the fact that asks for a confirmation mail (`confirmation_no` goes up) are stored
together or not at all. The mail itself is
`delivery`'s: a bell is rung after the commit, and a sweep finds what no bell announced.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from mailape.accounts.users import clean_name
from mailape.core import address, bell, clock
from mailape.core.address import Address
from mailape.core.errors import Conflict, NotFound
from mailape.core.models import InstanceSetting
from mailape.lists import numbers, suppress
from mailape.lists.models import (
    Consent,
    ConsentRecord,
    MailingList,
    Method,
    Status,
    Subscriber,
    Subscription,
    SuppressionKind,
)

# Against list bombing: what one address is sent at the most while nobody confirms.
CONFIRMATION_EVERY = timedelta(days=1)
CONFIRMATIONS_EVER = 3
CONFIRMATIONS_A_DAY = 5  # over all lists of a workspace


@dataclass(frozen=True)
class Origin:
    """How a deed came about, for the consent record."""

    method: Method
    source: str = ""
    wording: str = ""
    network_address: str | None = None


@transaction.atomic
def sign_up(to: MailingList, email: str, name: str, origin: Origin) -> None:
    """A stranger asks to be on a list. The caller's answer is the same whatever happens here.

    New, unconfirmed or gone: a confirmation is asked for, within the limits against list bombing.
    Confirmed already, or suppressed: nothing. Raises Invalid for what is no address.
    """
    who = address.parse(email)
    held = suppress.find(to.workspace, who)
    if held is not None and held.kind != SuppressionKind.ERASED:
        return
    suppress.forget_erased(to.workspace, who.key)
    subscriber, _new = _person(to, who, name)
    subscription, _new = _subscribed(to, subscriber, Status.UNCONFIRMED)
    if subscription.status == Status.CONFIRMED:
        return
    record(subscription, Consent.GIVEN, origin)
    if subscription.status == Status.UNSUBSCRIBED:
        _turn(subscription, Status.UNCONFIRMED)
        subscription.unconfirmed_asks = 0
    if _may_ask(subscription):
        _ask(subscription)
    subscription.save()


@transaction.atomic
def add(
    to: MailingList,
    email: str,
    name: str,
    origin: Origin,
    *,
    confirmed: bool = False,
    resubscribe: bool = False,
) -> tuple[Subscription, bool]:
    """The owner adds a person; returns the subscription and whether it is new or begun again.

    With `confirmed` the owner's word stands for a consent obtained elsewhere: it is recorded as
    that and nothing is sent. A person known on this list is returned unchanged.
    Raises Invalid for what is no address; Conflict for a suppressed one, and for one who left
    unless `resubscribe` is said.
    """
    who = address.parse(email)
    held = suppress.find(to.workspace, who)
    if held is not None:
        raise Conflict(
            _(
                "This address is suppressed (%(reason)s) and is not mailed. "
                "Lift the suppression first."
            )
            % {"reason": held.get_reason_display()}
        )
    subscriber, _new = _person(to, who, name)
    status = Status.CONFIRMED if confirmed else Status.UNCONFIRMED
    subscription, new = _subscribed(to, subscriber, status)
    if not new and subscription.status != Status.UNSUBSCRIBED:
        return subscription, False
    if not new and not resubscribe:
        raise Conflict(
            _("This person left the list. Say resubscribe: true if they asked to be on it again.")
        )
    record(subscription, Consent.GIVEN, origin)
    if confirmed:
        _confirmed(subscription)
    else:
        _turn(subscription, status)
        subscription.unconfirmed_asks = 0
        _ask(subscription)
    subscription.save()
    return subscription, True


@transaction.atomic
def confirm(list_id: int, subscriber_id: int, number: int, origin: Origin) -> Subscription:
    """Confirms by the link of confirmation mail `number`. A second time changes nothing.

    Where the list has a welcome mail, that is asked for.

    Any mail since she last signed up will do, not only the newest: mails overtake each other.
    Raises NotFound where there is nothing to confirm any more (erased, left, list archived).
    """
    subscription = (
        Subscription.objects.select_for_update(of=("self",))
        .select_related("list", "subscriber")
        .filter(list_id=list_id, subscriber_id=subscriber_id, list__archived_at__isnull=True)
        .first()
    )
    if subscription is None or number > subscription.confirmation_no:
        raise NotFound(_("This confirmation is not valid any more. Please sign up again."))
    if subscription.status == Status.CONFIRMED:
        return subscription
    valid_from = subscription.confirmation_no - subscription.unconfirmed_asks
    if subscription.status == Status.UNSUBSCRIBED or number <= valid_from:
        raise NotFound(_("This confirmation is not valid any more. Please sign up again."))
    record(subscription, Consent.GIVEN, origin)
    _confirmed(subscription)
    _welcome(subscription)
    subscription.save()
    return subscription


@transaction.atomic
def unsubscribe(subscriber_id: int, list_ids: list[int] | None, origin: Origin) -> list[int]:
    """Ends her subscriptions to these lists, or to all with None; returns the lists ended now.

    A second time ends nothing and is no error.
    """
    wanted = Subscription.objects.select_for_update().filter(subscriber_id=subscriber_id)
    if list_ids is not None:
        wanted = wanted.filter(list_id__in=list_ids)
    ended = list(wanted.exclude(status=Status.UNSUBSCRIBED).order_by("pk"))
    for subscription in ended:
        record(subscription, Consent.WITHDRAWN, origin)
        _turn(subscription, Status.UNSUBSCRIBED)
        subscription.unsubscribed_at = clock.now()
        subscription.unconfirmed_asks = 0
        subscription.save()
    return [subscription.list_id for subscription in ended]


@transaction.atomic
def come_back(subscriber_id: int, list_ids: list[int], origin: Origin) -> list[int]:
    """The way back from the goodbye page: confirms again what was confirmed before she left.

    Whoever holds her link may do it: the link is hers, and her consent to these lists is on record.
    """
    wanted = Subscription.objects.select_for_update(of=("self",)).filter(
        subscriber_id=subscriber_id,
        list_id__in=list_ids,
        list__archived_at__isnull=True,
        status=Status.UNSUBSCRIBED,
        confirmed_at__isnull=False,
    )
    back = list(wanted.order_by("pk"))
    for subscription in back:
        record(subscription, Consent.GIVEN, origin)
        _confirmed(subscription)
        subscription.save()
    return [subscription.list_id for subscription in back]


def _person(on: MailingList, who: Address, name: str) -> tuple[Subscriber, bool]:
    """Finds or makes the person; what is known of her is never overwritten by a stranger."""
    return Subscriber.objects.get_or_create(
        workspace_id=on.workspace_id,
        email_key=who.key,
        defaults={"email": who.typed, "domain": who.domain, "name": clean_name(name)},
    )


def _subscribed(
    to: MailingList, subscriber: Subscriber, status: Status
) -> tuple[Subscription, bool]:
    """Her subscription, locked, made with `status` if there is none; and whether it was made."""
    locked = Subscription.objects.select_for_update()
    found = locked.filter(list=to, subscriber=subscriber).first()
    if found is not None:
        return found, False
    try:
        with transaction.atomic():
            made = Subscription.objects.create(
                list=to, subscriber=subscriber, status=status, created_at=clock.now()
            )
            numbers.moved(to.pk, "", status)
            return made, True
    except IntegrityError:  # fifty clicks at once: another request made it in this moment
        return locked.get(list=to, subscriber=subscriber), False


def _may_ask(subscription: Subscription) -> bool:
    now = clock.now()
    asked = subscription.confirmation_asked_at
    if subscription.unconfirmed_asks >= CONFIRMATIONS_EVER:
        return False
    if subscription.unconfirmed_asks and asked and now - asked < CONFIRMATION_EVERY:
        return False
    today = Subscription.objects.filter(
        subscriber_id=subscription.subscriber_id,
        confirmation_asked_at__gt=now - CONFIRMATION_EVERY,
    )
    return today.count() < CONFIRMATIONS_A_DAY


def _ask(subscription: Subscription) -> None:
    subscription.confirmation_no += 1
    subscription.unconfirmed_asks += 1
    subscription.confirmation_asked_at = clock.now()
    bell.ring(bell.WAKE)


def _welcome(subscription: Subscription) -> None:
    """Asks for the welcome mail, where the list has one: once for each subscription, whatever
    becomes of it later. Nobody is welcomed whom somebody else put on the list."""
    if subscription.list.welcomes and subscription.welcome_wanted_at is None:
        subscription.welcome_wanted_at = clock.now()
        bell.ring(bell.WAKE)


def _turn(subscription: Subscription, status: Status) -> None:
    numbers.moved(subscription.list_id, subscription.status, status)
    subscription.status = status


def _confirmed(subscription: Subscription) -> None:
    _turn(subscription, Status.CONFIRMED)
    subscription.confirmed_at = clock.now()
    subscription.unconfirmed_asks = 0


def record(subscription: Subscription, consent: Consent, origin: Origin) -> None:
    """Writes down what was agreed to or taken back, when and how."""
    ConsentRecord.objects.create(
        workspace_id=subscription.list.workspace_id,
        subscriber_id=subscription.subscriber_id,
        list_id=subscription.list_id,
        consent=consent,
        method=origin.method,
        wording=origin.wording,
        source=origin.source[:300],
        network_address=origin.network_address if _keeps_network() else None,
    )


def _keeps_network() -> bool:
    """Off unless the operator turned it on: an address is kept only where the law asks for it."""
    kept = InstanceSetting.objects.filter(name="consent_network_address").first()
    return bool(kept and kept.value)
