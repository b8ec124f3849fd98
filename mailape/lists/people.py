"""Changing what is known of a person, and the people on a list."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from mailape.accounts.users import clean_name
from mailape.core import address
from mailape.core.errors import Conflict, Invalid
from mailape.lists import field_keys, numbers
from mailape.lists.models import Consent, MailingList, Status, Subscriber, Subscription
from mailape.lists.subscribe import Origin, record
from mailape.lists.suppress import find as find_suppression

MOST_FIELDS, MOST_OF_A_FIELD = 50, 500
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
CORRECTED = "The address was corrected on the owner's word."


@transaction.atomic
def change(
    person: Subscriber,
    *,
    name: str | None = None,
    first_name: str | None = None,
    fields: dict[str, str] | None = None,
) -> None:
    """Changes what is given and leaves the rest; the address is `correct_address`'s.

    `first_name` is for when it is not the name's first word; empty goes back to that.
    """
    if name is not None:
        person.name = clean_name(name)
    if first_name is not None:
        person.first_name = clean_name(first_name)[:100]
    if fields is not None:
        person.fields = fields
        field_keys.note(person.workspace_id, fields)
    person.save(
        update_fields=["name", "first_name", "fields", "name_key", "family_key", "updated_at"]
    )


@transaction.atomic
def correct_address(person: Subscriber, email: str, origin: Origin) -> None:
    """Another spelling, or the address that was meant, on the owner's word; it is recorded as that.

    Raises Invalid for what is no address; Conflict where somebody else here has it, or where it is
    suppressed.
    """
    who = address.parse(email)
    if who.key != person.email_key:
        _may_take(person, who)
        for one in person.subscriptions.filter(status=Status.CONFIRMED).order_by("pk"):
            record(one, Consent.GIVEN, replace(origin, wording=CORRECTED))
    person.email, person.email_key, person.domain = who.typed, who.key, who.domain
    person.save(update_fields=["email", "email_key", "domain", "name_key", "updated_at"])


def _may_take(person: Subscriber, who: address.Address) -> None:
    others = Subscriber.objects.filter(workspace=person.workspace_id, email_key=who.key)
    if others.exists():
        raise Conflict(
            _(
                "Somebody with the address %(email)s is here already. Put that person on the lists "
                "instead, and erase this one."
            )
            % {"email": who.typed}
        )
    if (held := find_suppression(person.workspace, who)) is not None:
        raise Conflict(
            _("This address is suppressed (%(why)s) and is not mailed. Lift the suppression first.")
            % {"why": held.get_reason_display()}
        )


def fields_as_text(person: Subscriber) -> str:
    """Her fields, one on each line: "city: Bonn"."""
    return "\n".join(f"{key}: {value}" for key, value in sorted(person.fields.items()))


def fields_of_text(text: str) -> dict[str, str]:
    """Fields from lines "key: value". Raises Invalid, naming the line that will not do."""
    found: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not _FIELD.fullmatch(key):
            raise Invalid(
                _("Write “%(line)s” as key: value. A key has small letters, digits, _.")
                % {"line": line.strip()[:60]},
                "fields",
            )
        found[key] = value[:MOST_OF_A_FIELD]
    if len(found) > MOST_FIELDS:
        raise Invalid(_("At most %d fields.") % MOST_FIELDS, "fields")
    return found


@transaction.atomic
def forget(people: list[Subscriber]) -> None:
    """Deletes people with their subscriptions, for `privacy.erase`. Consent records stay."""
    keys = [one.pk for one in people]
    locked = Subscription.objects.select_for_update().filter(subscriber__in=keys).order_by("pk")
    gone = Counter(locked.values_list("list_id", "status"))
    for (list_id, status), number in sorted(gone.items()):
        numbers.moved(list_id, status, "", number)
    Subscription.objects.filter(subscriber__in=keys).delete()
    Subscriber.objects.filter(pk__in=keys).delete()


def on_list(which: MailingList, *, status: str = "") -> list[QuerySet[Subscription]]:
    """Subscriptions to this list with their people, by status.

    One queryset for each status, to be merged by falling key: each of them follows an index from
    the newest on, which the three together could not.
    """
    found = Subscription.objects.filter(list=which).select_related("subscriber")
    return [found.filter(status=one) for one in ([status] if status else Status.values)]
