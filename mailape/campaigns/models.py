"""Message (what is said to an audience) and MessageRevision (its compiled, immutable form)."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailape.accounts.models import User, Workspace
from mailape.core import clock, ids
from mailape.lists.models import MailingList
from mailape.senders.models import Sender


class Kind(models.TextChoices):
    NEWSLETTER = "newsletter", _("Newsletter")
    CONFIRMATION = "confirmation", _("Confirmation")
    WELCOME = "welcome", _("Welcome")
    AUTOMATION = "automation", _("Automation")
    TRANSACTIONAL = "transactional", _("Transactional")
    ACCOUNT = "account", _("Account")
    TEST = "test", _("Test")


class Status(models.TextChoices):
    """draft → queued → sending → sent; paused and back; cancelled or failed for good."""

    DRAFT = "draft", _("Draft")
    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    SENT = "sent", _("Sent")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")


class Format(models.TextChoices):
    MARKDOWN = "markdown", _("Markdown")
    HTML = "html", _("HTML")


class Message(models.Model):
    """What is said to an audience.

    Newsletters are written by people. The other kinds are MailApe's own: one row per list for its
    confirmation (`name` confirmation), one per purpose for account mail; those stay `sending` for
    ever and never build an audience.
    """

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, null=True, related_name="messages", db_index=False
    )
    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.NEWSLETTER)
    name = models.CharField(max_length=40, blank=True, help_text="of machine mail: what it is for")
    list = models.ForeignKey(
        MailingList, models.PROTECT, null=True, related_name="machine_messages"
    )
    sender = models.ForeignKey(Sender, models.PROTECT, null=True, blank=True)
    author = models.ForeignKey(User, models.SET_NULL, null=True)
    subject = models.CharField(max_length=300, blank=True)
    preview_text = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text="what an inbox shows after the subject",
    )
    body = models.TextField(blank=True)
    format = models.CharField(max_length=8, choices=Format.choices, default=Format.MARKDOWN)
    audience = models.JSONField(default=dict, help_text='a rule: {"lists": [keys]}')
    audience_frozen = models.JSONField(
        null=True, help_text="the rule explained, as it was at sending"
    )
    revision = models.ForeignKey("MessageRevision", models.PROTECT, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1, help_text="goes up with each edit")
    edited_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", help_text="who wrote this version"
    )
    draft_key = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text="of the form that made it: once is enough",
    )

    status = models.CharField(max_length=9, choices=Status.choices, default=Status.DRAFT)
    reason = models.CharField(max_length=300, blank=True, help_text="why it is paused or failed")
    not_before = models.DateTimeField(null=True, help_text="until then no worker begins with it")
    zone = models.CharField(
        max_length=64, blank=True, default="", db_default="",
        help_text="in which its writer named the time; empty: it was not scheduled",
    )  # fmt: skip
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    # Building: from the audience to one delivery per person, in steps that resume where they ended.
    built_upto = models.BigIntegerField(default=0, help_text="the last subscriber's key built")
    built_at = models.DateTimeField(null=True)
    build_attempts = models.PositiveSmallIntegerField(default=0)
    build_not_before = models.DateTimeField(null=True)
    build_owner = models.CharField(max_length=128, blank=True)
    build_lease_until = models.DateTimeField(null=True)
    build_fence = models.PositiveBigIntegerField(default=0)
    compile_attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="message_status"),
            models.UniqueConstraint(
                fields=["list", "name"],
                condition=~Q(kind="newsletter") & Q(list__isnull=False),
                name="one_machine_message_per_list",
            ),
            models.UniqueConstraint(
                fields=["name"], condition=Q(kind="account"), name="one_account_message"
            ),
            models.UniqueConstraint(
                fields=["workspace", "draft_key"],
                condition=~Q(draft_key=""),
                name="one_draft_per_form",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "kind", "id"], name="message_page"),
            models.Index(
                fields=["id"],
                condition=Q(status__in=["queued", "sending"], kind="newsletter"),
                name="message_at_work",
            ),
        ]

    def __str__(self) -> str:
        return self.subject or self.name

    @property
    def public_id(self) -> str:
        return ids.public("message", self.pk)


class EarlierText(models.Model):
    """A draft as it was before: what `campaigns.history` kept, to be looked at and brought back."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="earlier_texts")
    version = models.PositiveIntegerField(help_text="of the message when it was this text")
    subject = models.CharField(max_length=300, blank=True)
    preview_text = models.CharField(max_length=300, blank=True)
    body = models.TextField(blank=True)
    format = models.CharField(max_length=8, choices=Format.choices)
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    written_at = models.DateTimeField(help_text="when this text was saved")
    kept_at = models.DateTimeField(default=clock.now, help_text="when another took its place")
    size = models.PositiveIntegerField(help_text="of the body, in characters")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "version"], name="one_earlier_text")
        ]


class Image(models.Model):
    """A picture for messages, served under its token; what it shows never changes."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="images", db_index=False)
    token = models.CharField(max_length=32, unique=True)
    digest = models.CharField(max_length=64, help_text="of the content: the same picture, once")
    name = models.CharField(max_length=120, help_text="of the file, as it came")
    alt = models.CharField(max_length=300, blank=True, help_text="what it shows, in words")
    content_type = models.CharField(max_length=20)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size = models.PositiveIntegerField(help_text="in octets")
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "digest"], name="one_image")]
        indexes = [models.Index(fields=["workspace", "id"], name="image_page")]

    @property
    def extension(self) -> str:
        """The end of its address, with the dot."""
        return {"image/jpeg": ".jpg", "image/png": ".png"}.get(self.content_type, ".gif")


class ImageContent(models.Model):
    """The octets of a picture, in a table of their own: a list of pictures never reads them.

    In the database, because several web processes on several machines serve them, and because a
    backup of the database then holds all that a message shows.
    """

    image = models.OneToOneField(Image, models.CASCADE, primary_key=True, related_name="stored")
    content = models.BinaryField()


class MessageRevision(models.Model):
    """A message compiled for sending. Immutable, so that a retry after an edit sends the same.

    `compiled` is what `delivery.compile` made and `delivery.render` reads; `compiler` says by which
    version of it.
    """

    message = models.ForeignKey(Message, models.CASCADE, related_name="revisions")
    compiler = models.CharField(max_length=16)
    subject = models.TextField()
    compiled = models.JSONField()
    created_at = models.DateTimeField(default=clock.now)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("a revision is never changed")
        super().save(*args, **kwargs)


class LinkFound(models.TextChoices):
    """What trying a link found."""

    NOT_LOOKED = "", _("Not tried yet")
    WORKS = "works", _("Works")
    DEAD = "dead", _("There is nothing")
    IN_TROUBLE = "trouble", _("The server is in trouble")
    NO_ANSWER = "no_answer", _("No answer")
    NOT_TRIED = "not_tried", _("Could not be tried")


class LinkLook(models.Model):
    """What was found at an address that messages link to; forgotten after a week."""

    key = models.CharField(max_length=64, unique=True, help_text="hash of the address")
    url = models.TextField()
    wanted_at = models.DateTimeField(null=True, db_index=True, help_text="to be tried since")
    looked_at = models.DateTimeField(null=True, db_index=True)
    found = models.CharField(
        max_length=9, choices=LinkFound.choices, blank=True, default=LinkFound.NOT_LOOKED
    )
    words = models.CharField(max_length=200, blank=True)
