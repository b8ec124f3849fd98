"""SubscriberMessage (the delivery), DeliveryBatch, DeliveryTally, OutboxMail, and what is added up
of a message now and then: MessageReport with DomainCount, MomentCount, FaultGroup.

No foreign key points at deliveries, so that PostgreSQL can partition them by ranges of the
message's key, which their unique key contains, and old parts can be dropped.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Case, F, Q, When
from django.utils.translation import gettext_lazy as _

from mailape.accounts.models import Workspace
from mailape.campaigns.models import Message
from mailape.core import clock, ids
from mailape.senders.models import TransportAccount


class State(models.TextChoices):
    """The states of a delivery; `delivery/__init__.py` draws how they follow each other."""

    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    DEFERRED = "deferred", _("Deferred")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    UNKNOWN = "unknown", _("Unknown")
    QUARANTINED = "quarantined", _("Quarantined")


OPEN_STATES = (State.QUEUED, State.SENDING, State.DEFERRED)


# What a page or a person looks for among a million that were sent: see `exception`.
EXCEPTIONS = ["deferred", "failed", "skipped", "unknown", "quarantined"]


class SubscriberMessage(models.Model):
    """One mail to one person: the delivery, and the record of what became of it.

    `not_before` is set on what is claimed singly (machine mail, deferred, scheduled per person) and
    null on what its batch carries and on what is over: one partial index finds all that is due.
    While a batch is leased its open deliveries stay `queued`; only single ones become `sending`,
    and their `not_before` is the end of the lease: whoever holds a dead one is found by that index.
    Keys of workspace, subscriber and list have no constraint: checking four of them would cost more
    than the insert, and the record outlives an erased person.
    """

    message = models.ForeignKey(Message, models.PROTECT, related_name="deliveries", db_index=False)
    workspace_id = models.BigIntegerField(null=True)
    subscriber_id = models.BigIntegerField(null=True, db_index=True)
    list_id = models.BigIntegerField(
        null=True, help_text="the first list of the audience that she is in"
    )
    to_address = models.CharField(
        max_length=320, help_text="as sent; emptied when the person is erased"
    )
    revision_id = models.BigIntegerField(null=True, help_text="where it is not the message's own")
    variant = models.PositiveSmallIntegerField(default=0, db_default=0)
    occasion = models.PositiveIntegerField(default=0, db_default=0)
    priority = models.SmallIntegerField(default=0, db_default=0, help_text="higher goes first")
    batch = models.PositiveIntegerField(
        null=True, help_text="the number of its batch in the message"
    )
    context = models.JSONField(
        null=True, help_text="values of account, test and transactional mail"
    )

    state = models.CharField(max_length=11, choices=State.choices, default=State.QUEUED)
    exception = models.GeneratedField(
        expression=Case(When(state__in=EXCEPTIONS, then=F("state"))),
        output_field=models.CharField(max_length=11, null=True),
        db_persist=True,
        help_text="the state where it is an exception: so that no index has what goes well in it",
    )
    reason = models.CharField(max_length=120, blank=True, default="", db_default="")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="claims in a row that ended without a word"
    )
    not_before = models.DateTimeField(null=True)
    owner = models.CharField(max_length=128, blank=True, default="", db_default="")
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveBigIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(default=clock.now)
    tried_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    transport_account_id = models.BigIntegerField(null=True)
    answer = models.CharField(max_length=500, blank=True, default="", db_default="")
    service_id = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="the mail service's own id"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["message", "subscriber_id", "occasion"], name="one_delivery"
            ),
        ]
        indexes = [
            models.Index(
                fields=["-priority", "not_before"],
                condition=Q(not_before__isnull=False),
                name="delivery_due",
            ),
            models.Index(
                fields=["message", "exception", "id"],
                condition=Q(exception__isnull=False),
                name="delivery_exceptions",
            ),
        ]

    @property
    def public_id(self) -> str:
        return ids.public("delivery", self.pk)


class DeliveryBatch(models.Model):
    """A range of deliveries of one message that one worker leases and counts when it is done."""

    message = models.ForeignKey(Message, models.PROTECT, related_name="batches", db_index=False)
    number = models.PositiveIntegerField()
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    size = models.PositiveIntegerField()
    done = models.BooleanField(default=False)
    not_before = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="claims that ended without a word"
    )
    owner = models.CharField(max_length=128, blank=True, default="")
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveBigIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    deferred = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "number"], name="one_batch_number")
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(done=False), name="batch_open"),
        ]


class DeliveryTally(models.Model):
    """How many deliveries came into a state, or left it, outside their batch's first pass.

    Rows are only added (no hot counter) and folded together now and then.
    """

    message = models.ForeignKey(Message, models.CASCADE, related_name="tallies")
    state = models.CharField(max_length=11, choices=State.choices)
    change = models.IntegerField()


class Pace(models.Model):
    """How fast mail goes by an account to a receiving domain, or, with no domain, by the account.

    For a domain the limits are here; an account has its own. `next_at` and `tail_at` are in seconds
    since 1970: when the next mail may go, and where the queue of those held back ends.
    """

    account = models.ForeignKey(TransportAccount, models.CASCADE, related_name="paces")
    domain = models.CharField(max_length=255, blank=True, help_text="as A-label, in lower case")
    per_second = models.PositiveIntegerField(null=True)
    per_hour = models.PositiveIntegerField(null=True)
    next_at = models.FloatField(default=0.0)
    tail_at = models.FloatField(default=0.0)
    hasten = models.BooleanField(default=False, help_text="the queue was made for a slower pace")
    speed = models.FloatField(null=True, help_text="mails per second, where it was slowed")
    full_speed = models.FloatField(null=True, help_text="before it was slowed")
    slowed_at = models.DateTimeField(null=True)
    why = models.CharField(max_length=300, blank=True, default="", help_text="what the server said")
    recent = models.CharField(max_length=100, blank=True, default="", help_text="x: refused")
    since = models.DateTimeField(null=True, help_text="the first of `recent`")
    heard_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "domain"], name="one_pace")]
        indexes = [models.Index(fields=["id"], condition=Q(hasten=True), name="pace_hasten")]

    @property
    def rate(self) -> float | None:
        """Mails per second that may go now; None where nothing holds them back."""
        known = [one for one in (self.per_second, self.speed) if one is not None]
        return min(known) if known else None


class PaceMinute(models.Model):
    """How many mails went in one minute, where there is a limit per hour."""

    pace = models.ForeignKey(Pace, models.CASCADE, related_name="minutes", db_index=False)
    minute = models.BigIntegerField(help_text="since 1970")
    count = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pace", "minute"], name="one_pace_minute")]


class ConnectionShare(models.Model):
    """How many connections a process may have open by an account whose connections are limited."""

    account = models.ForeignKey(TransportAccount, models.CASCADE, related_name="shares")
    owner = models.CharField(max_length=128)
    connections = models.PositiveSmallIntegerField()
    asked_at = models.DateTimeField(help_text="since when it goes without, where it does")
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "owner"], name="one_connection_share")
        ]


class OutboxMail(models.Model):
    """A mail that left the engine and, with no SMTP server set, stayed on this machine."""

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, null=True, related_name="outbox", help_text="null: account mail"
    )
    delivery_id = models.BigIntegerField(null=True, db_index=True)
    sender = models.CharField(max_length=320, help_text="of the envelope")
    recipient = models.CharField(max_length=320)
    subject = models.CharField(max_length=300)
    content = models.BinaryField()
    at = models.DateTimeField(default=clock.now)

    @property
    def public_id(self) -> str:
        return ids.public("outbox", self.pk)


class MessageReport(models.Model):
    """When the numbers below were last added up for a message, and when that is due again.

    Nothing counts a million rows while somebody waits for a page: `delivery.outcome` does it in a
    task and replaces all three tables' rows of the message at once.
    """

    message = models.OneToOneField(
        Message, models.CASCADE, primary_key=True, related_name="added_up"
    )
    due_at = models.DateTimeField(null=True, help_text="null: nothing has moved since")
    counted_at = models.DateTimeField(null=True)
    took = models.FloatField(default=0, help_text="seconds")

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="message_report_due"
            ),
        ]


class DomainCount(models.Model):
    """Deliveries of a message by the domain that receives them; "" is all the small ones."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="domain_counts")
    domain = models.CharField(max_length=255, blank=True)
    domains = models.PositiveIntegerField(default=1, help_text="how many are in this row")
    sent = models.PositiveIntegerField(default=0)
    open = models.PositiveIntegerField(default=0, help_text="queued, sending, deferred")
    failed = models.PositiveIntegerField(default=0, help_text="failed, quarantined")
    skipped = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)

    @property
    def total(self) -> int:
        """All deliveries to the domain."""
        return self.sent + self.open + self.failed + self.skipped + self.unknown


class MomentCount(models.Model):
    """How many mails went out, or failed for good, in `seconds` from `at` on. Empty ones have no
    row."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="moment_counts")
    at = models.DateTimeField()
    seconds = models.PositiveIntegerField()
    sent = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)


class FaultGroup(models.Model):
    """Deliveries of a message that did not go out and of which the same was said.

    `words` is what was said to one of them; `pattern` (LIKE) fits what was said to all.
    """

    message = models.ForeignKey(Message, models.CASCADE, related_name="fault_groups")
    state = models.CharField(max_length=11, choices=State.choices)
    said_by_server = models.BooleanField(help_text="else it is our own reason")
    key = models.CharField(max_length=16, help_text="the same each time it is added up")
    words = models.CharField(max_length=500)
    pattern = models.CharField(max_length=1000)
    number = models.PositiveIntegerField()
