"""MailingList, Subscriber, FieldKey, Subscription, a list's numbers, consent, suppression."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from mailape.accounts.models import User, Workspace
from mailape.core import clock, ids
from mailape.lists.fields import KeyField, NameKeyField


class MailingList(models.Model):
    """A list that people sign up for. Archived, never deleted."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="lists")
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=5, blank=True, help_text="empty: the workspace's")
    wording = models.JSONField(
        default=dict, blank=True, help_text="texts of the owner's own, by the names in wording.py"
    )
    welcomes = models.BooleanField(
        default=False, help_text="who confirms by the link gets a welcome mail"
    )
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["workspace", "id"], name="list_workspace")]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.public("list", self.pk)


class Subscriber(models.Model):
    """A person in a workspace: one address, a name, fields of the owner's own."""

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="subscribers", db_index=False
    )
    email = models.CharField(max_length=320)
    email_key = KeyField(max_length=320)
    domain = KeyField(max_length=255, help_text="of email_key: for suppressed domains, and search")
    name = models.CharField(max_length=200, blank=True)
    name_key = NameKeyField(default="", help_text="the name, or the address, to search and sort by")
    family_key = NameKeyField(part="family", default="", help_text="the last word of a name")
    first_name = models.CharField(
        max_length=100, blank=True, help_text="where it is not the name's first word"
    )
    fields = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "email_key"], name="one_subscriber")
        ]
        # Each serves a way to search or to sort (`lists.search`). What parts equals is a column
        # and not the key: SQLite bounds an index by two columns, but not by one and the rowid.
        indexes = [
            models.Index(fields=["workspace", "created_at", "email_key"], name="subscriber_joined"),
            models.Index(fields=["workspace", "name_key", "email_key"], name="subscriber_name"),
            models.Index(fields=["workspace", "family_key"], name="subscriber_family"),
            models.Index(fields=["workspace", "domain"], name="subscriber_domain"),
        ]

    @property
    def public_id(self) -> str:
        return ids.public("subscriber", self.pk)


