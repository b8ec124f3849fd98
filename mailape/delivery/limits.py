"""Limits that a person sets: for the way out, and for receiving domains. `pace` keeps them."""

from __future__ import annotations

from django.db.models import F, Q
from django.utils.translation import gettext as _

from mailape.core import address
from mailape.core.errors import Conflict, Invalid
from mailape.delivery import transports
from mailape.delivery.models import Pace
from mailape.senders.models import TransportAccount

# More is no limit but a slip of the finger; it also is what the columns hold.
MOST = 1_000_000
MOST_CONNECTIONS = 100
MOST_DOMAINS = 500
SHOWN = 200


def way_out() -> TransportAccount:
    """The account that this instance sends by now."""
    return transports.account()


def set_account(
    account: TransportAccount,
    *,
    per_second: int | None,
    per_hour: int | None,
    connections: int | None,
    mails_per_connection: int | None,
    relay_signs: bool,
) -> None:
    """Sets all limits of an account; None is none. They hold within a second. Raises Invalid."""
    _checked(per_second, "per_second")
    _checked(per_hour, "per_hour")
    _checked(connections, "connections", MOST_CONNECTIONS)
    _checked(mails_per_connection, "mails_per_connection")
    TransportAccount.objects.filter(pk=account.pk).update(
        per_second=per_second,
        per_hour=per_hour,
        connections=connections,
        mails_per_connection=mails_per_connection,
        relay_signs=relay_signs,
    )


def set_domain(
    account: TransportAccount, domain: str, *, per_second: int | None, per_hour: int | None
) -> Pace:
    """Sets the limits of mail to a receiving domain. Who waits for it asks for its moment anew.

    Raises Invalid for what is no domain or no number, or where neither number was given; Conflict
    where there are too many.
    """
    name = receiving_domain(domain)
    _checked(per_second, "domain_per_second")
    _checked(per_hour, "domain_per_hour")
    if per_second is None and per_hour is None:
        raise Invalid(_("Give a number of mails per second or per hour."), "domain_per_second")
    limited = Pace.objects.filter(account=account).exclude(per_second=None, per_hour=None)
    if limited.exclude(domain=name).count() >= MOST_DOMAINS:
        raise Conflict(_("There are limits for very many domains. Remove one first."))
    row, _made = Pace.objects.update_or_create(
        account=account,
        domain=name,
        defaults={"per_second": per_second, "per_hour": per_hour, "hasten": True},
    )
    return row


def remove_domain(account: TransportAccount, domain: str) -> bool:
    """Takes the limits of a domain away; says whether there were any. Who waits for it may go."""
    found = Pace.objects.filter(account=account, domain=domain).exclude(domain="")
    return bool(
        found.exclude(per_second=None, per_hour=None).update(
            per_second=None, per_hour=None, hasten=True
        )
    )


def at_full_speed(account: TransportAccount, domain: str) -> bool:
    """Ends the slowness that a domain got by its refusals; says whether there was any."""
    found = Pace.objects.filter(account=account, domain=domain, speed__isnull=False)
    return bool(
        found.update(
            speed=None, full_speed=None, slowed_at=None, why="", recent="", since=None, hasten=True
        )
    )


def table(account: TransportAccount) -> list[Pace]:
    """The domains that are limited or slowed, the slowest first; at most 200."""
    found = (
        Pace.objects.filter(account=account)
        .exclude(domain="")
        .filter(Q(per_second__isnull=False) | Q(per_hour__isnull=False) | Q(speed__isnull=False))
    )
    return list(found.order_by(F("speed").asc(nulls_last=True), "domain")[:SHOWN])


def receiving_domain(text: str) -> str:
    """A domain as it is kept: the A-label in lower case. An address gives its domain."""
    name = text.strip().rpartition("@")[2]
    try:
        return address.parse(f"a@{name}").key.rpartition("@")[2]
    except Invalid:
        raise Invalid(_("This is no domain that mail can go to."), "domain") from None


def _checked(value: int | None, field: str, most: int = MOST) -> None:
    if value is not None and not 1 <= value <= most:
        said = _("Type a number from 1 to %(most)s, or nothing for no limit.")
        raise Invalid(said % {"most": f"{most:,}"}, field)