class FieldKey(models.Model):
    """That somebody in the workspace has a field with this key; `lists.field_keys` keeps it."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=40)
    seen_at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="one_field_key")]


class Status(models.TextChoices):
    UNCONFIRMED = "unconfirmed", _("Unconfirmed")
    CONFIRMED = "confirmed", _("Confirmed")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")


class Subscription(models.Model):
    """A subscriber on a list.

    `confirmation_no` is the fact that asks for a confirmation mail: it goes up by one for each that
    should be sent, and `delivery.build` follows with `confirmation_built`. `welcome_wanted_at` asks
    for the welcome mail, once for good; `welcome_built_at` follows.
    """

    list = models.ForeignKey(
        MailingList, models.CASCADE, related_name="subscriptions", db_index=False
    )
    subscriber = models.ForeignKey(Subscriber, models.CASCADE, related_name="subscriptions")
    status = models.CharField(max_length=12, choices=Status.choices)
    confirmation_no = models.PositiveIntegerField(default=0)
    confirmation_built = models.PositiveIntegerField(default=0)
    confirmation_asked_at = models.DateTimeField(null=True)
    welcome_wanted_at = models.DateTimeField(null=True)
    welcome_built_at = models.DateTimeField(null=True)
    unconfirmed_asks = models.PositiveSmallIntegerField(
        default=0, help_text="confirmations asked for since she was last confirmed or left"
    )
    created_at = models.DateTimeField(default=clock.now)
    confirmed_at = models.DateTimeField(null=True)
    unsubscribed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["list", "subscriber"], name="one_subscription"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="known_status"),
        ]
        indexes = [
            models.Index(fields=["list", "status", "id"], name="subscription_page"),
            models.Index(fields=["list", "created_at", "subscriber"], name="subscription_joined"),
            models.Index(
                fields=["list", "subscriber"],
                condition=Q(status="confirmed"),
                name="subscription_confirmed",
            ),
            models.Index(
                fields=["id"],
                condition=Q(confirmation_no__gt=F("confirmation_built")),
                name="subscription_to_confirm",
            ),
            models.Index(
                fields=["id"],
                condition=Q(welcome_wanted_at__isnull=False, welcome_built_at__isnull=True),
                name="subscription_to_welcome",
            ),
        ]


class ListCount(models.Model):
    """How many subscriptions of a list are in which state, but for the moves not yet folded in."""

    list = models.OneToOneField(MailingList, models.CASCADE, primary_key=True, related_name="+")
    unconfirmed = models.BigIntegerField(default=0)
    confirmed = models.BigIntegerField(default=0)
    unsubscribed = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True, help_text="when it was last compared and mended")


class ListDay(models.Model):
    """What happened on a list on one day (UTC), but for the moves not yet folded in."""

    list = models.ForeignKey(MailingList, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    joined = models.BigIntegerField(default=0, help_text="signed up, anew or again")
    confirmations = models.BigIntegerField(default=0, help_text="became confirmed")
    departures = models.BigIntegerField(default=0, help_text="became unsubscribed")
    growth = models.BigIntegerField(default=0, help_text="confirmed ones gained, less those lost")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["list", "day"], name="one_list_day")]


class ListMove(models.Model):
    """That subscriptions of a list came into a state or left one; folded together every moment.

    Rows are only added, in the transaction that moves the subscription, so that no counter is hot.
    The first three are changes of the standing, below zero too; the others what the day counts.
    """

    list = models.ForeignKey(MailingList, models.CASCADE, related_name="+")
    day = models.DateField()
    unconfirmed = models.BigIntegerField(default=0)
    confirmed = models.BigIntegerField(default=0)
    unsubscribed = models.BigIntegerField(default=0)
    joined = models.BigIntegerField(default=0)
    confirmations = models.BigIntegerField(default=0)
    departures = models.BigIntegerField(default=0)
    growth = models.BigIntegerField(default=0)


class Consent(models.TextChoices):
    GIVEN = "given", _("Given")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Method(models.TextChoices):
    FORM = "form", _("Sign-up form")
    CONFIRMATION = "confirmation", _("Confirmation link")
    IMPORT = "import", _("Import")
    API = "api", _("API")
    OWNER = "owner", _("Owner's word")
    LINK = "link", _("Unsubscribe link")
    ONE_CLICK = "one_click", _("One-click unsubscribe")
    PREFERENCES = "preferences", _("Preferences page")


class ConsentRecord(models.Model):
    """What a person agreed to or took back, when and how. Append-only.

    The subscriber's and list's keys are kept without a constraint: the record outlives both.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False)
    subscriber = models.ForeignKey(
        Subscriber, models.DO_NOTHING, db_constraint=False, related_name="consents"
    )
    list = models.ForeignKey(MailingList, models.DO_NOTHING, db_constraint=False, db_index=False)
    consent = models.CharField(max_length=9, choices=Consent.choices)
    method = models.CharField(max_length=12, choices=Method.choices)
    wording = models.TextField(blank=True, help_text="what she was shown when she agreed")
    source = models.CharField(max_length=300, blank=True, help_text="the page, token or person")
    network_address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(default=clock.now)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("a consent record is never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("a consent record is never deleted")


class SuppressionKind(models.TextChoices):
    ADDRESS = "address", _("Address")
    DOMAIN = "domain", _("Domain")
    ERASED = "erased", _("Erased person")


class SuppressionReason(models.TextChoices):
    OWNER = "owner", _("Owner's word")
    BOUNCE = "bounce", _("Bounced")
    COMPLAINT = "complaint", _("Complained")
    ERASED = "erased", _("Erased on request")


class Suppression(models.Model):
    """An address or a domain that is never mailed, and why.

    `value` is an address's key or a domain. For an erased person it is a keyed hash of the key, so
    that the address itself is gone and still not taken in again by an import.
    """

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="suppressions", db_index=False
    )
    kind = models.CharField(max_length=8, choices=SuppressionKind.choices)
    value = KeyField(max_length=320)
    reason = models.CharField(max_length=10, choices=SuppressionReason.choices)
    source = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "kind", "value"], name="one_suppression")
        ]
        indexes = [models.Index(fields=["workspace", "id"], name="suppression_page")]

    @property
    def public_id(self) -> str:
        return ids.public("suppression", self.pk)


class DeedKind(models.TextChoices):
    ADD = "add", _("Add to a list")
    REMOVE = "remove", _("Take off a list")
    SUPPRESS = "suppress", _("Suppress")
    ERASE = "erase", _("Erase")


class DeedState(models.TextChoices):
    ASKED = "asked", _("Not begun")
    WAITING = "waiting", _("Under way")
    DONE = "done", _("Done")
    UNDOING = "undoing", _("Being taken back")
    UNDONE = "undone", _("Taken back")
    FAILED = "failed", _("Failed")


class BulkDeed(models.Model):
    """One deed on many people: what is asked for, and how far it is. `lists.bulk` does it.

    The people are `people` (chosen one by one) or all who fit `wanted`, those who came after it was
    asked for (`last_key`) left out. `upto` is the last key that is done.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    source = models.CharField(max_length=320, help_text="who does it, for the consent record")
    kind = models.CharField(max_length=8, choices=DeedKind.choices)
    list = models.ForeignKey(MailingList, models.CASCADE, null=True, related_name="+")
    people = models.JSONField(null=True)
    wanted = models.JSONField(default=dict)
    back = models.CharField(max_length=1000, blank=True, help_text="the page that it began on")
    total = models.PositiveIntegerField()
    last_key = models.BigIntegerField()
    upto = models.BigIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=7, choices=DeedState.choices, default=DeedState.ASKED)
    reason = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state__in=["waiting", "undoing"]), name="bulk_open"
            )
        ]

    @property
    def public_id(self) -> str:
        return ids.public("bulk", self.pk)


class BulkTouch(models.Model):
    """A person whom a deed changed, and how it was before: for as long as it can be taken back."""

    deed = models.ForeignKey(BulkDeed, models.CASCADE, related_name="touches")
    subscriber_id = models.BigIntegerField()
    before = models.CharField(max_length=12, blank=True)


class PeopleColumns(models.Model):
    """Which columns a user wants to see in tables of people."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="+")
    columns = models.JSONField(default=list)
